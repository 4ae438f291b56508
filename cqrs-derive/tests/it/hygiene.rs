//! Derives where names are taken, missing, or made by macros.

/// `impl Project`s that do nothing.
macro_rules! project {
    (for $projection:ty: $($event:ty),*) => {
        $(project!(@one $projection, $event,);)*
    };
    (for $projection:ty: $($event:ty),*; where $parameter:ident: $bound:ident) => {
        $(project!(@one $projection, $event, $parameter: $bound);)*
    };
    (@one $projection:ty, $event:ty, $($parameter:ident: $bound:ident)?) => {
        impl<$($parameter: $bound)?> ::cqrs::Project<$event> for $projection {
            async fn project(
                &self,
                _: $event,
                _: &::cqrs::Received<'_>,
                _: &mut ::cqrs::Transaction<Self>,
            ) -> ::core::result::Result<(), ::cqrs::BoxError> {
                ::core::result::Result::Ok(())
            }
        }
    };
}

/// `impl Fold`s that do nothing.
macro_rules! fold {
    (for $view:ty: $($event:ty),*) => {
        $(fold!(@one $view, $event,);)*
    };
    (for $view:ty: $($event:ty),*; where $parameter:ident: $bound:ident) => {
        $(fold!(@one $view, $event, $parameter: $bound);)*
    };
    (@one $view:ty, $event:ty, $($parameter:ident: $bound:ident)?) => {
        impl<$($parameter: $bound)?> ::cqrs::Fold<$event> for $view {
            fn rows(
                _: &$event,
                _: &::cqrs::Received<'_>,
            ) -> impl ::core::iter::IntoIterator<Item = <Self as ::cqrs::View>::Key> {
                ::core::option::Option::None
            }

            fn fold(
                _: &mut ::core::option::Option<Self>,
                _: &<Self as ::cqrs::View>::Key,
                _: &$event,
                _: &::cqrs::Received<'_>,
            ) -> ::core::result::Result<(), ::cqrs::BoxError> {
                ::core::result::Result::Ok(())
            }
        }
    };
}

/// Everything the expansions could mean by a short name means something else here.
mod names_taken {
    #![no_implicit_prelude]
    #![allow(
        clippy::enum_variant_names,
        clippy::upper_case_acronyms,
        dead_code,
        non_camel_case_types,
        non_upper_case_globals,
        unused_macros,
        reason = "the names are there to be in the way"
    )]

    use ::cqrs::{
        Aggregate as DeriveAggregate, Command, Event as DeriveEvent,
        Projection as DeriveProjection, Query, Upcast as DeriveUpcast, View as DeriveView,
    };
    use ::std::clone::Clone;
    use ::std::default::Default;

    pub(super) struct Result;
    pub(super) struct Option;
    struct Some;
    struct None;
    struct Ok;
    struct Err;
    struct Vec;
    struct From;
    struct EventType;
    struct Payload;
    struct RecordedEvent;
    struct Received;
    struct Transaction;
    struct BoxError;
    struct MemoryModel;
    struct Value;
    struct Table;
    struct ColumnInfo;
    struct ColumnType;
    struct ColumnError;
    struct E0;
    struct E1;
    struct Decoded;
    struct Probe;
    struct Field;
    struct UpcastStep;
    struct D;
    trait Upcast {}
    trait Into {}
    trait Describe {}
    trait Send {}
    trait Sync {}
    trait Apply {}
    trait Project {}
    trait ReadModel {}
    trait Future {}
    trait Serialize {}
    trait Fold {}
    trait View {}
    trait Column {}
    trait TryFrom {}
    trait Iterator {}
    trait IntoIterator {}
    mod core {}
    mod std {}
    mod cqrs {}
    mod serde {}
    const event: () = ();
    static command: () = ();
    static received: () = ();
    static transaction: () = ();
    static row: () = ();
    static key: () = ();
    static values: () = ();
    static error: () = ();
    macro_rules! panic {
        () => {};
    }
    macro_rules! vec {
        () => {};
    }
    macro_rules! format {
        () => {};
    }
    macro_rules! matches {
        () => {};
    }

    #[derive(::serde::Serialize, ::serde::Deserialize, DeriveEvent)]
    pub(super) enum Event {
        TYPES,
        Error(::std::string::String),
        Event { content: ::core::primitive::u8 },
    }

    #[derive(::serde::Serialize, ::serde::Deserialize, DeriveEvent)]
    #[event(name = "other")]
    pub(super) struct Other<T> {
        content: T,
    }

    #[derive(DeriveEvent)]
    #[event(name = "unit")]
    pub(super) struct Unit;

    #[derive(::serde::Serialize, ::serde::Deserialize, DeriveEvent)]
    #[event(
        name = "history",
        version = 5,
        upcast(1 => type History, 2 => type Link, 3 => step, 4 => type Step),
        from("source", upcast(1 => step), into = 4),
        write_version = 4,
        downcast(5 => step)
    )]
    pub(super) struct Past {
        content: ::core::primitive::u8,
    }

    #[derive(::serde::Deserialize, DeriveUpcast)]
    #[upcast(into = Link)]
    struct History {}

    #[derive(::serde::Serialize, ::serde::Deserialize, DeriveUpcast)]
    #[upcast(into = Link)]
    struct Link {}

    #[derive(::serde::Deserialize, DeriveUpcast)]
    #[upcast(try_into = ::std::vec::Vec<Past>)]
    struct Step {}

    impl ::core::convert::From<History> for Link {
        fn from(_: History) -> Self {
            Self {}
        }
    }

    impl ::core::convert::From<Step> for ::std::vec::Vec<Past> {
        fn from(_: Step) -> Self {
            ::std::vec![Past { content: 1 }]
        }
    }

    fn step(draft: &mut ::cqrs::Draft) -> ::core::result::Result<(), ::cqrs::UpcastError> {
        draft.default("content", &1)
    }

    #[derive(DeriveEvent)]
    #[event(name = "retired", retired)]
    pub(super) struct Retired;

    #[derive(
        Clone,
        Default,
        ::std::cmp::PartialEq,
        ::serde::Serialize,
        ::serde::Deserialize,
        DeriveAggregate,
    )]
    #[aggregate(events(Event, Other<T>, Unit), snapshot(every = 2), ignore("ignored"))]
    pub(super) struct Aggregate<T> {
        content: T,
    }

    impl<T> ::cqrs::Apply<Event> for Aggregate<T> {
        fn apply(&mut self, _: Event) {}
    }

    impl<T> ::cqrs::Apply<Other<T>> for Aggregate<T> {
        fn apply(&mut self, _: Other<T>) {}
    }

    impl<T> ::cqrs::Apply<Unit> for Aggregate<T> {
        fn apply(&mut self, _: Unit) {}
    }

    #[derive(Clone, Command)]
    #[command(aggregate = Aggregate<::core::primitive::u8>, id = command)]
    pub(super) struct Do {
        command: ::std::string::String,
    }

    impl ::cqrs::Handle<Do> for Aggregate<::core::primitive::u8> {
        fn handle(&self, _: Do) -> ::cqrs::Decision<Self> {
            ::cqrs::emit(Unit)
        }
    }

    #[derive(Clone, Command)]
    #[command(outcome = Result)]
    pub(super) struct Carry;

    #[derive(Clone, Query)]
    #[query(output = Option)]
    pub(super) struct Ask;

    #[derive(DeriveProjection)]
    #[projection(
        model = ::cqrs::MemoryModel<::core::primitive::u8>,
        events(Event, Other<T>, Unit),
    )]
    pub(super) struct Projection<T: Member> {
        content: T,
    }

    pub(super) trait Member:
        ::serde::Serialize
        + ::serde::de::DeserializeOwned
        + ::core::marker::Send
        + ::core::marker::Sync
        + 'static
    {
    }

    impl Member for ::core::primitive::u8 {}

    project!(for Projection<T>: Event, Other<T>, Unit; where T: Member);

    #[derive(Clone, DeriveView)]
    #[view(key(event, content), index(values), events(Event, Unit))]
    pub(super) struct Row {
        event: ::std::string::String,
        content: ::core::primitive::bool,
        values: ::core::option::Option<::std::string::String>,
        #[view(json)]
        key: ::std::string::String,
    }

    fold!(for Row: Event, Unit);

    #[derive(Clone, ::serde::Serialize, ::serde::Deserialize, DeriveView)]
    #[serde(bound = "")]
    #[view(document, key(error), events(Other<T>, Unit))]
    pub(super) struct Paper<T: Member + Clone> {
        error: ::core::primitive::u8,
        content: T,
    }

    pub(super) trait Content: Member + Clone {}

    impl<T: Member + Clone> Content for T {}

    fold!(for Paper<T>: Other<T>, Unit; where T: Content);
}

/// The names of primitive types mean something else; serde's derives can't do with that, ours can.
mod primitives_taken {
    #![allow(dead_code, non_camel_case_types, reason = "the names are there to be in the way")]

    use cqrs::{Aggregate, Apply, Command, Event, Handle, Projection, Query, View};

    struct str;
    struct u32;
    struct u64;
    struct usize;
    struct bool;

    #[derive(Event)]
    #[event(name = "one")]
    struct One;

    #[derive(Event)]
    #[event(name = "two")]
    struct Two;

    #[derive(Default, Aggregate)]
    #[aggregate(events(One, Two))]
    pub(super) struct State;

    impl Apply<One> for State {
        fn apply(&mut self, _: One) {}
    }

    impl Apply<Two> for State {
        fn apply(&mut self, _: Two) {}
    }

    #[derive(Clone, Command)]
    #[command(aggregate = State, id = 0)]
    struct Do(String);

    impl Handle<Do> for State {
        fn handle(&self, _: Do) -> cqrs::Decision<Self> {
            cqrs::emit(One)
        }
    }

    #[derive(Clone, Query)]
    #[query(output = bool)]
    struct Ask;

    #[derive(Projection)]
    #[projection(version = 3, model = cqrs::MemoryModel<()>, events(One, Two))]
    pub(super) struct Counts;

    project!(for Counts: One, Two);

    #[derive(Clone, View)]
    #[view(version = 4, key(id), index(text), events(One, Two))]
    pub(super) struct Row {
        id: i64,
        text: Option<String>,
        #[view(json)]
        tags: Vec<String>,
    }

    fold!(for Row: One, Two);
}

/// The framework under another name, and only there.
mod renamed {
    pub(super) mod vendor {
        pub(crate) use cqrs as framework;
    }

    use serde::{Deserialize, Serialize};
    use vendor::framework::{Aggregate, Apply, Command, Event, Projection, Query, View};

    #[derive(Serialize, Deserialize, Event)]
    #[event(crate = vendor::framework)]
    pub(super) enum DoorEvent {
        Opened,
    }

    #[derive(Event)]
    #[event(crate = self::vendor::framework)]
    pub(super) struct Closed;

    #[derive(Default, Aggregate)]
    #[aggregate(events(DoorEvent, Closed), crate = crate::hygiene::renamed::vendor::framework)]
    pub(super) struct Door;

    impl Apply<DoorEvent> for Door {
        fn apply(&mut self, _: DoorEvent) {}
    }

    impl Apply<Closed> for Door {
        fn apply(&mut self, _: Closed) {}
    }

    #[derive(Clone, Command)]
    #[command(outcome = (), crate = vendor::framework)]
    pub(super) struct Knock;

    #[derive(Clone, Query)]
    #[query(output = bool, crate = vendor::framework)]
    pub(super) struct IsOpen;

    #[derive(Projection)]
    #[projection(
        model = vendor::framework::MemoryModel<u8>,
        events(DoorEvent, Closed),
        crate = crate::hygiene::renamed::vendor::framework
    )]
    pub(super) struct Doors;

    project!(for Doors: DoorEvent, Closed);

    #[derive(Clone, View)]
    #[view(key(id, door), events(DoorEvent, Closed), crate = vendor::framework)]
    pub(super) struct Log {
        id: u32,
        door: String,
        #[view(json)]
        tags: Vec<String>,
    }

    fold!(for Log: DoorEvent, Closed);
}

/// Types made by a macro, from what it is given.
macro_rules! domain {
    ($module:ident, $prefix:literal, $version:literal, $variant:ident, $event:ty, $id:ident: $id_type:ty, $column:literal, $step:path, $old:ty, $alias:literal) => {
        mod $module {
            use cqrs::{Aggregate, Apply, Command, Event, Projection, View};

            #[derive(serde::Serialize, serde::Deserialize, Event)]
            #[event(prefix = $prefix)]
            pub(super) enum Made {
                #[event(
                    version = $version,
                    alias = $alias,
                    upcast(1 => $step, 2 => $step, 3 => type $old),
                    from("source", upcast(1 => $step), into = $version),
                    write_version = 3,
                    downcast($version => $step)
                )]
                $variant { $id: String },
            }

            #[derive(serde::Deserialize, cqrs::Upcast)]
            #[upcast(into = $event)]
            struct Old {
                $id: String,
            }

            impl From<Old> for Made {
                fn from(old: Old) -> Self {
                    Self::$variant { $id: old.$id }
                }
            }

            fn same(draft: &mut cqrs::Draft) -> Result<(), cqrs::UpcastError> {
                draft.default("key", "k")
            }

            #[derive(Default, Aggregate)]
            #[aggregate(category = $prefix, events($event, cqrs_derive_tests::Common))]
            pub(super) struct State;

            impl Apply<$event> for State {
                fn apply(&mut self, _: $event) {}
            }

            impl Apply<cqrs_derive_tests::Common> for State {
                fn apply(&mut self, _: cqrs_derive_tests::Common) {}
            }

            #[derive(Clone, Command)]
            #[command(aggregate = State, id = $id)]
            pub(super) struct Make {
                pub(super) $id: String,
            }

            impl cqrs::Handle<Make> for State {
                fn handle(&self, command: Make) -> cqrs::Decision<Self> {
                    cqrs::emit(Made::$variant { $id: command.$id })
                }
            }

            #[derive(Projection)]
            #[projection(
                name = $prefix,
                version = $version,
                model = cqrs::MemoryModel<u8>,
                events($event, cqrs_derive_tests::Common)
            )]
            pub(super) struct Counts;

            project!(for Counts: $event, cqrs_derive_tests::Common);

            #[derive(Clone, View)]
            #[view(
                name = $prefix,
                version = $version,
                key = $id,
                index(owner),
                events($event, cqrs_derive_tests::Common)
            )]
            pub(super) struct Row {
                $id: $id_type,
                #[view(column = $column)]
                owner: Option<$id_type>,
            }

            fold!(for Row: $event, cqrs_derive_tests::Common);

            mod cqrs_derive_tests {
                #[derive(cqrs::Event)]
                #[event(name = "common")]
                pub(super) struct Common;
            }
        }
    };
}

domain!(made, "made", 4, Opened, Made, key: String, "column", same, Old, "alias");

#[test]
fn no_name_of_the_user_is_in_the_way() {
    use cqrs::{
        Aggregate as _, AggregateCommand as _, Command as _, Event as _, Projection as _,
        Query as _, View as _,
    };

    assert_eq!(<names_taken::Event as cqrs::Event>::TYPES[0].name, "event.types");
    assert_eq!(names_taken::Aggregate::<u8>::CATEGORY, "aggregate");
    assert!(crate::decode::<names_taken::Past>("history", 4, "{}").is_ok());
    assert!(cqrs::Event::event_type(&names_taken::Retired).is_retired);
    assert_eq!(names_taken::Carry::NAME, "Carry");
    assert_eq!(names_taken::Ask::NAME, "Ask");
    assert_eq!(names_taken::Projection::<u8>::NAME, "projection");
    assert_eq!(primitives_taken::State::CATEGORY, "state");
    assert_eq!(names_taken::Row::TABLE.columns[3].name, "key");
    assert_eq!(names_taken::Paper::<u8>::NAME, "paper");
    assert_eq!(primitives_taken::Counts::VERSION, 3);
    assert_eq!(primitives_taken::Row::VERSION, 4);
    assert_eq!(renamed::Door::CATEGORY, "door");
    assert_eq!(renamed::Knock::NAME, "Knock");
    assert_eq!(renamed::IsOpen::NAME, "IsOpen");
    assert_eq!(renamed::Doors::NAME, "doors");
    assert_eq!(made::Made::TYPES[0].to_string(), "made.opened v4");
    assert_eq!(renamed::Log::NAME, "log");
    assert_eq!((made::Counts::NAME, made::Counts::VERSION), ("made", 4));
    assert_eq!((made::Row::NAME, made::Row::TABLE.columns[1].name), ("made", "column"));
    let make = made::Make { key: "k".into() };
    assert_eq!(cqrs::StreamKey::with_text(&make.stream_key(), str::len), 1);
}

#[test]
fn types_may_stand_in_a_function() {
    use cqrs::{Aggregate, Apply, Event, View};

    #[derive(serde::Serialize, serde::Deserialize, Event)]
    enum Local {
        A,
    }

    #[derive(Event)]
    #[event(name = "b")]
    struct B;

    #[derive(Default, Aggregate)]
    #[aggregate(events(Local, B))]
    struct State;

    impl Apply<Local> for State {
        fn apply(&mut self, _: Local) {}
    }

    impl Apply<B> for State {
        fn apply(&mut self, _: B) {}
    }

    #[derive(Clone, View)]
    #[view(key(id), events(Local, B))]
    struct Row {
        id: u8,
    }

    fold!(for Row: Local, B);

    assert_eq!(Row { id: 1 }.key(), 1);
    let all: [<State as Aggregate>::Event; 2] = [Local::A.into(), B.into()];
    assert_eq!(all.map(|event| event.event_type().name), ["local.a", "b"]);
}

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

mod names_taken;

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

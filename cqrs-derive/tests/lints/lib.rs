//! Derives in code that allows nothing: what they write must give no warning of the user's lints.

#![deny(warnings, clippy::pedantic, clippy::nursery)]
#![deny(
    deprecated,
    elided_lifetimes_in_paths,
    explicit_outlives_requirements,
    let_underscore_drop,
    missing_copy_implementations,
    missing_debug_implementations,
    missing_docs,
    single_use_lifetimes,
    trivial_casts,
    trivial_numeric_casts,
    unit_bindings,
    unnameable_types,
    unreachable_pub,
    unused_lifetimes,
    unused_qualifications,
    unused_results,
    variant_size_differences
)]
#![deny(
    clippy::absolute_paths,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::default_numeric_fallback,
    clippy::else_if_without_else,
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::min_ident_chars,
    clippy::missing_inline_in_public_items,
    clippy::missing_trait_methods,
    clippy::mod_module_files,
    clippy::module_name_repetitions,
    clippy::multiple_inherent_impl,
    clippy::panic,
    clippy::pattern_type_mismatch,
    clippy::question_mark_used,
    clippy::renamed_function_params,
    clippy::shadow_reuse,
    clippy::single_call_fn,
    clippy::single_char_lifetime_names,
    clippy::std_instead_of_core,
    clippy::unimplemented,
    clippy::unwrap_used
)]

/// Events, aggregates, commands, queries, projections and views as a library has them.
pub mod domain {
    use cqrs::{
        Aggregate, Apply, BoxError, Command, Decision, Event, Handle, MemoryModel,
        MemoryTransaction, Project, Projection, Query, Received, Transaction, emit,
    };
    use serde::{Deserialize, Serialize};

    /// Events of an account.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Event)]
    #[non_exhaustive]
    pub enum AccountEvent {
        /// It was opened.
        Opened {
            /// By whom.
            owner: String,
        },
        /// No longer written.
        #[deprecated = "not written since the accounts were joined"]
        Joined(u64),
    }

    /// It was closed.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Event)]
    #[event(name = "account.closed")]
    #[non_exhaustive]
    pub struct Closed;

    /// Measured in some unit.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Event)]
    #[event(name = "account.measured")]
    #[deprecated = "nobody measures any more"]
    #[non_exhaustive]
    pub struct Measured<Unit> {
        /// In which unit.
        pub unit: Unit,
    }

    /// An account.
    #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Aggregate)]
    #[aggregate(category = "account", events(AccountEvent, Closed), snapshot(every = 100))]
    pub struct Account {
        owner: String,
    }

    impl Apply<AccountEvent> for Account {
        #[inline]
        fn apply(&mut self, event: AccountEvent) {
            if let AccountEvent::Opened { owner } = event {
                self.owner = owner;
            }
        }
    }

    impl Apply<Closed> for Account {
        #[inline]
        fn apply(&mut self, _: Closed) {
            self.owner.clear();
        }
    }

    /// Closes an account.
    #[derive(Debug, Clone, PartialEq, Eq, Command)]
    #[command(aggregate = Account, id = account)]
    #[non_exhaustive]
    pub struct Close {
        /// Which.
        pub account: String,
    }

    impl Handle<Close> for Account {
        #[inline]
        fn handle(&self, _: Close) -> Decision<Self> {
            emit(Closed)
        }
    }

    /// What is done with an account.
    #[derive(Debug, Clone, PartialEq, Eq, Command)]
    #[command(aggregate = Account, id = account)]
    #[non_exhaustive]
    pub enum Change {
        /// It is opened.
        #[command(name = "Begin")]
        Open {
            /// Which.
            account: String,
        },
        /// No longer asked for.
        #[deprecated = "accounts are not joined any more"]
        Join {
            /// Which.
            account: String,
        },
    }

    impl Handle<Change> for Account {
        #[inline]
        fn handle(&self, _: Change) -> Decision<Self> {
            emit(())
        }
    }

    /// Closes all accounts.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Command)]
    #[command(outcome = u64)]
    #[non_exhaustive]
    pub struct CloseAll;

    /// Who owns an account.
    #[derive(Debug, Clone, PartialEq, Eq, Query)]
    #[query(output = String)]
    #[non_exhaustive]
    pub struct Owner {
        /// Which.
        pub account: String,
    }

    /// How many accounts were closed.
    #[derive(Debug, Clone, Copy, Projection)]
    #[projection(model = MemoryModel<u64>, events(Closed))]
    #[non_exhaustive]
    pub struct ClosedCount;

    impl Project<Closed> for ClosedCount {
        #[inline]
        async fn project(
            &self,
            _: Closed,
            _: &Received<'_>,
            transaction: &mut MemoryTransaction<u64>,
        ) -> Result<(), BoxError> {
            transaction.value = transaction.value.saturating_add(1);
            Ok(())
        }
    }

    /// All that happened.
    #[derive(Debug, Clone, Projection)]
    #[projection(
        version = 2,
        model = MemoryModel<Vec<String>>,
        tables = concat!("CREATE TABLE history ", "(text text)"),
        events(AccountEvent, Closed)
    )]
    pub struct History<Mark: ToString + Send + Sync + 'static> {
        mark: Mark,
    }

    impl<Mark: ToString + Send + Sync + 'static> Project<AccountEvent> for History<Mark> {
        #[inline]
        async fn project(
            &self,
            _: AccountEvent,
            received: &Received<'_>,
            transaction: &mut Transaction<Self>,
        ) -> Result<(), BoxError> {
            transaction.value.push(received.event_type.to_string());
            Ok(())
        }
    }

    impl<Mark: ToString + Send + Sync + 'static> Project<Closed> for History<Mark> {
        #[inline]
        async fn project(
            &self,
            _: Closed,
            _: &Received<'_>,
            transaction: &mut Transaction<Self>,
        ) -> Result<(), BoxError> {
            transaction.value.push(self.mark.to_string());
            Ok(())
        }
    }
}

/// Views as a library has them.
pub mod views {
    use std::collections::BTreeMap;

    use cqrs::{BoxError, Event, Fold, Received, View};
    use serde::{Deserialize, Serialize};

    use super::domain::{AccountEvent, Closed};

    /// Who owns an account.
    #[derive(Debug, Clone, PartialEq, View)]
    #[view(key(account), index(owner), events(AccountEvent, Closed))]
    #[non_exhaustive]
    pub struct Owner {
        /// Which account.
        pub account: String,
        /// Who.
        pub owner: Option<String>,
        /// How often it was joined.
        #[deprecated = "nobody joins accounts any more"]
        pub joined: u64,
        /// What else is known.
        #[view(json)]
        pub more: BTreeMap<String, String>,
        rate: f64,
    }

    impl Fold<AccountEvent> for Owner {
        #[inline]
        fn rows(_: &AccountEvent, received: &Received<'_>) -> impl IntoIterator<Item = String> {
            [received.stream.key().to_owned()]
        }

        #[inline]
        fn fold(
            row: &mut Option<Self>,
            _: &String,
            _: &AccountEvent,
            _: &Received<'_>,
        ) -> Result<(), BoxError> {
            if let Some(owner) = row.as_mut() {
                owner.rate = 0.5_f64;
            }
            Ok(())
        }
    }

    impl Fold<Closed> for Owner {
        #[inline]
        fn rows(_: &Closed, received: &Received<'_>) -> impl IntoIterator<Item = String> {
            [received.stream.key().to_owned()]
        }

        #[inline]
        fn fold(
            row: &mut Option<Self>,
            _: &String,
            _: &Closed,
            _: &Received<'_>,
        ) -> Result<(), BoxError> {
            *row = None;
            Ok(())
        }
    }

    /// The day an account was closed.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, View)]
    #[view(version = 2, key(day, number), index = number, index = (number, day), events(Closed))]
    #[non_exhaustive]
    pub struct ClosedOn {
        /// Which day.
        pub day: u32,
        /// Which of the day.
        pub number: u64,
    }

    impl Fold<Closed> for ClosedOn {
        #[inline]
        fn rows(_: &Closed, _: &Received<'_>) -> impl IntoIterator<Item = (u32, u64)> {
            None
        }

        #[inline]
        fn fold(
            _: &mut Option<Self>,
            _: &(u32, u64),
            _: &Closed,
            _: &Received<'_>,
        ) -> Result<(), BoxError> {
            Ok(())
        }
    }

    /// What was noted last.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, View)]
    #[serde(bound = "")]
    #[view(document, key(account), events(Noted<Text>, Closed))]
    #[non_exhaustive]
    pub struct Note<Text: Event + Clone + Serialize + for<'any> Deserialize<'any>> {
        /// Where.
        pub account: String,
        /// What.
        pub text: Text,
    }

    /// It was noted.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Event)]
    #[event(name = "account.noted")]
    #[non_exhaustive]
    pub struct Noted<Text> {
        /// What.
        pub text: Text,
    }

    impl<Text: Event + Clone + Serialize + for<'any> Deserialize<'any>> Fold<Noted<Text>>
        for Note<Text>
    {
        #[inline]
        fn rows(_: &Noted<Text>, received: &Received<'_>) -> impl IntoIterator<Item = String> {
            [received.stream.key().to_owned()]
        }

        #[inline]
        fn fold(
            row: &mut Option<Self>,
            key: &String,
            event: &Noted<Text>,
            _: &Received<'_>,
        ) -> Result<(), BoxError> {
            *row = Some(Self { account: key.clone(), text: event.text.clone() });
            Ok(())
        }
    }

    impl<Text: Event + Clone + Serialize + for<'any> Deserialize<'any>> Fold<Closed> for Note<Text> {
        #[inline]
        fn rows(_: &Closed, received: &Received<'_>) -> impl IntoIterator<Item = String> {
            [received.stream.key().to_owned()]
        }

        #[inline]
        fn fold(
            row: &mut Option<Self>,
            _: &String,
            _: &Closed,
            _: &Received<'_>,
        ) -> Result<(), BoxError> {
            *row = None;
            Ok(())
        }
    }
}

/// Events with a history.
#[expect(clippy::single_call_fn, reason = "a step of an upcaster is a function")]
pub mod history {
    use cqrs::{Aggregate, Apply, Draft, Event, RecordedEvent, Upcast, UpcastError};
    use serde::{Deserialize, Serialize};

    /// Events of a door.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Event)]
    #[event(prefix = "door")]
    #[serde(rename_all_fields = "camelCase")]
    #[non_exhaustive]
    pub enum DoorEvent {
        /// It was opened.
        #[event(alias = "door.unlocked", from("door.replaced", upcast(1 => opener_alone)))]
        Opened {
            /// By whom.
            #[serde(default, skip_serializing_if = "String::is_empty")]
            opened_by: String,
        },
        /// It was painted.
        #[event(
            version = 4,
            upcast(1 => type PaintedV1, 2 => type PaintedV2, 3 => with_stream),
            write_version = 2,
            downcast(3 => back::without_colour, 4 => back::without_stream)
        )]
        Painted(
            /// In which colour.
            Colour,
        ),
        /// No longer written.
        #[event(retired, version = 2, upcast(1 => type HungV1))]
        Hung,
    }

    /// A colour.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[non_exhaustive]
    pub struct Colour {
        /// Its name.
        pub name: String,
    }

    #[derive(Deserialize, Upcast)]
    #[upcast(into = PaintedV2)]
    struct PaintedV1(String);

    #[derive(Deserialize, Upcast)]
    #[upcast(try_into = Option<Colour>)]
    struct PaintedV2 {
        name: String,
    }

    impl From<PaintedV1> for PaintedV2 {
        #[inline]
        fn from(old: PaintedV1) -> Self {
            Self { name: old.0 }
        }
    }

    impl TryFrom<PaintedV2> for Option<Colour> {
        type Error = UpcastError;

        #[inline]
        fn try_from(old: PaintedV2) -> Result<Self, UpcastError> {
            if old.name.len() == 1 {
                return Err(UpcastError::other("one letter is no colour"));
            }
            Ok((!old.name.is_empty()).then_some(Colour { name: old.name }))
        }
    }

    #[derive(Deserialize, Upcast)]
    #[upcast(into = DoorEvent)]
    struct HungV1 {}

    impl From<HungV1> for DoorEvent {
        #[inline]
        fn from(HungV1 {}: HungV1) -> Self {
            Self::Hung
        }
    }

    fn opener_alone(draft: &mut Draft) -> Result<(), UpcastError> {
        draft.rename("by", "openedBy")
    }

    fn with_stream(draft: &mut Draft, event: &RecordedEvent) -> Result<(), UpcastError> {
        draft.set("stream", &event.stream.to_string())
    }

    mod back {
        use super::{Draft, UpcastError};

        pub(super) fn without_colour(draft: &mut Draft) -> Result<(), UpcastError> {
            draft.remove("colour")
        }

        pub(super) fn without_stream(draft: &mut Draft) -> Result<(), UpcastError> {
            draft.remove("stream")
        }
    }

    /// No longer written.
    #[derive(Debug, Clone, PartialEq, Eq, Deserialize, Event)]
    #[event(name = "door.weighed", retired)]
    #[non_exhaustive]
    pub struct Weighed<Unit> {
        /// How heavy it is.
        pub weight: Unit,
        /// When, in the old calendar.
        #[deprecated = "nobody asks for it"]
        pub day: u32,
    }

    /// A door.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Aggregate)]
    #[aggregate(events(DoorEvent, Weighed<u32>), ignore("door.oiled", "door.dusted"))]
    #[non_exhaustive]
    pub struct Door;

    impl Apply<DoorEvent> for Door {
        #[inline]
        fn apply(&mut self, _: DoorEvent) {}
    }

    impl Apply<Weighed<u32>> for Door {
        #[inline]
        fn apply(&mut self, _: Weighed<u32>) {}
    }
}

/// What is still read but no longer written.
#[allow(
    clippy::allow_attributes,
    reason = "what a struct allows reaches the code derived from it, unlike `expect`"
)]
pub mod old {
    use cqrs::{Aggregate, Apply};

    #[allow(deprecated, reason = "old streams must still be read")]
    use super::domain::Measured;

    /// Old accounts.
    #[derive(Debug, Clone, Copy, Default, Aggregate)]
    #[allow(deprecated, reason = "old streams must still be read")]
    #[aggregate(category = "old", events(Measured<u8>))]
    pub struct Old {
        unit: u8,
    }

    #[allow(deprecated, reason = "old streams must still be read")]
    impl Apply<Measured<u8>> for Old {
        #[inline]
        fn apply(&mut self, event: Measured<u8>) {
            self.unit = event.unit;
        }
    }
}

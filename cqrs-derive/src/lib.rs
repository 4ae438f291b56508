//! Derive macros of the `cqrs` framework: `Event`, `Upcast`, `Aggregate`, `Command`, `Query`, `Projection` and `View`.
//!
//! Use them through the facade `cqrs`, with its feature `derive`. Each reads its type, checks it and writes impls that
//! name everything by its whole path. All mistakes of a type are reported at once, each where it was made.

mod aggregate;
mod attr;
mod bare;
mod command;
mod describe;
mod errors;
mod event;
mod events;
mod message;
mod names;
mod projection;
mod query;
mod serde_attr;
mod subject;
mod text;
mod upcast;
mod view;

#[cfg(test)]
mod tests;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a type an event: a struct is one event type, an enum is one event type a variant.
///
/// ```
/// use cqrs::Event;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Event)]
/// #[event(prefix = "account")]
/// enum AccountEvent {
///     Opened { owner: String },         // account.opened
///     Deposited(u64),                   // account.deposited
///     #[event(name = "money-taken")]
///     Withdrawn(u64),                   // account.money-taken
/// }
///
/// #[derive(Event)]
/// #[event(name = "account.closed")]
/// struct Closed;
///
/// assert!(AccountEvent::knows("account.money-taken"));
/// assert_eq!(Closed.event_type().name, "account.closed");
/// ```
///
/// Derive `Serialize` and `Deserialize` beside it; a struct without fields needs neither. The payload of a struct is
/// what serde writes, the payload of a variant is its content alone: the stored name already tells which it is.
///
/// # Options
///
/// | where | option | meaning |
/// |---|---|---|
/// | struct | `name = "…"` | the stored name; by default the type's name in snake case |
/// | enum | `prefix = "…"` | what the stored names begin with, before a dot; by default the type's name in snake case without a final `Event`; `""` for none |
/// | variant | `name = "…"` | the stored name after the prefix; by default the variant's name in snake case |
/// | struct, variant | `version = N` | the version of the schema that this program works with, from 1 on; by default 1 |
/// | struct, variant | `upcast(1 => step, 2 => type Shape, …)` | the steps from each earlier version to the next |
/// | struct, variant | `alias = "…"` | a whole stored name it had before; may be repeated |
/// | struct, variant | `from("…", upcast(…), into = N)` | stored events of another name become events of this type; may be repeated |
/// | struct, variant | `retired` | it is only read, and never written again |
/// | struct, variant | `write_version = N` | the earlier version that is still written |
/// | struct, variant | `downcast(2 => step, …)` | the steps from each version that is not written back to the one before |
/// | struct, enum | `crate = path` | where the framework is, if not at `::cqrs` |
///
/// Stored names have at most 128 bytes: ASCII letters, digits, `_`, `-` and `.`. They outlive the program that wrote
/// them, so write down those that matter: with `name` and `prefix` given, renaming a type renames nothing stored.
///
/// # Versions
///
/// What is stored never changes. When the payload of an event type changes in a way that serde does not bridge by itself
/// (as it does with `#[serde(default)]`), raise its version and write the step from the version before:
///
/// ```
/// use cqrs::{Draft, Event, Upcast, UpcastError};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
/// #[event(prefix = "account")]
/// enum AccountEvent {
///     #[event(version = 3, upcast(1 => cents_of_units, 2 => type DepositedV2))]
///     Deposited { cents: u64, currency: String },
/// }
///
/// /// A function that changes the JSON.
/// fn cents_of_units(draft: &mut Draft) -> Result<(), UpcastError> {
///     draft.rename("units", "cents")?;
///     draft.map("cents", |units: u64| units * 100)
/// }
///
/// /// Or the shape of the earlier version, as a type.
/// #[derive(Deserialize, Upcast)]
/// #[upcast(into = AccountEvent)]
/// struct DepositedV2 {
///     cents: u64,
/// }
///
/// impl From<DepositedV2> for AccountEvent {
///     fn from(old: DepositedV2) -> Self {
///         Self::Deposited { cents: old.cents, currency: "EUR".into() }
///     }
/// }
///
/// let steps: Vec<_> = AccountEvent::TYPES[0].steps.iter().map(ToString::to_string).collect();
/// assert_eq!(steps, ["v1 → v2: cents_of_units", "v2 → v3: DepositedV2"]);
/// ```
///
/// The step at `N` leads from version `N` to the next. Functions have one of the forms of `Step`; a type has `Upcast`,
/// and is upcast into the type at the next step, or into the event after the last. After a type may come a function: then
/// what the type is upcast into has `Serialize`. There is a step for every version from 1 on, which is checked while the
/// program is compiled; so every event that was ever stored can be read. A step leads one version up or, in `from`, from
/// one stored name to another that is an event type: there is no way to write a circle.
///
/// # Names
///
/// An event type that gets another stored name keeps the one it had as `alias`: the versions are those of the new name.
///
/// Where events are split, or several event types become one, each type that stored events of another name become says
/// how they do with `from`. Its steps are those of the *other* name, from its version 1 on; the last leads to version
/// `into` of this type, from where its own steps go on. `into` may be left out where there is only version 1.
///
/// ```
/// use cqrs::{Draft, Event, UpcastError};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Event)]
/// #[event(prefix = "account")]
/// enum AccountEvent {
///     #[event(
///         alias = "account.created",
///         from("account.opened-with-deposit", upcast(1 => owner_alone))
///     )]
///     Opened { owner: String },
///     #[event(from("account.opened-with-deposit", upcast(1 => cents_alone)))]
///     Deposited { cents: u64 },
///     #[event(retired)]
///     Audited { by: String },
/// }
///
/// fn owner_alone(draft: &mut Draft) -> Result<(), UpcastError> {
///     draft.remove("cents")
/// }
///
/// /// A step may also return several drafts, or none.
/// fn cents_alone(mut draft: Draft) -> Result<Vec<Draft>, UpcastError> {
///     draft.remove("owner")?;
///     let cents: u64 = draft.get("cents")?;
///     Ok(if cents == 0 { vec![] } else { vec![draft] })
/// }
///
/// assert!(AccountEvent::knows("account.created"));
/// assert!(AccountEvent::knows("account.opened-with-deposit"));
/// ```
///
/// A reader of both `Opened` and `Deposited` is given both, in order of declaration; a reader of one of them its part.
///
/// A name stands for one thing: it is no alias, and in no `from`, of another event type. Within an enum and among the types
/// that are listed together, anything else does not compile.
///
/// # Versions that are written
///
/// While older programs still run, they can't read what a newer version of an event type looks like. Until all of them are
/// replaced, the new program can go on writing the earlier version:
///
/// ```
/// use cqrs::{Draft, Event, UpcastError};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Event)]
/// #[event(name = "noted", version = 2, upcast(1 => text_of_note))]
/// #[event(write_version = 1, downcast(2 => note_of_text))]
/// struct Noted {
///     text: String,
/// }
///
/// fn text_of_note(draft: &mut Draft) -> Result<(), UpcastError> {
///     draft.rename("note", "text")
/// }
///
/// fn note_of_text(draft: &mut Draft) -> Result<(), UpcastError> {
///     draft.rename("text", "note")
/// }
///
/// let noted = Noted { text: "hello".into() };
/// assert_eq!(noted.event_type().write_version, 1);
/// assert_eq!(noted.encode()?.as_str(), r#"{"note":"hello"}"#);
/// # Ok::<(), cqrs::EncodeError>(())
/// ```
///
/// What is `retired` can't be written at all: emitting a struct that is retired does not compile, emitting a variant that is
/// retired is an error. A struct that is retired needs no `Serialize`.
///
/// # Serde
///
/// On structs, fields and the contents of variants every attribute of serde may be used. On an enum those are refused
/// that change how variants are told apart (`tag`, `content`, `untagged`), that put another type in the place of the
/// enum (`from`, `into` and the like), or that leave out a variant (`skip`, `other`).
#[proc_macro_derive(Event, attributes(event))]
pub fn derive_event(input: TokenStream) -> TokenStream {
    event::derive(&parse_macro_input!(input as DeriveInput)).into()
}

/// Makes a type the shape of an earlier version of an event, which knows what becomes of it in the next.
///
/// ```
/// use cqrs::{Event, Upcast};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Event)]
/// #[event(name = "account.renamed", version = 3, upcast(1 => type RenamedV1, 2 => type RenamedV2))]
/// struct Renamed {
///     first: String,
///     last: String,
/// }
///
/// /// Version 1 was the name alone.
/// #[derive(Deserialize, Upcast)]
/// #[upcast(into = RenamedV2)]
/// struct RenamedV1(String);
///
/// impl From<RenamedV1> for RenamedV2 {
///     fn from(old: RenamedV1) -> Self {
///         Self { name: old.0 }
///     }
/// }
///
/// #[derive(Deserialize, Upcast)]
/// #[upcast(try_into = Renamed)]
/// struct RenamedV2 {
///     name: String,
/// }
///
/// impl TryFrom<RenamedV2> for Renamed {
///     type Error = &'static str;
///
///     fn try_from(old: RenamedV2) -> Result<Self, &'static str> {
///         let (first, last) = old.name.split_once(' ').ok_or("it has no last name")?;
///         Ok(Self { first: first.into(), last: last.into() })
///     }
/// }
/// ```
///
/// # Options
///
/// | option | meaning |
/// |---|---|
/// | `into = Type` | what it becomes: the shape of the next version, or the event; there is an `impl From` |
/// | `try_into = Type` | the same with an `impl TryFrom`, whose error can be made a `BoxError`: a text is one |
/// | `crate = path` | where the framework is, if not at `::cqrs` |
///
/// One of `into` and `try_into` must be there. With `Option<Type>` it becomes one or none, with `Vec<Type>` any number; the
/// conversion is then one into the `Option` or the `Vec`. The shape of a variant is upcast into the enum, and may become
/// whichever variant.
///
/// Derive `Deserialize` beside it. It reads the payload: of a struct what serde wrote, of a variant its content alone. The
/// payload of an event without fields is read by a struct with braces, `struct ClosedV1 {}`.
///
/// A shape that needs more than itself, such as the time of the event, has an `impl Upcast` by hand.
#[proc_macro_derive(Upcast, attributes(upcast))]
pub fn derive_upcast(input: TokenStream) -> TokenStream {
    upcast::derive(&parse_macro_input!(input as DeriveInput)).into()
}

/// Makes a type an aggregate: state that is rebuilt from events and decides on commands.
///
/// ```
/// use cqrs::{Aggregate, Apply, Event};
///
/// #[derive(Event)]
/// #[event(name = "door.opened")]
/// struct Opened;
///
/// #[derive(Event)]
/// #[event(name = "door.closed")]
/// struct Closed;
///
/// #[derive(Default, Aggregate)]
/// #[aggregate(category = "door", events(Opened, Closed))]
/// struct Door {
///     open: bool,
/// }
///
/// impl Apply<Opened> for Door {
///     fn apply(&mut self, _: Opened) {
///         self.open = true;
///     }
/// }
///
/// impl Apply<Closed> for Door {
///     fn apply(&mut self, _: Closed) {
///         self.open = false;
///     }
/// }
///
/// let mut door = Door::default();
/// door.dispatch(Opened.into());
/// assert!(door.open);
/// ```
///
/// # Options
///
/// | option | meaning |
/// |---|---|
/// | `events(A, B, …)` | the types of its events, each a struct or an enum, from any crate; for each there is an `impl Apply` |
/// | `category = "…"` | what the names of its streams begin with; by default the type's name in snake case |
/// | `error = Type` | why a command is refused; by default [`Infallible`](std::convert::Infallible) |
/// | `cache = N` | how many of them a bus keeps in memory; by default none |
/// | `snapshot` | a snapshot every 100 events |
/// | `snapshot(every = N)` | a snapshot every so many events |
/// | `snapshot(replay_ms = N)` | a snapshot when loading took longer than so many milliseconds |
/// | `ignore("…", …)` | stored names of event types in its streams that mean nothing to it any more; events of all others it does not know are errors |
/// | `snapshot(…, version = N)` | another number makes older snapshots void: raise it with every change of what `apply` does, and of types inside the state |
/// | `crate = path` | where the framework is, if not at `::cqrs` |
///
/// With one listed type, that is `Aggregate::Event`; with several, it is a generated type that each of them converts
/// into. Two listed types with the same stored name do not compile, be it that of now or an alias.
///
/// A snapshot needs `PartialEq`, `Serialize` and `Deserialize` on the state. It is used only while names, types and
/// serde attributes of the fields stay as they are.
///
/// An aggregate with type parameters can list several types with up to 256 event types together, and is checked for
/// missing `Apply` where it is used.
#[proc_macro_derive(Aggregate, attributes(aggregate))]
pub fn derive_aggregate(input: TokenStream) -> TokenStream {
    aggregate::derive(&parse_macro_input!(input as DeriveInput)).into()
}

/// Makes a type a command: of an aggregate, or of a command handler.
///
/// ```
/// use cqrs::Command;
/// # use cqrs::{Aggregate, Apply, Decision, Event, Handle, emit};
/// # #[derive(Event)]
/// # struct Opened;
/// # #[derive(Default, Aggregate)]
/// # #[aggregate(events(Opened))]
/// # struct Account;
/// # impl Apply<Opened> for Account {
/// #     fn apply(&mut self, _: Opened) {}
/// # }
/// # impl Handle<Open> for Account {
/// #     fn handle(&self, _: Open) -> Decision<Self> { emit(Opened) }
/// # }
///
/// // `Account` decides on it, in the stream named by the field `account`.
/// #[derive(Clone, Command)]
/// #[command(aggregate = Account, id = account)]
/// struct Open {
///     account: u64,
/// }
///
/// // A `CommandHandler` carries it out.
/// #[derive(Clone, Command)]
/// #[command(outcome = u64)]
/// struct CloseAll;
///
/// assert_eq!(Open::NAME, "Open");
/// ```
///
/// # Options
///
/// | option | meaning |
/// |---|---|
/// | `aggregate = Type` | the aggregate that decides on it through `Handle` |
/// | `id = field` | the field with the key of the aggregate, by name or by index; in an enum every variant has it, of one type |
/// | `outcome = Type` | without an aggregate: what comes of it; by default `()` |
/// | `error = Type` | without an aggregate: why it is refused; by default [`Infallible`](std::convert::Infallible) |
/// | `likely_new` | the aggregate most likely has no events yet; on a struct, or on a variant; see below |
/// | `name = "…"` | its name in traces, metrics and errors; by default that of the type |
/// | `crate = path` | where the framework is, if not at `::cqrs` |
///
/// Either `aggregate` and `id`, or one of `outcome` and `error`, must be there.
///
/// # Commands to new aggregates
///
/// `likely_new` on the command that opens an account saves reading a stream that is empty: the command is decided on as if
/// there were no events, and what comes of it is appended. It changes what a command costs, and never what comes of it: where
/// there are events, the append does not pass, and a refusal is not believed; the stream is read, and the command is decided
/// on again. That an account may not be opened twice is for `handle` to say, with or without `likely_new`. Commands with an
/// idempotency key or an expected version read the stream all the same.
///
/// ```
/// # use cqrs::{Aggregate, AggregateCommand, Apply, Command, Decision, Event, Handle, emit};
/// # #[derive(Event)]
/// # struct Opened;
/// # #[derive(Default, Aggregate)]
/// # #[aggregate(events(Opened))]
/// # struct Account;
/// # impl Apply<Opened> for Account {
/// #     fn apply(&mut self, _: Opened) {}
/// # }
/// # impl Handle<Open> for Account {
/// #     fn handle(&self, _: Open) -> Decision<Self> { emit(Opened) }
/// # }
/// #[derive(Clone, Command)]
/// #[command(aggregate = Account, id = account, likely_new)]
/// struct Open {
///     account: u64,
/// }
///
/// assert!(Open { account: 1 }.is_likely_new());
/// ```
///
/// # Names
///
/// The name of an enum is followed by that of the variant, as in `AccountCommand::Open`. Names have at most 128 bytes:
/// ASCII letters, digits, `_`, `-` and `.`.
///
/// A command that is sent again under the same idempotency key is known by its name. So keep the name when a type or a
/// variant gets another one in Rust, with `name` on the type or on the variant:
///
/// ```
/// # use cqrs::Command;
/// #[derive(Clone, Command)]
/// #[command(outcome = u64, name = "AccountCommand")]
/// enum Administer {
///     #[command(name = "Close")]
///     Terminate,
/// }
///
/// assert_eq!(Administer::Terminate.name(), "AccountCommand::Close");
/// ```
#[proc_macro_derive(Command, attributes(command))]
pub fn derive_command(input: TokenStream) -> TokenStream {
    command::derive(&parse_macro_input!(input as DeriveInput)).into()
}

/// Makes a type a query.
///
/// ```
/// use cqrs::Query;
///
/// #[derive(Clone, Query)]
/// #[query(output = Option<u64>)]
/// struct Balance {
///     account: u64,
/// }
///
/// assert_eq!(Balance::NAME, "Balance");
/// ```
///
/// # Options
///
/// | option | meaning |
/// |---|---|
/// | `output = Type` | the answer; must be there |
/// | `error = Type` | why there is none; by default [`Infallible`](std::convert::Infallible) |
/// | `name = "…"` | its name in traces, metrics and errors; by default that of the type |
/// | `crate = path` | where the framework is, if not at `::cqrs` |
#[proc_macro_derive(Query, attributes(query))]
pub fn derive_query(input: TokenStream) -> TokenStream {
    query::derive(&parse_macro_input!(input as DeriveInput)).into()
}

/// Makes a type a projection, which keeps a read model up to date from events.
///
/// ```
/// use cqrs::{BoxError, Event, MemoryModel, MemoryTransaction, Project, Projection, Received};
///
/// #[derive(Event)]
/// #[event(name = "door.opened")]
/// struct Opened;
///
/// #[derive(Event)]
/// #[event(name = "door.closed")]
/// struct Closed;
///
/// /// How many doors are open.
/// #[derive(Projection)]
/// #[projection(name = "open_doors", model = MemoryModel<u64>, events(Opened, Closed))]
/// struct OpenDoors;
///
/// impl Project<Opened> for OpenDoors {
///     async fn project(
///         &self,
///         _: Opened,
///         _: &Received<'_>,
///         open: &mut MemoryTransaction<u64>,
///     ) -> Result<(), BoxError> {
///         open.value += 1;
///         Ok(())
///     }
/// }
///
/// impl Project<Closed> for OpenDoors {
///     async fn project(
///         &self,
///         _: Closed,
///         _: &Received<'_>,
///         open: &mut MemoryTransaction<u64>,
///     ) -> Result<(), BoxError> {
///         open.value -= 1;
///         Ok(())
///     }
/// }
///
/// assert_eq!(OpenDoors::NAME, "open_doors");
/// assert!(<OpenDoors as Projection>::Event::knows("door.closed"));
/// ```
///
/// # Options
///
/// | option | meaning |
/// |---|---|
/// | `model = Type` | where its rows are, a `ReadModel`; must be there |
/// | `events(A, B, …)` | the types of the events it wants, each a struct or an enum, from any crate; for each there is an `impl Project` |
/// | `name = "…"` | the name of its checkpoint; by default the type's name in snake case |
/// | `version = N` | raise it with every change of what `project` does with events, from 1 on; by default 1 |
/// | `tables = "…"` | the SQL that makes its tables, a text or a constant such as `include_str!("balances.sql")`; by default none |
/// | `crate = path` | where the framework is, if not at `::cqrs` |
///
/// With `tables`, its tables are made together with its first checkpoint, and another version can be built beside the one
/// in service; so the SQL makes tables and indexes and nothing else, under names that are not qualified. Without it, the
/// application makes the tables itself.
///
/// The name has at most 128 bytes: ASCII letters, digits, `_`, `-` and `.`. With `name` given, renaming the type leaves
/// the projection its checkpoint; under another name it begins at the first event.
///
/// With one listed type, that is `Projection::Event`; with several, it is a generated type that each of them converts
/// into. Two listed types with the same stored name do not compile.
///
/// Where a projection has type parameters, the bounds of its `impl Project`s stand at the type as well. It can list
/// several types with up to 256 event types together.
#[proc_macro_derive(Projection, attributes(projection))]
pub fn derive_projection(input: TokenStream) -> TokenStream {
    projection::derive(&parse_macro_input!(input as DeriveInput)).into()
}

/// Makes a struct a view: a row of a read model that is folded from events, without SQL.
///
/// ```
/// use cqrs::{BoxError, Event, Fold, Received, View};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Event)]
/// enum AccountEvent {
///     Opened { owner: String },
///     Deposited(u64),
/// }
///
/// #[derive(Event)]
/// #[event(name = "account.closed")]
/// struct Closed;
///
/// /// What is in an account.
/// #[derive(Clone, View)]
/// #[view(name = "balances", key(account), index(owner), events(AccountEvent, Closed))]
/// struct Balance {
///     account: String,
///     owner: Option<String>,
///     cents: u64,
///     #[view(json)]
///     deposits: Vec<u64>,
/// }
///
/// impl Fold<AccountEvent> for Balance {
///     fn rows(_: &AccountEvent, received: &Received<'_>) -> impl IntoIterator<Item = String> {
///         [received.stream.key().to_owned()]
///     }
///
///     fn fold(
///         row: &mut Option<Self>,
///         account: &String,
///         event: &AccountEvent,
///         _: &Received<'_>,
///     ) -> Result<(), BoxError> {
///         let balance = row.get_or_insert_with(|| Self {
///             account: account.clone(),
///             owner: None,
///             cents: 0,
///             deposits: Vec::new(),
///         });
///         match event {
///             AccountEvent::Opened { owner } => balance.owner = Some(owner.clone()),
///             AccountEvent::Deposited(cents) => {
///                 balance.cents += cents;
///                 balance.deposits.push(*cents);
///             }
///         }
///         Ok(())
///     }
/// }
///
/// impl Fold<Closed> for Balance {
///     fn rows(_: &Closed, received: &Received<'_>) -> impl IntoIterator<Item = String> {
///         [received.stream.key().to_owned()]
///     }
///
///     fn fold(
///         row: &mut Option<Self>,
///         _: &String,
///         _: &Closed,
///         _: &Received<'_>,
///     ) -> Result<(), BoxError> {
///         *row = None;
///         Ok(())
///     }
/// }
///
/// let columns: Vec<_> = Balance::TABLE.columns.iter().map(|column| column.name).collect();
/// assert_eq!(columns, ["account", "owner", "cents", "deposits"]);
/// assert!(<Balance as View>::Event::knows("account.closed"));
/// ```
///
/// Each field is a column of the table. Its type is a `Column`: text, a number, `bool`, a UUID, a time, an `Option` of one
/// of these, or a type of yours that implements the trait.
///
/// # Options
///
/// | where | option | meaning |
/// |---|---|---|
/// | struct | `key(field)`, `key(a, b)` | the fields that tell rows apart, the primary key; must be there. `Key` is the type of the one field, or a tuple |
/// | struct | `events(A, B, …)` | the types of the events it wants, each a struct or an enum, from any crate; for each there is an `impl Fold` |
/// | struct | `name = "…"` | the name of its checkpoint; by default the type's name in snake case |
/// | struct | `version = N` | raise it with every change of columns, and of what `fold` does with events, from 1 on; by default 1 |
/// | struct | `table = "…"` | the name of the table; by default that of the checkpoint |
/// | struct | `index(field)`, `index(a, b)` | an index over these columns; may be repeated |
/// | struct | `document` | the table has the columns of the key, and one column `document` with the whole row in JSON |
/// | struct | `crate = path` | where the framework is, if not at `::cqrs` |
/// | field | `json` | the column holds what serde writes, in JSON |
/// | field | `column = "…"` | the name of the column; by default that of the field |
///
/// `key = field` and `key = (a, b)` mean the same, and so do `index = field` and `index = (a, b)`. A field in two indexes
/// is best written so: clippy's `duplicated_attributes` takes it for a slip in `index(a, b), index(b)`.
///
/// A field of the key is no `Option`, no floating-point number, and not stored as JSON; its type has an order. What is
/// stored as JSON has no index. `json` needs `Serialize` and `Deserialize` on the type of the field, `document` needs them
/// on the struct.
///
/// The name has at most 128 bytes: ASCII letters, digits, `_`, `-` and `.`. Names of the table and of columns have at most
/// 63 bytes, no quotes, dots or control characters, and do not begin with `cqrs_`, `sqlite_` or `pg_`. They are taken as
/// they are written, with the case of their letters.
///
/// With one listed type, that is `View::Event`; with several, it is a generated type that each of them converts into.
/// Two listed types with the same stored name do not compile.
///
/// Where a view has type parameters, the bounds of its `impl Fold`s stand at the type as well. It can list several types
/// with up to 256 event types together.
#[proc_macro_derive(View, attributes(view))]
pub fn derive_view(input: TokenStream) -> TokenStream {
    view::derive(&parse_macro_input!(input as DeriveInput)).into()
}

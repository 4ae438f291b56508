//! Derive macros of the `cqrs` framework: `Event`, `Aggregate`, `Command`, `Query` and `Projection`.
//!
//! Use them through the facade `cqrs`, with its feature `derive`. Each reads its type, checks it and writes impls that
//! name everything by its whole path. All mistakes of a type are reported at once, each where it was made.

mod aggregate;
mod attr;
mod command;
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
///     #[event(version = 2)]
///     Deposited(u64),                   // account.deposited, in its second schema
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
/// | struct, variant | `version = N` | the version of the schema that this program writes and reads, from 1 on; by default 1 |
/// | struct, enum | `crate = path` | where the framework is, if not at `::cqrs` |
///
/// Stored names have at most 128 bytes: ASCII letters, digits, `_`, `-` and `.`. They outlive the program that wrote
/// them, so write down those that matter: with `name` and `prefix` given, renaming a type renames nothing stored.
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
/// | `snapshot(every = N)` | a snapshot every so many events |
/// | `snapshot(replay_ms = N)` | a snapshot when loading took longer than so many milliseconds |
/// | `snapshot(…, version = N)` | another number makes older snapshots void: raise it with every change of what `apply` does, and of types inside the state |
/// | `crate = path` | where the framework is, if not at `::cqrs` |
///
/// With one listed type, that is `Aggregate::Event`; with several, it is a generated type that each of them converts
/// into. Two listed types with the same stored name do not compile.
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
/// | `name = "…"` | its name in traces, metrics and errors; by default that of the type |
/// | `crate = path` | where the framework is, if not at `::cqrs` |
///
/// Either `aggregate` and `id`, or one of `outcome` and `error`, must be there.
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
/// use cqrs::{BoxError, Event, MemoryModel, MemoryTransaction, Project, Projection, RecordedEvent};
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
///         _: &RecordedEvent,
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
///         _: &RecordedEvent,
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
/// | `crate = path` | where the framework is, if not at `::cqrs` |
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

//! Aggregates: what decides on commands and is rebuilt from its events.

mod cached;
mod events;
mod snapshots;

pub use self::cached::Cached;
pub use self::events::{Events, IntoEvents};
pub use self::snapshots::Snapshots;
use crate::event::Event;

/// State that decides on commands, rebuilt by applying its events in order. Derive it.
///
/// `Default` is the state before the first event.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an aggregate",
    label = "not an aggregate",
    note = "add `#[derive(Default, Aggregate)]` and `#[aggregate(category = \"…\", events(…))]` to `{Self}`"
)]
pub trait Aggregate: Default + Send + Sync + 'static {
    /// The category of the streams that hold these aggregates.
    const CATEGORY: &'static str;

    /// All events of the aggregate: the one type listed in `events(…)`, or an enum generated over several.
    type Event: Event;

    /// Stored names of event types in its streams that no longer mean anything to it. Their events are passed over; all
    /// others it does not know are errors (G11).
    const IGNORED: &'static [&'static str] = &[];

    /// Why a command is refused.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Applies an event through the [`Apply`] implementation of its type.
    fn dispatch(&mut self, event: Self::Event);

    /// Whether and when snapshots are taken.
    fn snapshots() -> Option<Snapshots<Self>> {
        None
    }

    /// Whether and how many aggregates a bus keeps in memory.
    fn cache() -> Option<Cached<Self>> {
        None
    }
}

/// Changes the state by an event that has happened. It can't fail: what may be refused is refused in [`Handle`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not apply `{E}`",
    label = "`impl Apply<{E}> for {Self}` is missing",
    note = "`events(…)` lists `{E}`: write `impl Apply<{E}> for {Self} {{ fn apply(&mut self, event: {E}) {{ … }} }}`"
)]
pub trait Apply<E> {
    /// Changes the state by `event`.
    fn apply(&mut self, event: E);
}

/// Decides on a command: which events happen, or why it is refused.
///
/// Pure and synchronous: it changes nothing and asks nobody, so that it may run again after a conflict.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not handle the command `{C}`",
    label = "`impl Handle<{C}> for {Self}` is missing",
    note = "write `impl Handle<{C}> for {Self} {{ fn handle(&self, command: {C}) -> Decision<Self> {{ emit(…) }} }}`"
)]
pub trait Handle<C>: Aggregate {
    /// Decides on `command` in the current state; ends with [`emit`] or with an error.
    ///
    /// # Errors
    /// When the command is refused.
    fn handle(&self, command: C) -> Decision<Self>;
}

/// The outcome of deciding on a command: the events that happen, or why none do.
pub type Decision<A> = Result<Events<A>, <A as Aggregate>::Error>;

/// Decides that these events happen: one event, a tuple, an array, a `Vec` or an `Option` of events, or `()` for none.
///
/// # Errors
/// Never; the result is that of [`Handle::handle`].
pub fn emit<A: Aggregate>(events: impl IntoEvents<A>) -> Decision<A> {
    let mut list = Events::none();
    events.add_to(&mut list);
    Ok(list)
}

/// Goes on only if `condition` holds.
///
/// ```
/// # use cqrs_core::ensure;
/// # fn withdraw(balance: u64, cents: u64) -> Result<(), &'static str> {
/// ensure(balance >= cents, "insufficient funds")?;
/// # Ok(())
/// # }
/// # assert!(withdraw(1, 2).is_err() && withdraw(2, 1).is_ok());
/// ```
///
/// # Errors
/// `refusal`, if `condition` does not hold.
#[inline]
pub fn ensure<E>(condition: bool, refusal: E) -> Result<(), E> {
    if condition { Ok(()) } else { Err(refusal) }
}

//! Projections: read models kept up to date from the log by handlers, each event exactly once (G7).

use std::future::Future;
use std::ops::Deref;

use crate::event::{Event, RecordedEvent};
use crate::read_model::ReadModel;
use crate::store::BoxError;

/// The transaction of a projection's read model.
pub type Transaction<P> = <<P as Projection>::Model as ReadModel>::Transaction;

/// Keeps a read model up to date from events. Derive it.
///
/// Where the rows can be told from the events alone, a [`View`](crate::View) is less to write, and faster.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a projection",
    label = "not a projection",
    note = "add `#[derive(Projection)]` and `#[projection(model = …, events(…))]` to `{Self}`"
)]
pub trait Projection: Send + Sync + 'static {
    /// The name under which its checkpoint is kept. It never changes once there is one.
    const NAME: &'static str;

    /// Changes with what the projection does with events. A projection does not go on from the checkpoint of another
    /// version.
    const VERSION: u32;

    /// The SQL that makes its tables and their indexes, and nothing else; names are not qualified. It is carried out
    /// once, together with the first checkpoint. Without it, the application makes the tables, and the projection can't
    /// be built anew beside the version in service.
    const TABLES: &'static str;

    /// All events it wants: the one type listed in `events(…)`, or an enum generated over several.
    type Event: Event;

    /// Where its rows are.
    type Model: ReadModel;

    /// Takes an event through the [`Project`] implementation of its type.
    fn dispatch(
        &self,
        event: Self::Event,
        received: &Received<'_>,
        transaction: &mut Transaction<Self>,
    ) -> impl Future<Output = Result<(), BoxError>> + Send;
}

/// Changes the read model by an event.
///
/// The rows and the checkpoint are committed together, so that each event counts exactly once. A batch of events
/// shares a transaction. When it can't be committed, the events of the batch come again: whatever is done outside the
/// transaction may happen more than once.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not project `{E}`",
    label = "`impl Project<{E}> for {Self}` is missing",
    note = "`events(…)` lists `{E}`: write `impl Project<{E}> for {Self}` with `async fn project(&self, event: {E}, \
            received: &Received<'_>, transaction: &mut …) -> Result<(), BoxError>`"
)]
pub trait Project<E>: Projection {
    /// Changes the read model by `event`, within `transaction`. `received` is the event as it is stored: its stream,
    /// position, time and metadata.
    ///
    /// # Errors
    /// What is returned here is tried again, and parks the stream of the event if it does not pass (G8).
    fn project(
        &self,
        event: E,
        received: &Received<'_>,
        transaction: &mut Transaction<Self>,
    ) -> impl Future<Output = Result<(), BoxError>> + Send;
}

/// An event as a projection gets it: a [`RecordedEvent`], and whether it is history.
#[derive(Debug, Clone, Copy)]
pub struct Received<'e> {
    recorded: &'e RecordedEvent,
    is_replay: bool,
}

impl<'e> Received<'e> {
    /// An event that comes for the first time, or as history.
    pub fn new(recorded: &'e RecordedEvent, is_replay: bool) -> Self {
        Self { recorded, is_replay }
    }

    /// The event as it is stored.
    pub fn recorded(&self) -> &'e RecordedEvent {
        self.recorded
    }

    /// Whether the event was stored before this version of the projection began, so that it comes to build rows from what
    /// is over: whoever sends mail leaves it out. All others come once they are appended, and again only when they could
    /// not be committed, or when the streams they were parked with are replayed.
    pub fn is_replay(&self) -> bool {
        self.is_replay
    }
}

impl Deref for Received<'_> {
    type Target = RecordedEvent;

    fn deref(&self) -> &RecordedEvent {
        self.recorded
    }
}

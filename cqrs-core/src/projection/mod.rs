//! Projections: read models kept up to date from the log, each event exactly once (G7).

mod apply;
mod memory;
mod model;
mod runner;
mod status;
mod worker;

use std::future::Future;

pub use self::memory::{MemoryModel, MemoryTransaction};
pub use self::model::{Acquired, Checkpoint, Lease, Parked, ProjectionId, ReadModel};
pub use self::runner::{NotYet, ParkedError, Progress, Projector, Running};
pub use self::status::{Phase, Status, Stopped, Target};
use crate::event::{Event, RecordedEvent};
use crate::store::BoxError;

/// The transaction of a projection's read model.
pub type Transaction<P> = <<P as Projection>::Model as ReadModel>::Transaction;

/// Keeps a read model up to date from events. Derive it.
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

    /// All events it wants: the one type listed in `events(…)`, or an enum generated over several.
    type Event: Event;

    /// Where its rows are.
    type Model: ReadModel;

    /// Takes an event through the [`Project`] implementation of its type.
    fn dispatch(
        &self,
        event: Self::Event,
        recorded: &RecordedEvent,
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
            recorded: &RecordedEvent, transaction: &mut …) -> Result<(), BoxError>`"
)]
pub trait Project<E>: Projection {
    /// Changes the read model by `event`, within `transaction`. `recorded` is the event as it is stored: its stream,
    /// position, time and metadata.
    ///
    /// # Errors
    /// What is returned here is tried again, and parks the stream of the event if it does not pass (G8).
    fn project(
        &self,
        event: E,
        recorded: &RecordedEvent,
        transaction: &mut Transaction<Self>,
    ) -> impl Future<Output = Result<(), BoxError>> + Send;
}

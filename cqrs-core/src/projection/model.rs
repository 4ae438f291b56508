//! The port to the database of a read model: rows, checkpoint, lease and parked streams in one transaction.

use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use super::Projection;
use crate::event::Event as _;
use crate::store::{BoxError, StoreError};
use crate::stream::StreamId;
use crate::version::{Position, Version};

/// What a checkpoint belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectionId {
    /// The name of the projection.
    pub name: &'static str,
    /// The version of what it does with events.
    pub version: u32,
    /// The names of the event types it wants, sorted and separated by spaces.
    pub events: String,
}

impl ProjectionId {
    /// The identity of this projection.
    pub fn of<P: Projection>() -> Self {
        let mut names: Vec<&str> =
            P::Event::TYPES.iter().map(|event_type| event_type.name).collect();
        names.sort_unstable();
        Self { name: P::NAME, version: P::VERSION, events: names.join(" ") }
    }
}

/// The right to move a checkpoint, until it runs out or someone else has taken it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Rises with every change of owner: a commit under an older token is refused (G7).
    pub token: i64,
    /// How far the read model has come.
    pub position: Position,
}

/// What came of asking for a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acquired {
    /// It is ours.
    Lease(Lease),
    /// Someone else has it.
    HeldBy {
        /// Who.
        owner: Uuid,
    },
    /// The checkpoint is that of another version of the projection, or of one that wants other events.
    Changed {
        /// What the checkpoint belongs to.
        version: u32,
        /// The event types it was made from.
        events: String,
    },
}

/// A checkpoint as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The name of the projection.
    pub projection: String,
    /// The version of the projection.
    pub version: u32,
    /// How far it has come.
    pub position: Position,
    /// Who moves it, if anyone does at the moment.
    pub owner: Option<Uuid>,
}

/// A stream whose events wait, because one of them failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// The stream.
    pub stream: StreamId,
    /// The version of the event that failed; it and all later ones wait.
    pub version: Version,
    /// The position of that event.
    pub position: Position,
    /// The type of that event.
    pub event_type: String,
    /// How many times it was tried.
    pub attempts: u32,
    /// How it failed the last time.
    pub error: String,
}

/// The database of read models.
///
/// A checkpoint never goes back: a position below the one that is stored changes nothing. A lease that was given back is
/// as void as one that was taken over.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a read model",
    label = "not a read model",
    note = "use `SqliteModel`, `PostgresModel` or `MemoryModel<…>`, or implement `ReadModel`"
)]
#[async_trait]
pub trait ReadModel: Send + Sync + 'static {
    /// A transaction, in which a projection changes its rows.
    type Transaction: Send;

    /// Asks for the lease of a projection, for so long; makes a checkpoint at the beginning of the log if there is none.
    ///
    /// A lease that has run out, or that `owner` holds itself, is taken with a new token.
    ///
    /// # Errors
    /// When the database fails.
    async fn acquire(
        &self,
        projection: &ProjectionId,
        owner: Uuid,
        time: Duration,
    ) -> Result<Acquired, StoreError>;

    /// Prolongs a lease and remembers how far the log was read, when there was nothing to commit; false if the lease
    /// is no longer ours.
    ///
    /// # Errors
    /// When the database fails.
    async fn renew(
        &self,
        projection: &ProjectionId,
        lease: Lease,
        time: Duration,
    ) -> Result<bool, StoreError>;

    /// Gives a lease back.
    ///
    /// # Errors
    /// When the database fails; the lease then runs out by itself.
    async fn release(&self, projection: &ProjectionId, lease: Lease) -> Result<(), StoreError>;

    /// Begins a transaction. Dropped without a commit, it is rolled back.
    ///
    /// # Errors
    /// When the database fails.
    async fn begin(&self) -> Result<Self::Transaction, StoreError>;

    /// Moves the checkpoint to `lease.position`, prolongs the lease, and commits; false, with nothing committed, if the
    /// lease is no longer ours (G7).
    ///
    /// # Errors
    /// When the database fails. It may then be unknown whether it is committed: the lease has to be acquired anew,
    /// which tells.
    async fn commit(
        &self,
        transaction: Self::Transaction,
        projection: &ProjectionId,
        lease: Lease,
        time: Duration,
    ) -> Result<bool, StoreError>;

    /// Parks a stream, or notes another failure of one that is parked, within a transaction.
    ///
    /// # Errors
    /// When the database fails.
    async fn park(
        &self,
        transaction: &mut Self::Transaction,
        projection: &ProjectionId,
        parked: &Parked,
    ) -> Result<(), StoreError>;

    /// Takes a stream out of the parked ones, within a transaction.
    ///
    /// # Errors
    /// When the database fails.
    async fn unpark(
        &self,
        transaction: &mut Self::Transaction,
        projection: &ProjectionId,
        stream: &StreamId,
    ) -> Result<(), StoreError>;

    /// Whether a handler failed because the database is not there for it, which is not the fault of the event: such an
    /// event is tried until it passes and never parked. An error of a store that [may pass](StoreError::may_retry) is one;
    /// a read model knows those of its own database.
    fn is_outage(&self, error: &BoxError) -> bool {
        error.downcast_ref::<StoreError>().is_some_and(StoreError::may_retry)
    }

    /// The streams of a projection that are parked.
    ///
    /// # Errors
    /// When the database fails.
    async fn parked(&self, projection: &str) -> Result<Vec<Parked>, StoreError>;

    /// The checkpoints of all projections.
    ///
    /// # Errors
    /// When the database fails.
    async fn checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError>;
}

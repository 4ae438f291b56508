//! The port to the database of read models: rows, checkpoints, leases and parked streams in one transaction.
//!
//! [`MemoryModel`] is the readable reference. A read model of your own implements [`ReadModel`] and [`Maintain`], and
//! runs the conformance suite of `cqrs-testkit`.

mod identity;
mod lease;
mod maintain;
mod memory;
mod parked;
mod slot;
mod state;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

pub(crate) use self::identity::added;
pub use self::identity::{Opened, ProjectionId, Setup};
pub use self::lease::{Commit, Lease, Member, Share};
pub use self::maintain::{Maintain, PutInService};
pub use self::memory::{MemoryModel, MemoryTransaction};
pub use self::parked::{Parked, ParkedRequest};
pub use self::slot::slot_of;
pub use self::state::{ProjectionState, SlotState};
use crate::store::{BoxError, StoreError};
use crate::stream::StreamId;
use crate::version::Position;

/// The database of read models, as those see it who run projections.
///
/// # Versions
/// A projection has a name and a version. One version is *in service*: its rows are where queries look for them. Each
/// other version has its rows in a place of its own *beside* the live ones: a version that is being built, or one that
/// was in service before and may be put back.
///
/// # Slots
/// The streams of a version are divided into slots (see [`slot_of`]). Each slot has a checkpoint and a lease of its own;
/// the members, which are workers in any number of processes, share the slots among them.
///
/// A checkpoint never goes back: a position below the one that is stored changes nothing. A lease that was given back is
/// as void as one that was taken over.
///
/// Clones are handles to the same database.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a read model",
    label = "not a read model",
    note = "use `SqliteModel`, `PostgresModel` or `MemoryModel<…>`, or implement `ReadModel`"
)]
#[async_trait]
pub trait ReadModel: Maintain + Clone {
    /// A transaction, in which a projection changes its rows.
    type Transaction: Send;

    /// Finds the checkpoints of this version, or makes them at the beginning of the log, together with its tables: in
    /// service where no version of the projection is, else beside the one that is, if [`Setup::beside`] allows it.
    ///
    /// # Errors
    /// When the database fails, or when one of the tables to be made exists already and belongs to something else.
    async fn open(
        &self,
        projection: &ProjectionId,
        setup: &Setup<'_>,
    ) -> Result<Opened, StoreError>;

    /// Has a version go on as it is, and from where it is, with the events of `projection` in place of `events_before`,
    /// which are fewer. True if that is done; false, with nothing changed, if it is not `events_before` that the version
    /// is made from, or a checkpoint is beyond `through`, or there is no such version.
    ///
    /// The caller has found that none of the events which come in addition is in the log at or before `through`. Those
    /// who move checkpoints meanwhile, for the fewer events, may pass one that is behind it: hence the condition. It
    /// is decided in the transaction that makes all leases void and leaves the version without members, so that from
    /// then on only those share and commit who want all of the events.
    ///
    /// It is one transaction, as durable as the database commits; when the future is dropped, it is done or not.
    /// Positions, rows and parked streams stay, and so does a [rescale](Maintain::rescale) that is under way.
    ///
    /// # Errors
    /// When the database fails. It may then be done all the same: [`open`](Self::open) tells.
    async fn adopt(
        &self,
        projection: &ProjectionId,
        events_before: &str,
        through: Position,
    ) -> Result<bool, StoreError>;

    /// The read model whose transactions change the rows of a version that is beside the one in service. Leases,
    /// checkpoints and everything else are the same through both.
    ///
    /// # Errors
    /// When the database fails, or there is no such version beside.
    async fn beside(&self, projection: &ProjectionId) -> Result<Self, StoreError>;

    /// Makes `member` one of those who share the slots for so long, and settles its share: prolongs the leases it has,
    /// stores how far they have come, takes leases that are free or have run out, and gives some back when others have
    /// too few. Nothing, with nothing changed, if there is no such version any more, or it is made from other events than
    /// those of `projection`.
    ///
    /// A member has at most the number of slots divided by the number of members, rounded up. A lease that is taken has a
    /// new token. Of the leases in `member.leases`, those that are not its own any more are missing in the answer.
    ///
    /// While a [rescale](Maintain::rescale) is under way, and all checkpoints stand at its barrier, the slots are divided
    /// anew before they are shared.
    ///
    /// # Errors
    /// When the database fails.
    async fn share(
        &self,
        projection: &ProjectionId,
        member: &Member<'_>,
    ) -> Result<Option<Share>, StoreError>;

    /// Gives the leases of `member` back, after storing how far they have come, and makes it none of those who share. What
    /// keeps it from going on is shown until another has told something else.
    ///
    /// # Errors
    /// When the database fails; the leases then run out by themselves.
    async fn leave(&self, projection: &ProjectionId, member: &Member<'_>)
    -> Result<(), StoreError>;

    /// Prolongs leases while a transaction is open under them; false if one of them is not ours any more. Positions stay.
    ///
    /// # Errors
    /// When the database fails.
    async fn prolong(
        &self,
        projection: &ProjectionId,
        leases: &[Lease],
        time: Duration,
    ) -> Result<bool, StoreError>;

    /// Begins a transaction. Dropped without a commit, it is rolled back.
    ///
    /// # Errors
    /// When the database fails.
    async fn begin(&self) -> Result<Self::Transaction, StoreError>;

    /// Moves the checkpoints to the positions of the leases, prolongs the leases, and commits; false, with nothing
    /// committed, if one of the leases is not ours any more, or commits that its owner knows of are lost (G7).
    ///
    /// # Errors
    /// When the database fails. It may then be unknown whether it is committed: the share has to be settled anew, with
    /// no leases, which tells.
    async fn commit(
        &self,
        transaction: Self::Transaction,
        projection: &ProjectionId,
        commit: &Commit<'_>,
    ) -> Result<bool, StoreError>;

    /// Parks a stream, or notes another failure of one that is parked, within a transaction. Since when it is parked
    /// stays as it was the first time.
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
    /// event is tried until it passes and never parked. An error of a store that [may pass](StoreError::may_retry) is
    /// one; a read model knows those of its own database.
    fn is_outage(&self, error: &BoxError) -> bool {
        error.downcast_ref::<StoreError>().is_some_and(StoreError::may_retry)
    }
}

/// A read model that keeps the rows of a [`View`](crate::View).
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not keep the rows of `{V}`",
    label = "does not keep the rows of `{V}`",
    note = "use `SqliteModel`, `PostgresModel`, or `MemoryView<{V}>`"
)]
#[async_trait]
pub trait Rows<V: crate::View>: ReadModel {
    /// The SQL that makes the table of the view and its indexes; empty where there is no SQL.
    fn tables(&self) -> String;

    /// The rows with these keys, those that exist, in any order.
    ///
    /// # Errors
    /// When the database fails, or a row is not one of the view.
    async fn load(
        &self,
        transaction: &mut Self::Transaction,
        keys: &[V::Key],
    ) -> Result<Vec<V>, StoreError>;

    /// Writes rows, in the place of those with the same keys, and deletes others. No key is in both.
    ///
    /// # Errors
    /// When the database fails, or refuses a value.
    async fn write(
        &self,
        transaction: &mut Self::Transaction,
        written: &[V],
        deleted: &[V::Key],
    ) -> Result<(), BoxError>;

    /// The row with this key that is in service, for queries. For other questions, ask the database.
    ///
    /// # Errors
    /// When the database fails, or the row is not one of the view.
    async fn row(&self, key: &V::Key) -> Result<Option<V>, StoreError>;
}

/// A read model in memory that keeps the rows of a [`View`](crate::View), by key.
pub type MemoryView<V> = MemoryModel<std::collections::BTreeMap<<V as crate::View>::Key, V>>;

impl fmt::Display for ProjectionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` v{}", self.name, self.version)
    }
}

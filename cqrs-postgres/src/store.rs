//! The store and its connections.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use cqrs_core::{
    Append, AppendError, Appended, EventId, EventStore, Gather, Head, LogFilter, LogPage, News,
    Position, RecordedEvent, Snapshot, SnapshotStore, StoreError, StreamId, Version,
    is_end_of_stream,
};
use sqlx::{PgPool, PgTransaction};

use crate::connections::{CALL_TIMEOUT, Connections};
use crate::group::{self, Appends};
use crate::news::{Hints, Timing};
use crate::reads::{self, Read, Reads};
use crate::{PostgresModel, PostgresOptions, append, log, migrate, read, snapshot};

/// Keeps events and snapshots in a Postgres database.
///
/// Clones share their connections. Any number of stores, in any number of processes, may work on one database.
#[derive(Clone)]
pub struct PostgresStore {
    inner: Arc<Inner>,
}

struct Inner {
    connections: Connections,
    appends: Gather<Appends>,
    reads: Gather<Reads>,
    /// A position up to which the log is known to be complete; see `visibility`.
    complete_through: AtomicU64,
    hints: Hints,
}

impl PostgresStore {
    /// Connects to the database this URL names, and creates the schema `cqrs` in it if it is missing.
    ///
    /// # Errors
    /// See [`PostgresOptions::connect`].
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::options(url).connect().await
    }

    /// Begins to connect, with options.
    pub fn options(url: impl Into<String>) -> PostgresOptions {
        PostgresOptions::new(url.into())
    }

    /// A store on connections of your own pool, whose settings stay yours. Creates the schema `cqrs` if it is missing.
    ///
    /// Set [`test_before_acquire(false)`](sqlx::postgres::PgPoolOptions::test_before_acquire) on the pool to save a
    /// round trip with each call: the store replaces dead connections by itself. It looks at each connection it gets from
    /// the pool: a future of yours that was dropped while it began a transaction may have left it open.
    ///
    /// Besides, the store opens up to two connections of its own with the same options, to tell and to hear of appends.
    ///
    /// # Errors
    /// See [`PostgresOptions::connect`].
    pub async fn with_pool(pool: PgPool) -> Result<Self, StoreError> {
        let connections = Connections::of_any(pool, CALL_TIMEOUT);
        let mut connection = connections.get().await?;
        // Dropped in the middle, it may have a transaction open that the pool does not know of.
        connection.close_on_drop();
        migrate::prepare(&mut connection, true, CALL_TIMEOUT).await?;
        Ok(Self::new(connections, true))
    }

    pub(crate) fn new(connections: Connections, group_commit: bool) -> Self {
        Self::with_timing(connections, group_commit, Timing::default())
    }

    pub(crate) fn with_timing(
        connections: Connections,
        group_commit: bool,
        timing: Timing,
    ) -> Self {
        let hints = Hints::new(timing);
        let limits = if group_commit { group::LIMITS } else { group::LIMITS.alone() };
        let appends = Gather::new(Appends(connections.clone()), limits);
        let reads = Gather::new(Reads(connections.clone()), reads::LIMITS);
        let inner =
            Inner { connections, appends, reads, complete_through: AtomicU64::new(0), hints };
        Self { inner: Arc::new(inner) }
    }

    /// Read models in the database of the events, on the connections of the store.
    pub fn model(&self) -> PostgresModel {
        PostgresModel::new(self.connections().clone())
    }

    /// The connections of the store, for statements of your own, such as a transaction to
    /// [`append_in`](Self::append_in).
    ///
    /// Calls of the store that follow each other pass up to four connections on among themselves, for a moment each, as
    /// long as the pool could hand out another; meanwhile these count as in use, and no hook of the pool sees them.
    pub fn pool(&self) -> &PgPool {
        self.connections().pool()
    }

    /// Appends inside a transaction of yours: the events are stored if you commit it, together with what else you do
    /// in it, and never if you roll it back.
    ///
    /// All the guarantees of [`append`](EventStore::append) hold from your commit on. Mind that readers of the log
    /// wait with events that others commit meanwhile until your transaction ends, to show events in order (G5): so
    /// append at its end, and end it soon.
    ///
    /// Nobody tells readers of your commit: they find the events when they next look by themselves, within a quarter
    /// of a second.
    ///
    /// Cancellation: when the future is dropped, roll the transaction back. Whether the events are in it is not known, nor,
    /// where that was while the savepoint of the append was made, whether sqlx has ended it.
    ///
    /// # Errors
    /// After a [`Conflict`](AppendError::Conflict) or a
    /// [`DuplicateEvent`](cqrs_core::StoreErrorKind::DuplicateEvent) the transaction may go on, without the events.
    /// After any other error it can only be rolled back. A [`Busy`](cqrs_core::StoreErrorKind::Busy) one asks to run
    /// the whole transaction again; that is so at the isolation levels `REPEATABLE READ` and `SERIALIZABLE`, which
    /// can't see what another transaction appended meanwhile. A lost connection is
    /// [`Unavailable`](cqrs_core::StoreErrorKind::Unavailable), as nothing was committed.
    pub async fn append_in(
        &self,
        transaction: &mut PgTransaction<'_>,
        append: &Append,
    ) -> Result<Appended, AppendError> {
        append::in_transaction(transaction, append).await
    }

    /// A position up to which the log is known to be complete.
    pub(crate) fn complete_through(&self) -> Position {
        Position::new(self.inner.complete_through.load(Ordering::Relaxed))
    }

    /// Remembers that the log is complete up to here. What is complete stays so: only the highest counts.
    pub(crate) fn is_complete_through(&self, position: Position) {
        self.inner.complete_through.fetch_max(position.get(), Ordering::Relaxed);
    }

    /// What the store knows and does about news.
    pub(crate) fn hints(&self) -> &Hints {
        &self.inner.hints
    }

    pub(crate) fn connections(&self) -> &Connections {
        &self.inner.connections
    }
}

/// Names the database, without the password.
impl fmt::Debug for PostgresStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("PostgresStore");
        self.connections().describe(&mut debug);
        debug.finish_non_exhaustive()
    }
}

#[async_trait]
impl EventStore for PostgresStore {
    async fn append(&self, append: &Append) -> Result<Appended, AppendError> {
        let appended = self.inner.appends.carry_out(append).await?;
        self.hints().appended(self.pool());
        Ok(appended)
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let read = Read { stream: stream.clone(), after, limit };
        self.inner.reads.carry_out(&read).await
    }

    async fn replay(
        &self,
        stream: &StreamId,
        mut after: Version,
        take: &mut (dyn FnMut(RecordedEvent) -> ControlFlow<()> + Send),
    ) -> Result<(), StoreError> {
        /// Most events of a statement, so that the time it may take is bounded; fewer while others wait for their turn.
        const EVENTS: usize = 10_000;
        const EVENTS_OF_A_TURN: usize = 2_000;
        let connections = self.connections();
        let mut is_over = if let Some(_turn) = self.inner.reads.turn() {
            read::replay(connections, stream, &mut after, EVENTS_OF_A_TURN, take).await?
        } else {
            // Whoever reads while others do begins together with them; most streams are no longer than that.
            let (stream, limit) = (stream.clone(), reads::EACH);
            let page = self.inner.reads.carry_out(&Read { stream, after, limit }).await?;
            let is_end = is_end_of_stream(&page, limit);
            for event in page {
                after = event.version;
                if take(event).is_break() {
                    return Ok(());
                }
            }
            is_end
        };
        while !is_over {
            is_over = read::replay(connections, stream, &mut after, EVENTS, take).await?;
        }
        Ok(())
    }

    /// Reads from the primary only; a replica is [`Unavailable`](cqrs_core::StoreErrorKind::Unavailable). A page has at
    /// most 10 000 events.
    async fn read_log(
        &self,
        filter: &LogFilter,
        after: Position,
        limit: usize,
    ) -> Result<LogPage, StoreError> {
        log::page(self, filter, after, limit).await
    }

    /// Asks the primary only. An open append is named by what `pg_stat_activity` shows to the role of the store: of
    /// sessions of other roles only process id and application, unless it is a member of `pg_read_all_stats`.
    async fn head(&self) -> Result<Head, StoreError> {
        log::head(self).await
    }

    async fn find(&self, id: EventId) -> Result<Option<RecordedEvent>, StoreError> {
        read::find(self, id).await
    }

    /// Appends through this store and its clones are announced at once, those of other stores within milliseconds.
    /// Readers also look by themselves: four times a second while hints of other stores are listened for, a hundred
    /// times while they can't be, or while appends are under way. See the documentation of the crate.
    ///
    /// The store begins to listen with the first call inside of a tokio runtime.
    fn news(&self) -> News {
        self.hints().news(self.pool())
    }

    /// Closes the connections of all clones of this store, of its [models](PostgresStore::model), and of the pool it
    /// was made [with](PostgresStore::with_pool). What they are asked for then fails with kind
    /// [`Unavailable`](cqrs_core::StoreErrorKind::Unavailable).
    async fn close(&self) {
        self.connections().close().await;
    }
}

#[async_trait]
impl SnapshotStore for PostgresStore {
    /// Reads both in one statement.
    async fn read_from_snapshot(
        &self,
        stream: &StreamId,
        fingerprint: u64,
        limit: usize,
    ) -> Result<(Option<Snapshot>, Vec<RecordedEvent>), StoreError> {
        snapshot::read(self, stream, fingerprint, limit).await
    }

    async fn save_snapshot(&self, stream: &StreamId, snapshot: Snapshot) -> Result<(), StoreError> {
        snapshot::save(self, stream, &snapshot).await
    }
}

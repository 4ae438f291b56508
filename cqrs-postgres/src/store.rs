//! The store and its connections.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use cqrs_core::{
    Append, AppendError, Appended, EventId, EventStore, LogFilter, LogPage, News, Position,
    RecordedEvent, Snapshot, SnapshotStore, StoreError, StoreErrorKind, StreamId, Version,
};
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgRow;
use sqlx::{Execute, Executor, PgPool, PgTransaction, Postgres};
use tokio::time::Instant;

use crate::error::{Failure, classify, store_error};
use crate::news::{Hints, Timing};
use crate::{append, migrate, options::PostgresOptions, read, snapshot};

/// Keeps events and snapshots in a Postgres database.
///
/// Clones share their connections. Any number of stores, in any number of processes, may work on one database.
#[derive(Clone)]
pub struct PostgresStore {
    inner: Arc<Inner>,
}

struct Inner {
    pool: PgPool,
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
    /// round trip with each call: the store replaces dead connections by itself.
    ///
    /// Besides, the store opens up to two connections of its own with the same options, to tell and to hear of appends.
    ///
    /// # Errors
    /// See [`PostgresOptions::connect`].
    pub async fn with_pool(pool: PgPool) -> Result<Self, StoreError> {
        let store = Self::new(pool);
        let mut connection = store.connection().await?;
        migrate::prepare(&mut connection, true).await?;
        Ok(store)
    }

    pub(crate) fn new(pool: PgPool) -> Self {
        Self::with_timing(pool, Timing::default())
    }

    pub(crate) fn with_timing(pool: PgPool, timing: Timing) -> Self {
        let inner = Inner { pool, complete_through: AtomicU64::new(0), hints: Hints::new(timing) };
        Self { inner: Arc::new(inner) }
    }

    /// The connections of the store, for statements of your own, such as a transaction to
    /// [`append_in`](Self::append_in).
    pub fn pool(&self) -> &PgPool {
        &self.inner.pool
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
    /// Cancellation: when the future is dropped, the transaction may go on, without the events.
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

    /// How long a call goes on when connections break or can't be had.
    pub(crate) fn patience(&self) -> Duration {
        self.inner.pool.options().get_acquire_timeout()
    }

    /// A connection; nothing has been sent yet when there is none.
    pub(crate) async fn connection(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        let pool = &self.inner.pool;
        pool.acquire().await.map_err(|error| match error {
            sqlx::Error::PoolTimedOut if pool.size() < pool.options().get_max_connections() => {
                let context = format!("no connection within {:?}", self.patience());
                StoreError::new(StoreErrorKind::Unavailable, context)
            }
            sqlx::Error::PoolTimedOut => StoreError::new(
                StoreErrorKind::Busy,
                format!(
                    "all {} connections were in use for {:?}: finish transactions sooner or allow more connections",
                    pool.size(),
                    self.patience(),
                ),
            ),
            error => store_error("connecting", error),
        })
    }

    /// The rows of a statement that may run twice: it is sent again, on another connection, when the one it was sent
    /// on is gone.
    pub(crate) async fn fetch<'q, Q>(
        &self,
        doing: &str,
        statement: impl Fn() -> Q,
    ) -> Result<Vec<PgRow>, StoreError>
    where
        Q: Execute<'q, Postgres> + 'q,
    {
        let mut retry = Retry::new(self.patience());
        loop {
            let mut connection = self.connection().await?;
            let error = match connection.fetch_all(statement()).await {
                Ok(rows) => return Ok(rows),
                Err(error) => error,
            };
            match classify(&error) {
                Failure::Lost => drop(connection.detach()),
                Failure::Undone => drop(connection),
                _ => return Err(store_error(doing, error)),
            }
            if !retry.again().await {
                return Err(store_error(doing, error));
            }
        }
    }
}

/// Pauses between attempts, until time is up.
pub(crate) struct Retry {
    until: Instant,
    pause: Duration,
}

impl Retry {
    pub(crate) fn new(patience: Duration) -> Self {
        Self { until: Instant::now() + patience, pause: Duration::from_millis(1) }
    }

    /// Pauses, a little longer each time; false when there is no time left.
    pub(crate) async fn again(&mut self) -> bool {
        const LONGEST: Duration = Duration::from_millis(200);
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST);
        Instant::now() < self.until
    }

    /// When time is up.
    pub(crate) fn until(&self) -> Instant {
        self.until
    }
}

/// Names the database, without the password.
impl fmt::Debug for PostgresStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = self.inner.pool.connect_options();
        let database = options.get_database().unwrap_or(options.get_username());
        formatter
            .debug_struct("PostgresStore")
            .field("host", &options.get_host())
            .field("port", &options.get_port())
            .field("database", &database)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl EventStore for PostgresStore {
    async fn append(&self, append: &Append) -> Result<Appended, AppendError> {
        let appended = append::append(self, append).await?;
        self.hints().appended(self.pool());
        Ok(appended)
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        read::stream(self, stream, after, limit).await
    }

    /// Reads from the primary only; on a replica it is [`Unsupported`](StoreErrorKind::Unsupported).
    async fn read_log(
        &self,
        filter: &LogFilter,
        after: Position,
        limit: usize,
    ) -> Result<LogPage, StoreError> {
        read::log(self, filter, after, limit).await
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

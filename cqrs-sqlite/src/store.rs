//! The store: opening, closing, and the ports.

use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use cqrs_core::{
    Append, AppendError, Appended, EventId, EventStore, Gather, Head, LogFilter, LogPage, News,
    NewsBoard, Position, RecordedEvent, Snapshot, SnapshotStore, StoreError, StoreErrorKind,
    StreamId, Version,
};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, query, query_scalar};
use tracing::debug;

use crate::group::{self, Appends};
use crate::{SqliteModel, error, log, migrate, read, snapshot};

/// Keeps events in one SQLite file.
///
/// Clones share the connections and are cheap. Several stores, in one process or in many on the same machine, may have
/// the same file open; SQLite lets one of them write at a time.
#[derive(Clone)]
pub struct SqliteStore {
    path: Arc<Path>,
    /// One connection: writers queue here in order of arrival rather than at the lock of the file, where SQLite polls.
    writer: SqlitePool,
    readers: SqlitePool,
    appends: Arc<Gather<Appends>>,
    /// The read models in the same file.
    model: SqliteModel,
    board: NewsBoard,
}

impl SqliteStore {
    /// Opens the store in this file, with the default options. See [`SqliteOptions::open`].
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::options(path).open().await
    }

    /// Options for the store in this file.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("bank.db");
    /// use std::time::Duration;
    ///
    /// use cqrs_sqlite::SqliteStore;
    ///
    /// let store = SqliteStore::options(&path)
    ///     .busy_timeout(Duration::from_secs(30))
    ///     .readers(2)
    ///     .open()
    ///     .await?;
    /// # store.close().await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn options(path: impl AsRef<Path>) -> SqliteOptions {
        SqliteOptions {
            path: path.as_ref().to_owned(),
            busy_timeout: Duration::from_secs(5),
            readers: 4,
            group_commit: true,
        }
    }

    /// A store in memory, gone when its last clone is dropped: for tests and for trying things out.
    ///
    /// It has a single connection, so reads wait for writes, and it does not outlive the runtime it was opened on.
    pub async fn in_memory() -> Result<Self, StoreError> {
        let options = Self::options(":memory:");
        let pool = options.pool(1).connect_lazy_with(options.connection());
        prepare(&pool, "memory", "opening a store in memory").await?;
        Ok(Self::new(options.path.into(), pool.clone(), pool, true))
    }

    fn new(path: Arc<Path>, writer: SqlitePool, readers: SqlitePool, group_commit: bool) -> Self {
        let model = SqliteModel::new(path.clone(), writer.clone(), readers.clone());
        let appends = Appends { writer: writer.clone(), readers: readers.clone() };
        let limits = if group_commit { group::LIMITS } else { group::LIMITS.alone() };
        let appends = Arc::new(Gather::new(appends, limits));
        Self { path, writer, readers, appends, model, board: NewsBoard::new() }
    }

    /// Read models in the same file, over the connections of this store.
    ///
    /// There is one connection that writes: while a transaction of a projection is open, appends through this store
    /// wait for it, so the projection's batches should be done in a small part of the
    /// [busy timeout](SqliteOptions::busy_timeout). A handler must not append through this store, nor send commands
    /// that do: it would wait for its own transaction, until an error of kind [`Busy`](StoreErrorKind::Busy) ends that.
    pub fn model(&self) -> SqliteModel {
        self.model.clone()
    }

    /// Waits for what is going on and closes the connections of this store, all its clones and models, which then fail
    /// with kind [`Unavailable`](StoreErrorKind::Unavailable).
    ///
    /// The last one to close a file leaves it without the `-wal` and `-shm` files beside it. Nothing is lost without
    /// closing: every append is durable when it returns.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
        self.model.close().await;
        debug!(path = %self.path.display(), "closed the store");
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SqliteStore").field("path", &self.path).finish_non_exhaustive()
    }
}

/// How to open a [`SqliteStore`]; made by [`SqliteStore::options`].
#[derive(Debug, Clone)]
#[must_use = "options do nothing until `open` is called"]
pub struct SqliteOptions {
    path: PathBuf,
    busy_timeout: Duration,
    readers: u16,
    group_commit: bool,
}

impl SqliteOptions {
    /// How long an operation waits while others have the database locked, before it fails with kind
    /// [`Busy`](StoreErrorKind::Busy); 5 seconds by default.
    ///
    /// Operations of this store also wait so long, and a second more, for one of its connections to come free.
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        // SQLite counts milliseconds in 31 bits.
        const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);
        self.busy_timeout = timeout.min(LONGEST);
        self
    }

    /// How many reads may go on at once, each on a connection and a thread of its own; 4 by default, and at least 1.
    /// Reads and writes do not wait for each other.
    pub fn readers(mut self, connections: u16) -> Self {
        self.readers = connections.max(1);
        self
    }

    /// Whether appends that arrive while others are being stored are stored together, in one commit; true unless set.
    ///
    /// Nothing is promised less with it, and an append that finds nothing under way is stored at once either way.
    /// Without it, each append has a commit of its own, however many arrive: for measuring.
    pub fn group_commit(mut self, group_commit: bool) -> Self {
        self.group_commit = group_commit;
        self
    }

    /// Opens the store. A file that does not exist is created, with the tables of the store; one that was made by an
    /// older version of this crate is brought up to date. Several processes may do this at once.
    ///
    /// The file may hold tables of the application, too: those of the store begin with `cqrs_`. It is switched to
    /// write-ahead logging, which is a lasting property of the file.
    ///
    /// Cancellation: when the future is dropped, the file has either all tables or none of them.
    ///
    /// # Errors
    /// Of kind [`Unavailable`](StoreErrorKind::Unavailable) when the file can't be opened or created, as when its
    /// directory does not exist; [`Unsupported`](StoreErrorKind::Unsupported) when it is not an SQLite database or its
    /// tables were made by a newer version of this crate; [`Busy`](StoreErrorKind::Busy) when another process keeps it
    /// locked.
    pub async fn open(self) -> Result<SqliteStore, StoreError> {
        let doing = format!("opening `{}`", self.path.display());
        let path = checked(&self.path, &doing)?;
        let options = self.connection().filename(&path);
        let writer = self.pool(1).connect_lazy_with(options.clone().create_if_missing(true));
        let started = Instant::now();
        // SQLite does not wait for some of the locks taken here, so waiting is done here.
        while let Err(failed) = prepare(&writer, "wal", &doing).await {
            if failed.kind() != StoreErrorKind::Busy || started.elapsed() >= self.busy_timeout {
                return Err(failed);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // A reader that is connected later must not make a new file in place of one that was removed.
        let readers = self.pool(self.readers).connect_lazy_with(options.pragma("query_only", "ON"));
        debug!(path = %path.display(), "opened the store");
        Ok(SqliteStore::new(path.into(), writer, readers, self.group_commit))
    }

    fn connection(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .busy_timeout(self.busy_timeout)
            // The log is synced at every commit: what is acknowledged survives a power failure (G3).
            .synchronous(SqliteSynchronous::Full)
            // On macOS a sync leaves data in the cache of the disk unless asked for more; elsewhere it has no effect.
            .pragma("fullfsync", "ON")
            // The store reports what matters itself.
            .disable_statement_logging()
    }

    fn pool(&self, connections: u16) -> SqlitePoolOptions {
        SqlitePoolOptions::new()
            .max_connections(connections.into())
            // Longer than one that is being opened waits for a lock, so that the lock is what is complained of.
            .acquire_timeout(self.busy_timeout + Duration::from_secs(1))
            // A connection to a file does not age, and one to a database in memory is the database.
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .before_acquire(|connection, _| Box::pin(is_mended(connection)))
    }
}

/// Makes a connection usable on which SQLite has ended a transaction by itself, as it does when the disk is full. The
/// driver has then failed to roll back what was gone, and believes in an open transaction ever since.
async fn is_mended(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    if connection.is_in_transaction() {
        query("BEGIN").execute(&mut *connection).await?;
        // The driver refuses a second one, and in doing so rolls back the first, which now is there.
        drop(connection.begin_with("BEGIN").await);
        connection.ping().await?;
    }
    Ok(!connection.is_in_transaction())
}

/// Makes a database ready: the journal, the tables.
async fn prepare(writer: &SqlitePool, journal: &str, doing: &str) -> Result<(), StoreError> {
    let failed = |failed| error::failed(doing, failed);
    let mut connection = writer.acquire().await.map_err(failed)?;
    let journal_now: String = query_scalar("PRAGMA journal_mode = WAL")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if journal_now != journal {
        return Err(StoreError::new(
            StoreErrorKind::Unsupported,
            format!(
                "{doing}: it does not take write-ahead logging but stays in journal mode `{journal_now}`; \
                 use a local disk"
            ),
        ));
    }
    migrate::migrate(&mut connection, doing).await
}

/// The path as SQLite takes it: absolute, so that no name means something special and changing the working directory
/// changes nothing.
fn checked(path: &Path, doing: &str) -> Result<PathBuf, StoreError> {
    let refused = |kind, why: String| StoreError::new(kind, format!("{doing}: {why}"));
    if path == Path::new(":memory:") {
        let why = "a database in memory is opened with `SqliteStore::in_memory()`";
        return Err(refused(StoreErrorKind::InvalidInput, why.to_owned()));
    }
    if ["sqlite:", "file:"].iter().any(|scheme| path.to_string_lossy().starts_with(scheme)) {
        let why = "a path is expected, not a URL";
        return Err(refused(StoreErrorKind::InvalidInput, why.to_owned()));
    }
    let path = std::path::absolute(path)
        .map_err(|error| refused(StoreErrorKind::InvalidInput, error.to_string()))?;
    match path.parent() {
        Some(directory) if !directory.is_dir() => Err(refused(
            StoreErrorKind::Unavailable,
            format!("directory `{}` does not exist; create it", directory.display()),
        )),
        _ => Ok(path),
    }
}

#[async_trait]
impl EventStore for SqliteStore {
    /// As for every store. An append waits for its turn among the writers of all processes.
    ///
    /// When the future is dropped, the append may still be stored a moment later: SQLite works on a thread of its own.
    async fn append(&self, append: &Append) -> Result<Appended, AppendError> {
        let appended = self.appends.carry_out(append).await?;
        self.board.announce();
        Ok(appended)
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        read::read_stream(&self.readers, stream, after, limit).await
    }

    async fn replay(
        &self,
        stream: &StreamId,
        after: Version,
        take: &mut (dyn FnMut(RecordedEvent) -> ControlFlow<()> + Send),
    ) -> Result<(), StoreError> {
        read::replay(&self.readers, stream, after, take).await
    }

    /// A page has at most 10 000 events.
    async fn read_log(
        &self,
        filter: &LogFilter,
        after: Position,
        limit: usize,
    ) -> Result<LogPage, StoreError> {
        log::page(&self.readers, filter, after, limit).await
    }

    /// Appends are decided when they are seen: nothing keeps readers from the end.
    async fn head(&self) -> Result<Head, StoreError> {
        log::head(&self.readers).await
    }

    async fn find(&self, id: EventId) -> Result<Option<RecordedEvent>, StoreError> {
        read::find(&self.readers, id).await
    }

    /// Appends through this store and its clones are announced at once; those of others are looked for.
    fn news(&self) -> News {
        /// How soon an append of another process is seen. Looking takes a small part of a millisecond.
        const INTERVAL: Duration = Duration::from_millis(10);
        self.board.news(INTERVAL)
    }

    async fn close(&self) {
        // The method of the store itself, which has the same name.
        SqliteStore::close(self).await;
    }
}

#[async_trait]
impl SnapshotStore for SqliteStore {
    async fn read_from_snapshot(
        &self,
        stream: &StreamId,
        fingerprint: u64,
        limit: usize,
    ) -> Result<(Option<Snapshot>, Vec<RecordedEvent>), StoreError> {
        snapshot::read_from_snapshot(&self.readers, stream, fingerprint, limit).await
    }

    async fn save_snapshot(&self, stream: &StreamId, snapshot: Snapshot) -> Result<(), StoreError> {
        snapshot::save_snapshot(&self.writer, stream, &snapshot).await
    }
}

#[cfg(test)]
mod tests {
    use cqrs_core::{ExpectedVersion, Metadata, NewEvent, Payload};

    use super::*;

    #[tokio::test]
    async fn g3_commits_are_synced_to_disk() {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(directory.path().join("bank.db")).await.unwrap();
        for (setting, expected) in
            [("SELECT * FROM pragma_synchronous", 2), ("SELECT * FROM pragma_fullfsync", 1)]
        {
            let value: i64 = query_scalar(setting).fetch_one(&store.writer).await.unwrap();
            assert_eq!(value, expected, "{setting}");
        }
    }

    #[tokio::test]
    async fn an_append_is_announced_to_those_who_would_look_much_later() {
        let store = SqliteStore::in_memory().await.unwrap();
        let mut news = store.clone().board.news(Duration::MAX);
        let id = EventId::random();
        let metadata = Arc::new(Metadata::of(id.as_uuid()));
        let payload = Payload::of(&()).unwrap();
        let event = NewEvent::from_parts(id, "account.opened", 1, payload, metadata).unwrap();
        let stream = StreamId::new("account", "1").unwrap();
        let append = Append::new(stream, ExpectedVersion::Any, vec![event]).unwrap();
        store.append(&append).await.unwrap();
        tokio::time::timeout(Duration::from_mins(1), news.wait()).await.unwrap();
    }

    #[tokio::test]
    async fn readers_can_not_write() {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(directory.path().join("bank.db")).await.unwrap();
        let written = query("DELETE FROM cqrs_events").execute(&store.readers).await;
        assert!(written.is_err());
    }
}

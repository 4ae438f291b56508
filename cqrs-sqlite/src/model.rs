//! Read models: the rows of projections, with their checkpoints, leases and parked streams.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cqrs_core::{
    Acquired, BoxError, Checkpoint, Lease, Parked, Position, ProjectionId, ReadModel, StoreError,
    StoreErrorKind, StreamId, Version,
};
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteRow};
use sqlx::{Row, Sqlite, SqliteExecutor, Transaction, query};
use tracing::debug;
use uuid::Uuid;

use crate::{SqliteStore, error, rows};

/// The transaction in which a projection changes its rows: `sqlx::query(…).execute(&mut **transaction)`.
///
/// A statement that fails has to make the handler fail: return its error. SQLite ends the transaction by itself after
/// some errors (a full disk, `INSERT OR ROLLBACK`), and what a handler would do after that would be stored at once. The
/// projection stops then, rather than committing its checkpoint without its rows.
pub type SqliteTransaction = Transaction<'static, Sqlite>;

/// How often an acquisition starts over because the lease changed hands just after it had looked.
const ATTEMPTS: usize = 16;

/// Keeps read models in an SQLite file: tables of the application, which projections fill, and beside them how far each
/// projection has come.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("views.db");
/// use cqrs_sqlite::{SqliteModel, sqlx};
///
/// let model = SqliteModel::open(&path).await?;
/// sqlx::query("CREATE TABLE IF NOT EXISTS balances (account TEXT PRIMARY KEY, cents INTEGER) STRICT")
///     .execute(model.writer())
///     .await?;
/// let rich = sqlx::query("SELECT account FROM balances WHERE cents > 1000000")
///     .fetch_all(model.pool())
///     .await?;
/// assert!(rich.is_empty());
/// model.close().await;
/// # Ok(())
/// # }
/// ```
///
/// # Which file
/// A file of its own ([`open`](Self::open)) keeps the writes of projections and of the store apart, as SQLite lets one
/// transaction write to a file at a time. In the file of the events ([`SqliteStore::model`]) there is one file to copy,
/// and one can join events and rows; the transactions of projections and the appends then wait for each other.
///
/// # Leases
/// A lease runs out by the clock of the machine. When that clock is set, a projection changes hands early, or late;
/// what an owner does that was replaced is refused all the same, by its token (G7). While a transaction of an owner is
/// open, no other process can take over.
///
/// Clones share the connections and are cheap.
#[derive(Clone)]
pub struct SqliteModel {
    path: Arc<Path>,
    writer: SqlitePool,
    readers: SqlitePool,
}

impl SqliteModel {
    /// Opens read models in this file, with the default options; a file that does not exist is created. For other
    /// options, take the [`model`](SqliteStore::model) of a store opened with [`SqliteStore::options`].
    ///
    /// # Errors
    /// As for [`SqliteOptions::open`](crate::SqliteOptions::open).
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Ok(SqliteStore::open(path).await?.model())
    }

    /// Read models in memory, gone with the last clone: for tests and for trying things out.
    ///
    /// There is a single connection: while a transaction is open, everything else waits, reads too.
    pub async fn in_memory() -> Result<Self, StoreError> {
        Ok(SqliteStore::in_memory().await?.model())
    }

    pub(crate) fn new(path: Arc<Path>, writer: SqlitePool, readers: SqlitePool) -> Self {
        Self { path, writer, readers }
    }

    /// Connections for the queries of the application. They can't write, and do not wait for those that do.
    pub fn pool(&self) -> &SqlitePool {
        &self.readers
    }

    /// The one connection that writes, for what the application changes besides its projections: creating its tables,
    /// running its migrations. Projections wait meanwhile, and appends, too, where it is shared with a store.
    pub fn writer(&self) -> &SqlitePool {
        &self.writer
    }

    /// Waits for what is going on and closes the connections of this model, all its clones, and the store it shares
    /// them with; they then fail with kind [`Unavailable`](StoreErrorKind::Unavailable). Stop the projections first:
    /// one that runs takes that for an outage and tries again until it is stopped.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
        debug!(path = %self.path.display(), "closed the read models");
    }

    /// What keeps the lease of the projection from `owner`, if anything does.
    async fn obstacle(
        &self,
        projection: &ProjectionId,
        owner: Uuid,
    ) -> Result<Option<Acquired>, sqlx::Error> {
        let found = query(include_str!("../sql/find_lease.sql"))
            .bind(projection.name)
            .fetch_optional(&self.readers)
            .await?;
        let Some(row) = found else { return Ok(None) };
        let (version, events) = (row.try_get("version")?, row.try_get("events")?);
        if version != projection.version || events != projection.events {
            return Ok(Some(Acquired::Changed { version, events }));
        }
        let other = owner_of(&row)?.filter(|holder| *holder != owner);
        Ok(other.map(|owner| Acquired::HeldBy { owner }))
    }

    async fn take(
        &self,
        projection: &ProjectionId,
        owner: Uuid,
        time: Duration,
    ) -> Result<Option<Lease>, sqlx::Error> {
        let taken = query(include_str!("../sql/acquire_lease.sql"))
            .bind(projection.name)
            .bind(projection.version)
            .bind(&projection.events)
            .bind(owner.to_string())
            .bind(milliseconds(time))
            // All rows, not the first: the statement commits after the last one, and may fail in doing so.
            .fetch_all(&self.writer)
            .await?;
        let Some(row) = taken.first() else { return Ok(None) };
        let position = Position::new(number(row, "position")?);
        Ok(Some(Lease { token: row.try_get("token")?, position }))
    }
}

#[async_trait]
impl ReadModel for SqliteModel {
    type Transaction = SqliteTransaction;

    /// As for every read model. Reads only, unless the lease can be had.
    ///
    /// When the future is dropped, the lease may be taken a moment later: SQLite works on a thread of its own.
    async fn acquire(
        &self,
        projection: &ProjectionId,
        owner: Uuid,
        time: Duration,
    ) -> Result<Acquired, StoreError> {
        let doing = || format!("acquiring the lease of projection `{}`", projection.name);
        let failed = |failed| error::failed(&doing(), failed);
        for _ in 0..ATTEMPTS {
            if let Some(obstacle) = self.obstacle(projection, owner).await.map_err(failed)? {
                return Ok(obstacle);
            }
            if let Some(lease) = self.take(projection, owner, time).await.map_err(failed)? {
                return Ok(Acquired::Lease(lease));
            }
        }
        let context = format!("{}: it changed hands {ATTEMPTS} times meanwhile", doing());
        Err(StoreError::new(StoreErrorKind::Busy, context))
    }

    async fn renew(
        &self,
        projection: &ProjectionId,
        lease: Lease,
        time: Duration,
    ) -> Result<bool, StoreError> {
        let doing = || format!("prolonging the lease of projection `{}`", projection.name);
        let moved = move_checkpoint(&self.writer, projection, lease, time).await;
        moved.map_err(|failed| error::failed(&doing(), failed))
    }

    async fn release(&self, projection: &ProjectionId, lease: Lease) -> Result<(), StoreError> {
        let doing = || format!("giving back the lease of projection `{}`", projection.name);
        query(include_str!("../sql/release_lease.sql"))
            .bind(projection.name)
            .bind(lease.token)
            .bind(rows::integer(lease.position.get()))
            .execute(&self.writer)
            .await
            .map(drop)
            .map_err(|failed| error::failed(&doing(), failed))
    }

    /// Waits for the connection that writes, and for the lock of the file. From then on until the transaction is over,
    /// all others wait who write to the file: a handler that appends to it within its transaction waits for itself, and
    /// gets an error of kind [`Busy`](StoreErrorKind::Busy) in the end.
    async fn begin(&self) -> Result<Self::Transaction, StoreError> {
        // With the lock from the start: a transaction that began with reading could not wait for it.
        let begun = self.writer.begin_with("BEGIN IMMEDIATE").await;
        begun.map_err(|failed| error::failed("beginning the transaction of a projection", failed))
    }

    async fn commit(
        &self,
        mut transaction: Self::Transaction,
        projection: &ProjectionId,
        lease: Lease,
        time: Duration,
    ) -> Result<bool, StoreError> {
        let doing = || format!("committing rows of projection `{}`", projection.name);
        let failed = |failed| error::failed(&doing(), failed);
        if !is_open(&mut transaction).await.map_err(failed)? {
            let context = format!(
                "{}: the transaction was over before; a handler has ended it, or has gone on after an error of SQLite \
                 that ends it: let it return such errors",
                doing()
            );
            return Err(StoreError::new(StoreErrorKind::Other, context));
        }
        let moved = move_checkpoint(&mut *transaction, projection, lease, time).await;
        if moved.map_err(failed)? {
            transaction.commit().await.map_err(failed)?;
            return Ok(true);
        }
        transaction.rollback().await.map_err(failed)?;
        Ok(false)
    }

    async fn park(
        &self,
        transaction: &mut Self::Transaction,
        projection: &ProjectionId,
        parked: &Parked,
    ) -> Result<(), StoreError> {
        let name = projection.name;
        let doing = || format!("parking stream `{}` for projection `{name}`", parked.stream);
        query(include_str!("../sql/park.sql"))
            .bind(name)
            .bind(parked.stream.category())
            .bind(parked.stream.key())
            .bind(rows::integer(parked.version.get()))
            .bind(rows::integer(parked.position.get()))
            .bind(&parked.event_type)
            .bind(parked.attempts)
            .bind(&parked.error)
            .execute(&mut **transaction)
            .await
            .map(drop)
            .map_err(|failed| error::failed(&doing(), failed))
    }

    async fn unpark(
        &self,
        transaction: &mut Self::Transaction,
        projection: &ProjectionId,
        stream: &StreamId,
    ) -> Result<(), StoreError> {
        let doing = || format!("unparking stream `{stream}` for projection `{}`", projection.name);
        query(include_str!("../sql/unpark.sql"))
            .bind(projection.name)
            .bind(stream.category())
            .bind(stream.key())
            .execute(&mut **transaction)
            .await
            .map(drop)
            .map_err(|failed| error::failed(&doing(), failed))
    }

    fn is_outage(&self, error: &BoxError) -> bool {
        error.downcast_ref().is_some_and(error::is_outage)
            || error.downcast_ref().is_some_and(StoreError::may_retry)
    }

    async fn parked(&self, projection: &str) -> Result<Vec<Parked>, StoreError> {
        let doing = || format!("reading the parked streams of projection `{projection}`");
        let found = query(include_str!("../sql/parked.sql"))
            .bind(projection)
            .fetch_all(&self.readers)
            .await
            .and_then(|rows| rows.iter().map(parked).collect());
        found.map_err(|failed| error::failed(&doing(), failed))
    }

    async fn checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError> {
        let found = query(include_str!("../sql/checkpoints.sql"))
            .fetch_all(&self.readers)
            .await
            .and_then(|rows| rows.iter().map(checkpoint).collect());
        found.map_err(|failed| error::failed("reading the checkpoints of projections", failed))
    }
}

impl fmt::Debug for SqliteModel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SqliteModel").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Prolongs the lease and moves its checkpoint; false if the lease is no longer ours.
async fn move_checkpoint(
    executor: impl SqliteExecutor<'_>,
    projection: &ProjectionId,
    lease: Lease,
    time: Duration,
) -> Result<bool, sqlx::Error> {
    let moved = query(include_str!("../sql/move_checkpoint.sql"))
        .bind(projection.name)
        .bind(lease.token)
        .bind(rows::integer(lease.position.get()))
        .bind(milliseconds(time))
        .execute(executor)
        .await?;
    Ok(moved.rows_affected() > 0)
}

/// Whether the transaction is still one to SQLite, which the driver does not know.
async fn is_open(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    match query("BEGIN").execute(connection).await {
        Ok(_) => Ok(false),
        // A transaction can't begin within another one.
        Err(sqlx::Error::Database(_)) => Ok(true),
        Err(broken) => Err(broken),
    }
}

/// A time as SQLite counts it; the longest ones are cut where it can still add them to the time of day.
fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX).min(i64::MAX / 2)
}

fn parked(row: &SqliteRow) -> Result<Parked, sqlx::Error> {
    Ok(Parked {
        stream: StreamId::new(row.try_get("category")?, row.try_get("key")?).map_err(foreign)?,
        version: Version::new(number(row, "version")?),
        position: Position::new(number(row, "position")?),
        event_type: row.try_get("event_type")?,
        attempts: row.try_get("attempts")?,
        error: row.try_get("error")?,
    })
}

fn checkpoint(row: &SqliteRow) -> Result<Checkpoint, sqlx::Error> {
    Ok(Checkpoint {
        projection: row.try_get("name")?,
        version: row.try_get("version")?,
        position: Position::new(number(row, "position")?),
        owner: owner_of(row)?,
    })
}

fn owner_of(row: &SqliteRow) -> Result<Option<Uuid>, sqlx::Error> {
    row.try_get::<Option<&str>, _>("owner")?.map(Uuid::parse_str).transpose().map_err(foreign)
}

fn number(row: &SqliteRow, column: &str) -> Result<u64, sqlx::Error> {
    u64::try_from(row.try_get::<i64, _>(column)?).map_err(foreign)
}

/// Somebody changed the table.
fn foreign(why: impl Into<BoxError>) -> sqlx::Error {
    sqlx::Error::Decode(why.into())
}

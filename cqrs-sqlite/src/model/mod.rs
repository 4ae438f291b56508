//! Read models: the rows of projections, with their checkpoints, leases and parked streams.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cqrs_core::{
    BoxError, Commit, Lease, Member, Opened, Parked, Position, ProjectionId, ReadModel, Setup,
    Share, StoreError, StoreErrorKind, StreamId,
};
use sqlx::sqlite::SqlitePool;
use sqlx::{Sqlite, Transaction};
use tracing::debug;

use self::beside::Besides;
use self::place::Place;
use crate::{SqliteStore, error};

mod beside;
mod exchange;
mod failure;
mod lease;
mod maintain;
mod open;
mod parked;
mod place;
mod share;
mod tables;
mod versions;
mod view_rows;
mod view_sql;
mod view_values;

pub use self::view_values::from_row;

/// The transaction in which a projection changes its rows: `sqlx::query(…).execute(&mut **transaction)`.
///
/// A statement that fails has to make the handler fail: return its error. SQLite ends the transaction by itself after
/// some errors (a full disk, `INSERT OR ROLLBACK`), and what a handler would do after that would be stored at once. The
/// projection stops then, rather than committing its checkpoint without its rows.
pub type SqliteTransaction = Transaction<'static, Sqlite>;

/// Keeps read models in an SQLite file: tables that projections fill, and beside them how far each projection has come.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("views.db");
/// use cqrs_sqlite::{SqliteModel, sqlx};
///
/// let model = SqliteModel::open(&path).await?;
/// sqlx::query("CREATE TABLE IF NOT EXISTS countries (code TEXT PRIMARY KEY, name TEXT) STRICT")
///     .execute(model.writer())
///     .await?;
/// let rich = sqlx::query("SELECT name FROM countries WHERE code = 'lu'")
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
/// # Versions beside
/// A version that is not in service is in a file of its own beside that of the model: `bank.db-balances-v2-1`, say. Its
/// handlers see that file alone, with the tables that were made for them, and none of the application. Building it does
/// not keep others from writing to the file of the model.
///
/// When it is put into service, its tables are copied into the file of the model, and those of the version before into a
/// file of their own. A crash leaves either the old state or the new one. The copies are made under the write lock of the
/// file: while they are, all others wait who write to it, for as long as their busy timeout. Files that are not needed any
/// more are deleted then, or when a projection is opened the next time. A copy of the file of the model is without what
/// is beside.
///
/// Name the columns in queries: after `SELECT *`, the driver takes the columns of a new version for those of the old one
/// for as long as it remembers the statement.
///
/// # Leases
/// A lease runs out by the clock of the machine. When that clock is set, a projection changes hands early, or late;
/// what an owner does that was replaced is refused all the same, by its token (G7). While a transaction of an owner is
/// open, no other process can take over.
///
/// Clones share the connections and are cheap.
#[derive(Clone)]
pub struct SqliteModel {
    /// The file of the application: what is in service.
    live: Place,
    /// Where transactions are: the same, or a file beside it.
    here: Place,
    besides: Arc<Besides>,
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
    /// There is a single connection: while a transaction is open, everything else waits, reads too. Each version beside
    /// is a database in memory, too.
    pub async fn in_memory() -> Result<Self, StoreError> {
        Ok(SqliteStore::in_memory().await?.model())
    }

    pub(crate) fn new(path: Arc<Path>, writer: SqlitePool, readers: SqlitePool) -> Self {
        let live = Place { path, writer, readers };
        Self { here: live.clone(), live, besides: Arc::default() }
    }

    /// Connections for the queries of the application. They can't write, and do not wait for those that do.
    ///
    /// Of the model that [`beside`](ReadModel::beside) gives, they see the version that is beside.
    pub fn pool(&self) -> &SqlitePool {
        &self.here.readers
    }

    /// The one connection that writes, for what the application changes besides its projections: creating its tables,
    /// running its migrations. Projections wait meanwhile, and appends, too, where it is shared with a store.
    pub fn writer(&self) -> &SqlitePool {
        &self.here.writer
    }

    /// Waits for what is going on and closes the connections of this model, all its clones, and the store it shares
    /// them with; they then fail with kind [`Unavailable`](StoreErrorKind::Unavailable). Stop the projections first:
    /// one that runs takes that for an outage and tries again until it is stopped.
    pub async fn close(&self) {
        self.live.close().await;
        self.besides.close().await;
        self.here.close().await;
        debug!(path = %self.live.path.display(), "closed the read models");
    }
}

#[async_trait]
impl ReadModel for SqliteModel {
    type Transaction = SqliteTransaction;

    /// As for every read model. Reads only, where the version is there.
    ///
    /// # Errors
    /// When the SQL does not make tables, with their indexes and triggers, and nothing else, or one of them exists
    /// already: kind [`InvalidInput`](StoreErrorKind::InvalidInput). Nothing is changed then.
    async fn open(
        &self,
        projection: &ProjectionId,
        setup: &Setup<'_>,
    ) -> Result<Opened, StoreError> {
        open::open(self, projection, setup).await
    }

    async fn adopt(
        &self,
        projection: &ProjectionId,
        events_before: &str,
        through: Position,
    ) -> Result<bool, StoreError> {
        let doing = || format!("adopting projection {projection} for other events");
        let adopted = self.adopt_for(projection, events_before, through).await;
        adopted.map_err(|failed| failed.while_doing(&doing()))
    }

    async fn beside(&self, projection: &ProjectionId) -> Result<Self, StoreError> {
        let ProjectionId { name, version, .. } = *projection;
        let doing = format!("looking for version {version} of projection `{name}`");
        let found = self.find(name, version).await;
        match found.map_err(|failed| failed.while_doing(&doing))? {
            Some(here) if !self.is_live(&here) => Ok(Self { here, ..self.clone() }),
            _ => {
                let context = format!("no version {version} of projection `{name}` is beside");
                Err(StoreError::new(StoreErrorKind::Other, context))
            }
        }
    }

    /// As for every read model. A member that has no leases, and gets none, writes only now and then.
    async fn share(
        &self,
        projection: &ProjectionId,
        member: &Member<'_>,
    ) -> Result<Option<Share>, StoreError> {
        share::share(self, projection, member).await
    }

    async fn leave(
        &self,
        projection: &ProjectionId,
        member: &Member<'_>,
    ) -> Result<(), StoreError> {
        let doing = || format!("giving back leases of projection {projection}");
        let left = share::leave(self, projection, member).await;
        left.map_err(|failed| failed.while_doing(&doing()))
    }

    /// As for every read model. While a transaction of this process is open on the file, which may be the one that the
    /// leases are prolonged for, nothing is written and the answer is true: nobody else can take the leases meanwhile, and
    /// the commit prolongs them, or tells that they are gone.
    async fn prolong(
        &self,
        projection: &ProjectionId,
        leases: &[Lease],
        time: Duration,
    ) -> Result<bool, StoreError> {
        let doing = || format!("prolonging leases of projection {projection}");
        let prolonged = lease::prolong(self, projection, leases, time).await;
        prolonged.map_err(|failed| failed.while_doing(&doing()))
    }

    /// Waits for the connection that writes, and for the lock of the file. From then on until the transaction is over,
    /// all others wait who write to the file: a handler that appends to it within its transaction waits for itself, and
    /// gets an error of kind [`Busy`](StoreErrorKind::Busy) in the end.
    async fn begin(&self) -> Result<Self::Transaction, StoreError> {
        let begun = self.here.begin().await;
        begun.map_err(|failed| error::failed("beginning the transaction of a projection", failed))
    }

    async fn commit(
        &self,
        transaction: Self::Transaction,
        projection: &ProjectionId,
        commit: &Commit<'_>,
    ) -> Result<bool, StoreError> {
        lease::commit(transaction, projection, commit).await
    }

    async fn park(
        &self,
        transaction: &mut Self::Transaction,
        projection: &ProjectionId,
        parked: &Parked,
    ) -> Result<(), StoreError> {
        let doing = || format!("parking stream `{}` for projection {projection}", parked.stream);
        let parked = parked::park(transaction, projection, parked).await;
        parked.map_err(|failed| error::failed(&doing(), failed))
    }

    async fn unpark(
        &self,
        transaction: &mut Self::Transaction,
        projection: &ProjectionId,
        stream: &StreamId,
    ) -> Result<(), StoreError> {
        let doing = || format!("unparking stream `{stream}` for projection {projection}");
        let unparked = parked::unpark(transaction, projection, stream).await;
        unparked.map_err(|failed| error::failed(&doing(), failed))
    }

    fn is_outage(&self, error: &BoxError) -> bool {
        error.downcast_ref().is_some_and(error::is_outage)
            || error.downcast_ref().is_some_and(StoreError::may_retry)
    }
}

impl fmt::Debug for SqliteModel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SqliteModel").field("path", &self.here.path).finish_non_exhaustive()
    }
}

/// Somebody changed the table.
fn foreign(why: impl Into<BoxError>) -> sqlx::Error {
    sqlx::Error::Decode(why.into())
}

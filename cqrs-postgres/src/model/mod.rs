//! Read models: the rows of projections, with their checkpoints, leases and parked streams.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cqrs_core::{
    BoxError, Commit, Lease, Member, Opened, Parked, Position, ProjectionId, ReadModel, Setup,
    Share, StoreError, StreamId,
};
use sqlx::postgres::PgRow;
use sqlx::{Error, PgPool, PgTransaction, Row};

use self::beside::Beside;
use crate::PostgresStore;
use crate::connections::Connections;
use crate::error;
use crate::rows::saturate;

mod array;
mod beside;
mod lease;
mod maintain;
mod parked;
mod transaction;
mod value;
mod versions;
mod view_rows;
mod view_sql;

pub use self::value::from_row;

/// Keeps read models in a Postgres database: tables, which projections fill, and beside them, in the schema `cqrs`, how
/// far each projection has come.
///
/// A projection gets a [`PgTransaction`] to change its rows in, through the [`sqlx`] of this crate:
///
/// ```
/// use cqrs_postgres::sqlx::{self, PgTransaction};
///
/// async fn add(transaction: &mut PgTransaction<'static>, account: &str, cents: i64) -> sqlx::Result<()> {
///     let sql = "INSERT INTO balances AS b VALUES ($1, $2) ON CONFLICT (account) DO UPDATE SET cents = b.cents + $2";
///     sqlx::query(sql).bind(account).bind(cents).execute(&mut **transaction).await?;
///     Ok(())
/// }
/// ```
///
/// The rows of a [view](cqrs_core::View) are found by key with [`Rows::row`](cqrs_core::Rows::row), and by anything
/// else with a query of your own, whose rows [`from_row`] turns into those of the view.
///
/// # Which database
/// In the database of the events ([`PostgresStore::model`]) one can join events and rows, and both are in the same
/// dump. Another one ([`connect`](Self::connect)) takes the load of projections off the database of the events; it gets
/// the schema `cqrs`, too, and its own table of events stays empty.
///
/// # Tables
/// The tables of a version in service are in the schema of the application: the one in which a table is made that is
/// named without a schema, [`current_schema()`](https://www.postgresql.org/docs/current/functions-info.html), when the
/// projection is first opened. The tables of a version beside are in a schema such as `cqrs_balances_v2`, which comes
/// first where a transaction of that version looks for a table. To put a version into service is to move tables between
/// the two with `ALTER TABLE … SET SCHEMA`; they keep their indexes, sequences, privileges and names.
///
/// So the SQL that [makes](cqrs_core::Setup::tables) them may make plain tables, with their indexes and what belongs to
/// columns; and privileges. Whatever else knows tables by more than a name stays with the one it knows, such as a view
/// or a foreign key elsewhere. What is granted on the tables in service by default has to be granted in this SQL.
///
/// List the columns in the statements that you send, in place of `SELECT *`. A connection that has prepared such a
/// statement refuses it (*cached plan must not change result type*) once the table in service is one with other
/// columns. The transactions of a version beside have connections of their own, as many as they need, and so don't meet
/// this.
///
/// # Transactions
/// A batch of events is a transaction that holds the locks of its rows until it commits, and is committed with
/// `synchronous_commit = off`: a crash of the server may undo the last moments of a read model, its checkpoint
/// included, and the projection goes on from there. While nothing is sent on it for a minute, the server ends it.
///
/// A statement that fails has to make the handler fail: return its error. Postgres refuses everything that comes after
/// it in the transaction.
///
/// # Leases
/// A lease runs out by the clock of the server. What an owner does that was replaced is refused, by its token (G7), and
/// so is what an owner does that knows of commits the server has lost; it takes the lease anew and begins where the
/// server is.
///
/// Clones share the connections and are cheap.
#[derive(Clone)]
pub struct PostgresModel {
    connections: Connections,
    /// The version beside that transactions change; else what is in service.
    beside: Option<Arc<Beside>>,
}

impl PostgresModel {
    /// Connects to the database this URL names, with the default options, and creates the schema `cqrs` in it if it is
    /// missing. For other options, take the [`model`](PostgresStore::model) of a store made with
    /// [`PostgresStore::options`].
    ///
    /// # Errors
    /// See [`PostgresOptions::connect`](crate::PostgresOptions::connect).
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Ok(PostgresStore::connect(url).await?.model())
    }

    /// Read models on connections of your own pool, whose settings stay yours. Creates the schema `cqrs` if it is
    /// missing. See [`PostgresStore::with_pool`].
    ///
    /// # Errors
    /// See [`PostgresOptions::connect`](crate::PostgresOptions::connect).
    pub async fn with_pool(pool: PgPool) -> Result<Self, StoreError> {
        Ok(PostgresStore::with_pool(pool).await?.model())
    }

    pub(crate) fn new(connections: Connections) -> Self {
        Self { connections, beside: None }
    }

    /// Connections for the statements of the application: its queries, and what creates its tables.
    pub fn pool(&self) -> &PgPool {
        self.connections.pool()
    }

    /// Waits for what is going on and closes the connections of this model, all its clones, and the store it shares
    /// them with; they then fail with kind [`Unavailable`](cqrs_core::StoreErrorKind::Unavailable). Stop the
    /// projections first: one that runs takes that for an outage and tries again until it is stopped.
    pub async fn close(&self) {
        self.connections.close().await;
    }
}

#[async_trait]
impl ReadModel for PostgresModel {
    type Transaction = PgTransaction<'static>;

    /// As for every read model. One process makes a version, those that open it at the same time wait.
    ///
    /// Where the version is there already, nothing is changed or locked. When the future is dropped, it is made or not.
    ///
    /// # Errors
    /// Also with kind [`InvalidInput`](cqrs_core::StoreErrorKind::InvalidInput) when the SQL of the tables fails, or
    /// makes something that can't be moved with them; nothing is made then.
    async fn open(
        &self,
        projection: &ProjectionId,
        setup: &Setup<'_>,
    ) -> Result<Opened, StoreError> {
        versions::open(&self.connections, projection, setup).await
    }

    async fn adopt(
        &self,
        projection: &ProjectionId,
        events_before: &str,
        through: Position,
    ) -> Result<bool, StoreError> {
        versions::adopt(&self.connections, projection, events_before, through).await
    }

    /// As for every read model. Its transactions have connections of their own, as many as run at the same time, made
    /// with the same options.
    async fn beside(&self, projection: &ProjectionId) -> Result<Self, StoreError> {
        let beside = Beside::find(&self.connections, projection).await?;
        Ok(Self { connections: self.connections.clone(), beside: Some(Arc::new(beside)) })
    }

    /// One statement, and one more where streams are parked. Waits for no batch.
    ///
    /// When the future is dropped, the share may be settled a moment later.
    async fn share(
        &self,
        projection: &ProjectionId,
        member: &Member<'_>,
    ) -> Result<Option<Share>, StoreError> {
        lease::share(&self.connections, projection, member).await
    }

    async fn leave(
        &self,
        projection: &ProjectionId,
        member: &Member<'_>,
    ) -> Result<(), StoreError> {
        lease::leave(&self.connections, projection, member).await
    }

    async fn prolong(
        &self,
        projection: &ProjectionId,
        leases: &[Lease],
        time: Duration,
    ) -> Result<bool, StoreError> {
        lease::prolong(&self.connections, projection, leases, time).await
    }

    /// Begins a transaction that is committed without waiting for the disk; see [`PostgresModel`].
    async fn begin(&self) -> Result<Self::Transaction, StoreError> {
        match &self.beside {
            Some(beside) => beside.begin(&self.connections).await,
            None => transaction::begin(&self.connections).await,
        }
    }

    /// As for every read model. What the database refuses at the commit because of what was written, such as by a
    /// deferred constraint, and a transaction in which a statement has failed, are
    /// [`InvalidInput`](cqrs_core::StoreErrorKind::InvalidInput).
    async fn commit(
        &self,
        transaction: Self::Transaction,
        projection: &ProjectionId,
        commit: &Commit<'_>,
    ) -> Result<bool, StoreError> {
        let limit = self.connections.call_timeout();
        transaction::commit(transaction, limit, projection, commit).await
    }

    async fn park(
        &self,
        transaction: &mut Self::Transaction,
        projection: &ProjectionId,
        parked: &Parked,
    ) -> Result<(), StoreError> {
        let limit = self.connections.call_timeout();
        parked::park(transaction, limit, projection, parked).await
    }

    async fn unpark(
        &self,
        transaction: &mut Self::Transaction,
        projection: &ProjectionId,
        stream: &StreamId,
    ) -> Result<(), StoreError> {
        let limit = self.connections.call_timeout();
        parked::unpark(transaction, limit, projection, stream).await
    }

    fn is_outage(&self, error: &BoxError) -> bool {
        error.downcast_ref().is_some_and(error::is_outage)
            || error.downcast_ref().is_some_and(StoreError::may_retry)
    }
}

impl fmt::Debug for PostgresModel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("PostgresModel");
        self.connections.describe(&mut debug);
        if let Some(beside) = &self.beside {
            debug.field("beside", &beside.schema());
        }
        debug.finish_non_exhaustive()
    }
}

/// The longest times are cut where Postgres can still add them to the time of day.
fn milliseconds(time: Duration) -> i64 {
    const CENTURY: Duration = Duration::from_hours(24 * 36_525);
    saturate(time.min(CENTURY).as_millis())
}

/// Text in Postgres can't have this character, and what people are told must be stored whatever it says.
fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// A name in a statement.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The only row of an answer.
fn only(rows: &[PgRow]) -> Result<&PgRow, Error> {
    match rows {
        [row] => Ok(row),
        _ => Err(Error::RowNotFound),
    }
}

fn number(row: &PgRow, column: &str) -> Result<u64, Error> {
    u64::try_from(row.try_get::<i64, _>(column)?).map_err(foreign)
}

fn small(number: i64) -> Result<u32, Error> {
    u32::try_from(number).map_err(foreign)
}

/// Somebody changed the table.
fn foreign(why: impl Into<BoxError>) -> Error {
    Error::Decode(why.into())
}

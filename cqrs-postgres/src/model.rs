//! Read models: the rows of projections, with their checkpoints, leases and parked streams.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use cqrs_core::{
    Acquired, BoxError, Checkpoint, Lease, Parked, Position, ProjectionId, ReadModel, StoreError,
    StoreErrorKind, StreamId, Version,
};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Error, PgPool, PgTransaction, Postgres, Row};
use uuid::Uuid;

use crate::PostgresStore;
use crate::connections::{Connections, Retry, in_time};
use crate::error::{self, Failure, classify, store_error};
use crate::rows::saturate;

/// How often an acquisition starts over because the lease changed hands just when it looked.
const ATTEMPTS: usize = 16;

/// Begins the transaction of a projection, in one round trip.
///
/// - Its commit does not wait for the disk: after a crash of the server, rows and checkpoint are both as they were a
///   moment before, and the events in between come again; see [`Known`]. Where a handler appends events, that makes the
///   commit durable.
/// - `cqrs.projecting` tells whether the transaction is still this one.
/// - A process that is cut off in the middle must not stand in the way of the next owner with the locks it holds: the
///   server ends the transaction if it hears nothing for a minute.
/// - The update fails where nothing can be written, as on a former primary, before a handler does: that is not the fault
///   of an event. It comes first, so that its failure leaves no transaction behind.
const BEGIN: &str = "UPDATE cqrs.projections SET token = token WHERE false; \
                     BEGIN; SET LOCAL synchronous_commit = off; SET LOCAL cqrs.projecting = 'yes'; \
                     SET LOCAL idle_in_transaction_session_timeout = '1min'";

/// Keeps read models in a Postgres database: tables of the application, which projections fill, and beside them, in the
/// schema `cqrs`, how far each projection has come.
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
/// # Which database
/// In the database of the events ([`PostgresStore::model`]) one can join events and rows, and both are in the same dump.
/// Another one ([`connect`](Self::connect)) takes the load of projections off the database of the events; it gets the
/// schema `cqrs`, too, and its own table of events stays empty.
///
/// # Transactions
/// A batch of events is a transaction that holds the locks of its rows until it commits, and is committed with
/// `synchronous_commit = off`: a crash of the server may undo the last moments of a read model, its checkpoint included,
/// and the projection goes on from there. While nothing is sent on it for a minute, the server ends it.
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
    known: Known,
}

/// The commits that owners of leases know of.
///
/// A crash of the server can undo the last of them, while the owner is alive and goes on from a position it remembers:
/// the connections are replaced without its noticing. So it moves its checkpoint only where the server knows of as many
/// commits as it does; else it has to acquire the lease anew, and begins where the server is. It makes no difference
/// whether the commits were lost because they did not wait for the disk, or in a failover to a replica that was behind.
#[derive(Debug, Clone, Default)]
struct Known(Arc<Mutex<HashMap<&'static str, (i64, i64)>>>);

impl Known {
    fn commits(&self, projection: &ProjectionId, lease: Lease) -> i64 {
        match self.lock().get(projection.name) {
            Some((token, commits)) if *token == lease.token => *commits,
            // Of another owner: the token tells all.
            _ => 0,
        }
    }

    fn begin(&self, projection: &ProjectionId, token: i64, commits: i64) {
        self.lock().insert(projection.name, (token, commits));
    }

    fn committed(&self, projection: &ProjectionId, lease: Lease, commits: i64) {
        if let Some((token, known)) = self.lock().get_mut(projection.name)
            && *token == lease.token
        {
            *known = commits.max(*known);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<&'static str, (i64, i64)>> {
        // Every change of the map is a single step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        Self { connections, known: Known::default() }
    }

    /// Connections for the statements of the application: its queries, and what creates its tables.
    pub fn pool(&self) -> &PgPool {
        self.connections.pool()
    }

    /// Waits for what is going on and closes the connections of this model, all its clones, and the store it shares
    /// them with; they then fail with kind [`Unavailable`](StoreErrorKind::Unavailable). Stop the projections first:
    /// one that runs takes that for an outage and tries again until it is stopped.
    pub async fn close(&self) {
        self.pool().close().await;
    }

    /// What came of asking for a lease; nothing if it has to be asked again.
    fn acquired(
        &self,
        rows: &[PgRow],
        projection: &ProjectionId,
        owner: Uuid,
    ) -> Result<Option<Acquired>, Error> {
        let [row] = rows else { return Err(Error::RowNotFound) };
        if let Some(token) = row.try_get("token")? {
            let position = Position::new(number(row, "position")?);
            self.known.begin(projection, token, row.try_get("commits")?);
            return Ok(Some(Acquired::Lease(Lease { token, position })));
        }
        if let Some(version) = row.try_get::<Option<i64>, _>("version")? {
            let version = u32::try_from(version).map_err(foreign)?;
            let events: String = row.try_get("events")?;
            if version != projection.version || events != projection.events {
                return Ok(Some(Acquired::Changed { version, events }));
            }
        }
        let holder: Option<Uuid> = row.try_get("owner")?;
        Ok(holder.filter(|holder| *holder != owner).map(|owner| Acquired::HeldBy { owner }))
    }

    /// The statement that prolongs the lease and moves its checkpoint.
    fn move_checkpoint(
        &self,
        projection: &ProjectionId,
        lease: Lease,
        time: Duration,
        in_transaction: bool,
    ) -> Query<'static, Postgres, PgArguments> {
        sqlx::query(include_str!("../sql/move_checkpoint.sql"))
            .bind(projection.name)
            .bind(lease.token)
            .bind(self.known.commits(projection, lease))
            .bind(saturate(lease.position.get()))
            .bind(milliseconds(time))
            .bind(in_transaction)
    }

    /// Runs a statement of the transaction of a projection.
    async fn within<T>(
        &self,
        doing: &str,
        step: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, StoreError> {
        let done = in_time(self.connections.call_timeout(), step).await;
        done.map_err(|error| store_error(doing, error))
    }
}

#[async_trait]
impl ReadModel for PostgresModel {
    type Transaction = PgTransaction<'static>;

    /// As for every read model. Changes nothing and waits for nobody, unless the lease can be had.
    ///
    /// When the future is dropped, the lease may be taken a moment later.
    async fn acquire(
        &self,
        projection: &ProjectionId,
        owner: Uuid,
        time: Duration,
    ) -> Result<Acquired, StoreError> {
        let doing = format!("acquiring the lease of projection `{}`", projection.name);
        for _ in 0..ATTEMPTS {
            let rows = self.connections.fetch(&doing, || {
                sqlx::query(include_str!("../sql/acquire_lease.sql"))
                    .bind(projection.name)
                    .bind(i64::from(projection.version))
                    .bind(&projection.events)
                    .bind(owner)
                    .bind(milliseconds(time))
            });
            let rows = rows.await?;
            let acquired = self.acquired(&rows, projection, owner);
            if let Some(acquired) = acquired.map_err(|error| store_error(&doing, error))? {
                return Ok(acquired);
            }
        }
        let context = format!("{doing}: it changed hands {ATTEMPTS} times meanwhile");
        Err(StoreError::new(StoreErrorKind::Busy, context))
    }

    async fn renew(
        &self,
        projection: &ProjectionId,
        lease: Lease,
        time: Duration,
    ) -> Result<bool, StoreError> {
        let doing = format!("prolonging the lease of projection `{}`", projection.name);
        let rows =
            self.connections.fetch(&doing, || self.move_checkpoint(projection, lease, time, false));
        let moved = Moved::of(&rows.await?).map_err(|error| store_error(&doing, error))?;
        if let Some(commits) = moved.commits {
            self.known.committed(projection, lease, commits);
        }
        Ok(moved.commits.is_some())
    }

    async fn release(&self, projection: &ProjectionId, lease: Lease) -> Result<(), StoreError> {
        let doing = format!("giving back the lease of projection `{}`", projection.name);
        let released = self.connections.fetch(&doing, || {
            sqlx::query(include_str!("../sql/release_lease.sql"))
                .bind(projection.name)
                .bind(lease.token)
                .bind(self.known.commits(projection, lease))
                .bind(saturate(lease.position.get()))
        });
        released.await.map(drop)
    }

    /// Begins a transaction that is committed without waiting for the disk; see [`PostgresModel`].
    async fn begin(&self) -> Result<Self::Transaction, StoreError> {
        let mut retry = Retry::new(self.connections.patience());
        loop {
            let begun = self.pool().begin_with(BEGIN);
            // The pool has its own patience; the rest is for the server to answer.
            let limit = self.connections.patience() + self.connections.call_timeout();
            let error = match in_time(limit, begun).await {
                Ok(transaction) => return Ok(transaction),
                Err(error) => error,
            };
            if matches!(error, Error::BeginFailed) {
                let context = "a projection can't write to this server; is it the primary?";
                return Err(StoreError::new(StoreErrorKind::Unavailable, context));
            }
            // A connection that broke does not come back from the pool.
            if classify(&error) != Failure::Lost || !retry.again().await {
                return Err(self.connections.none(error));
            }
        }
    }

    async fn commit(
        &self,
        mut transaction: Self::Transaction,
        projection: &ProjectionId,
        lease: Lease,
        time: Duration,
    ) -> Result<bool, StoreError> {
        let doing = format!("committing rows of projection `{}`", projection.name);
        // The last statement: whoever wants the lease waits for this row only until the commit.
        let moving =
            self.move_checkpoint(projection, lease, time, true).fetch_one(&mut *transaction);
        let row = self.within(&doing, moving).await?;
        let moved = Moved::of(&[row]).map_err(|error| store_error(&doing, error))?;
        if !moved.is_projecting {
            let context =
                format!("{doing}: the transaction was over before: a handler has ended it");
            return Err(StoreError::new(StoreErrorKind::Other, context));
        }
        let Some(commits) = moved.commits else {
            self.within(&doing, transaction.rollback()).await?;
            return Ok(false);
        };
        let committed = in_time(self.connections.call_timeout(), transaction.commit()).await;
        match committed.map_err(|error| (classify(&error), error)) {
            Ok(()) => {
                self.known.committed(projection, lease, commits);
                Ok(true)
            }
            Err((Failure::Lost, error)) => {
                Err(StoreError::new(StoreErrorKind::OutcomeUnknown, doing).caused_by(error))
            }
            Err((_, error)) => Err(store_error(&doing, error)),
        }
    }

    async fn park(
        &self,
        transaction: &mut Self::Transaction,
        projection: &ProjectionId,
        parked: &Parked,
    ) -> Result<(), StoreError> {
        let name = projection.name;
        let doing = format!("parking stream `{}` for projection `{name}`", parked.stream);
        // Text in Postgres can't have this character, and a stream must be parked whatever its handler says.
        let error = parked.error.replace('\0', "\u{fffd}");
        let parking = sqlx::query(include_str!("../sql/park.sql"))
            .bind(name)
            .bind(parked.stream.category())
            .bind(parked.stream.key())
            .bind(saturate(parked.version.get()))
            .bind(saturate(parked.position.get()))
            .bind(&parked.event_type)
            .bind(i64::from(parked.attempts))
            .bind(error)
            .execute(&mut **transaction);
        self.within(&doing, parking).await.map(drop)
    }

    async fn unpark(
        &self,
        transaction: &mut Self::Transaction,
        projection: &ProjectionId,
        stream: &StreamId,
    ) -> Result<(), StoreError> {
        let doing = format!("unparking stream `{stream}` for projection `{}`", projection.name);
        let unparking = sqlx::query(include_str!("../sql/unpark.sql"))
            .bind(projection.name)
            .bind(stream.category())
            .bind(stream.key())
            .execute(&mut **transaction);
        self.within(&doing, unparking).await.map(drop)
    }

    fn is_outage(&self, error: &BoxError) -> bool {
        error.downcast_ref().is_some_and(error::is_outage)
            || error.downcast_ref().is_some_and(StoreError::may_retry)
    }

    async fn parked(&self, projection: &str) -> Result<Vec<Parked>, StoreError> {
        let doing = format!("reading the parked streams of projection `{projection}`");
        let rows = self.connections.fetch(&doing, || {
            sqlx::query(include_str!("../sql/parked.sql")).bind(projection.to_owned())
        });
        let parked = rows.await?.iter().map(parked).collect::<Result<_, _>>();
        parked.map_err(|error| store_error(&doing, error))
    }

    async fn checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError> {
        let doing = "reading the checkpoints of projections";
        let rows =
            self.connections.fetch(doing, || sqlx::query(include_str!("../sql/checkpoints.sql")));
        let checkpoints = rows.await?.iter().map(checkpoint).collect::<Result<_, _>>();
        checkpoints.map_err(|error| store_error(doing, error))
    }
}

impl fmt::Debug for PostgresModel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("PostgresModel");
        self.connections.describe(&mut debug);
        debug.finish_non_exhaustive()
    }
}

/// What came of it.
struct Moved {
    /// How many commits there are with this one, if the lease is still ours.
    commits: Option<i64>,
    /// Whether the transaction is the one that was begun for the projection.
    is_projecting: bool,
}

impl Moved {
    fn of(rows: &[PgRow]) -> Result<Self, Error> {
        let [row] = rows else { return Err(Error::RowNotFound) };
        Ok(Self { commits: row.try_get("commits")?, is_projecting: row.try_get("is_projecting")? })
    }
}

/// The longest times are cut where Postgres can still add them to the time of day.
fn milliseconds(time: Duration) -> i64 {
    const CENTURY: Duration = Duration::from_hours(24 * 36_525);
    saturate(time.min(CENTURY).as_millis())
}

fn parked(row: &PgRow) -> Result<Parked, Error> {
    Ok(Parked {
        stream: StreamId::new(row.try_get("category")?, row.try_get("key")?).map_err(foreign)?,
        version: Version::new(number(row, "version")?),
        position: Position::new(number(row, "position")?),
        event_type: row.try_get("event_type")?,
        attempts: u32::try_from(number(row, "attempts")?).map_err(foreign)?,
        error: row.try_get("error")?,
    })
}

fn checkpoint(row: &PgRow) -> Result<Checkpoint, Error> {
    Ok(Checkpoint {
        projection: row.try_get("name")?,
        version: u32::try_from(number(row, "version")?).map_err(foreign)?,
        position: Position::new(number(row, "position")?),
        owner: row.try_get("owner")?,
    })
}

fn number(row: &PgRow, column: &str) -> Result<u64, Error> {
    u64::try_from(row.try_get::<i64, _>(column)?).map_err(foreign)
}

/// Somebody changed the table.
fn foreign(why: impl Into<BoxError>) -> Error {
    Error::Decode(why.into())
}

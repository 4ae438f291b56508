//! Transactions of batches.

use std::io;
use std::time::Duration;

use cqrs_core::{Commit, ProjectionId, StoreError, StoreErrorKind};
use sqlx::{Error, PgTransaction, Row, SqlSafeStr};

use super::lease::Leases;
use super::milliseconds;
use crate::connections::{Connections, Retry, in_time};
use crate::error::{Failure, classify, store_error};
use crate::rows::saturate;

/// Begins the transaction of a batch, in one round trip.
///
/// - Its commit does not wait for the disk: after a crash of the server, rows and checkpoint are both as they were a
///   moment before, and the events in between come again. Where a handler appends events, that makes the commit
///   durable.
/// - `cqrs.projecting` tells whether the transaction is still this one.
/// - A process that is cut off in the middle must not stand in the way of the next owner with the locks it holds: the
///   server ends the transaction if it hears nothing for a minute.
/// - The update fails where nothing can be written, as on a former primary, before a handler does: that is not the
///   fault of an event. It comes first, so that its failure leaves no transaction behind.
macro_rules! begin_batch {
    () => {
        "UPDATE cqrs.checkpoints SET slot = slot WHERE false; \
         BEGIN; SET LOCAL synchronous_commit = off; SET LOCAL cqrs.projecting = 'yes'; \
         SET LOCAL idle_in_transaction_session_timeout = '1min'"
    };
}
pub(super) use begin_batch;

/// Begins the transaction of a batch of the version in service.
pub(super) async fn begin(connections: &Connections) -> Result<PgTransaction<'static>, StoreError> {
    begin_with(connections, || begin_batch!()).await
}

/// Begins a transaction with this statement, on a connection that is alive.
///
/// Dropping the future leaves no transaction behind: sqlx 0.9.0, whose own is dropped in the middle, gives a connection
/// back to the pool on which one has begun that it does not know of, and what others do there next is never committed
/// (its issue 4393). So it is a task that goes on to the end, and what has begun in vain is rolled back.
pub(super) async fn begin_with<S: SqlSafeStr + Send + 'static>(
    connections: &Connections,
    statement: impl Fn() -> S,
) -> Result<PgTransaction<'static>, StoreError> {
    let mut retry = Retry::new(connections.patience());
    loop {
        let (pool, statement) = (connections.pool().clone(), statement());
        let beginning = tokio::spawn(async move { pool.begin_with(statement).await });
        let begun =
            async { beginning.await.unwrap_or_else(|ended| Err(io::Error::other(ended).into())) };
        // The pool has its own patience; the rest is for the server to answer.
        let limit = connections.patience() + connections.call_timeout();
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
            return Err(connections.none(error));
        }
    }
}

pub(super) async fn commit(
    mut transaction: PgTransaction<'static>,
    limit: Duration,
    projection: &ProjectionId,
    commit: &Commit<'_>,
) -> Result<bool, StoreError> {
    let doing = format!("committing rows of projection {projection}");
    let leases = Leases::of(commit.leases);
    // The last statement: whoever wants the leases waits for these rows only until the commit.
    let moving = sqlx::query(include_str!("../../sql/move_checkpoints.sql"))
        .bind(projection.name)
        .bind(i64::from(projection.version))
        .bind(&leases.slots)
        .bind(&leases.tokens)
        .bind(&leases.commits)
        .bind(&leases.positions)
        .bind(saturate(commit.events))
        .bind(milliseconds(commit.time))
        .fetch_one(&mut *transaction);
    let row = in_time(limit, moving).await.map_err(|error| refused(&doing, error))?;
    let failed = |error| store_error(&doing, error);
    if !row.try_get::<bool, _>("is_projecting").map_err(failed)? {
        let context = format!("{doing}: the transaction was over before: a handler has ended it");
        return Err(StoreError::new(StoreErrorKind::Other, context));
    }
    if row.try_get::<i64, _>("moved").map_err(failed)? < saturate(commit.leases.len()) {
        in_time(limit, transaction.rollback()).await.map_err(failed)?;
        return Ok(false);
    }
    match in_time(limit, transaction.commit()).await {
        Ok(()) => Ok(true),
        Err(error) if classify(&error) == Failure::Lost => {
            Err(StoreError::new(StoreErrorKind::OutcomeUnknown, doing).caused_by(error))
        }
        Err(error) => Err(refused(&doing, error)),
    }
}

/// Why nothing was committed.
fn refused(doing: &str, error: Error) -> StoreError {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    // What was written: out of range, against a constraint, too large, refused by a trigger; or a statement has failed
    // whose error the handler did not return.
    let is_of_data = code.is_some_and(|code| {
        let class = code.get(..2).unwrap_or_default();
        ["22", "23", "44", "54", "P0"].contains(&class) || code == "25P02"
    });
    let failure = store_error(doing, error);
    if !is_of_data || failure.kind() == StoreErrorKind::InvalidInput {
        return failure;
    }
    StoreError::new(StoreErrorKind::InvalidInput, failure.to_string())
}

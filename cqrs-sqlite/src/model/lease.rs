//! Leases in force: prolonging them, and committing under them.

use std::time::Duration;

use cqrs_core::{Commit, Lease, ProjectionId, StoreError, StoreErrorKind};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteQueryResult};
use sqlx::{Error, Sqlite, SqliteExecutor, query};

use super::failure::Failure;
use super::place::{milliseconds, now};
use super::{SqliteModel, SqliteTransaction, foreign};
use crate::{error, rows};

/// Prolongs leases; false if one of them is not in force.
pub(super) async fn prolong(
    model: &SqliteModel,
    projection: &ProjectionId,
    leases: &[Lease],
    time: Duration,
) -> Result<bool, Failure> {
    let ProjectionId { name, version, .. } = *projection;
    let Some(mut looking) = unless_held(&model.live.readers).await? else { return Ok(true) };
    let found = model.find_through(&mut *looking, name, version).await?;
    // In memory, it is the one connection.
    drop(looking);
    let Some(place) = found else { return Ok(false) };
    let Some(mut connection) = unless_held(&place.writer).await? else { return Ok(true) };
    let now = now();
    let prolonged = query(include_str!("../../sql/prolong.sql"))
        .bind(name)
        .bind(version)
        .bind(columns(leases)?)
        .bind(now)
        .bind(now + milliseconds(time))
        .execute(&mut *connection)
        .await?;
    Ok(is_all(&prolonged, leases))
}

/// A connection of the pool; none if others hold all of them for longer than a moment.
async fn unless_held(pool: &SqlitePool) -> Result<Option<PoolConnection<Sqlite>>, Error> {
    const MOMENT: Duration = Duration::from_secs(1);
    match tokio::time::timeout(MOMENT, pool.acquire()).await {
        Ok(acquired) => acquired.map(Some),
        Err(_) if pool.size() > 0 && pool.num_idle() == 0 => Ok(None),
        // It is the machine that is slow.
        Err(_) => pool.acquire().await.map(Some),
    }
}

/// Moves the checkpoints of leases and commits; false, with nothing committed, if one of them is not in force.
pub(super) async fn commit(
    mut transaction: SqliteTransaction,
    projection: &ProjectionId,
    commit: &Commit<'_>,
) -> Result<bool, StoreError> {
    let doing = || format!("committing rows of projection {projection}");
    let failed = |failed| error::failed(&doing(), failed);
    if !is_open(&mut transaction).await.map_err(failed)? {
        let context = format!(
            "{}: the transaction was over before; a handler has ended it, or has gone on after an error of SQLite \
             that ends it: let it return such errors",
            doing()
        );
        return Err(StoreError::new(StoreErrorKind::Other, context));
    }
    let moved = move_checkpoints(&mut *transaction, projection, commit).await.map_err(failed)?;
    if is_all(&moved, commit.leases) {
        // What it refuses now is what the handlers have written: a constraint that is checked at the end.
        let committed = transaction.commit().await;
        return committed.map(|()| true).map_err(|failed| error::refused(&doing(), failed));
    }
    transaction.rollback().await.map_err(failed)?;
    Ok(false)
}

async fn move_checkpoints(
    executor: impl SqliteExecutor<'_>,
    projection: &ProjectionId,
    commit: &Commit<'_>,
) -> Result<SqliteQueryResult, Error> {
    let now = now();
    query(include_str!("../../sql/move_checkpoints.sql"))
        .bind(projection.name)
        .bind(projection.version)
        .bind(columns(commit.leases)?)
        .bind(now)
        .bind(now + milliseconds(commit.time))
        .bind(rows::integer(commit.events))
        .execute(executor)
        .await
}

fn is_all(changed: &SqliteQueryResult, leases: &[Lease]) -> bool {
    changed.rows_affected() == leases.len() as u64
}

/// Leases as the statements take them.
fn columns(leases: &[Lease]) -> Result<String, Error> {
    let columns: Vec<(u32, i64, i64, i64)> = leases
        .iter()
        .map(|lease| (lease.slot, lease.token, lease.commits, rows::integer(lease.position.get())))
        .collect();
    serde_json::to_string(&columns).map_err(foreign)
}

/// Whether the transaction is still one to SQLite, which the driver does not know.
pub(super) async fn is_open(connection: &mut SqliteConnection) -> Result<bool, Error> {
    match query("BEGIN").execute(connection).await {
        Ok(_) => Ok(false),
        // A transaction can't begin within another one.
        Err(Error::Database(_)) => Ok(true),
        Err(broken) => Err(broken),
    }
}

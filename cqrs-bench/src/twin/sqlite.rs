//! The twins on SQLite: batches by `json_each`.

use std::collections::HashMap;

use cqrs::BoxError;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Connection, Row, SqliteTransaction};

use super::{Read, accounts, counts, fold};
use crate::bank::{ACCOUNT_EVENTS, Balance};

/// Along the log. Without the `+`, SQLite would find all events of these types by an index, and sort them, for each
/// batch.
const READ: &str = "SELECT position, key, event_type, payload FROM cqrs_events \
                    WHERE position > ?1 AND +event_type IN (SELECT value FROM json_each(?2)) \
                    ORDER BY position LIMIT ?3";

/// By the index over event types, for rare ones.
const READ_RARE: &str = "SELECT position, key FROM cqrs_events \
                         WHERE position > ?1 AND event_type = ?2 ORDER BY position LIMIT ?3";

async fn read(
    connection: &mut SqliteConnection,
    after: i64,
    batch: usize,
) -> Result<Vec<SqliteRow>, BoxError> {
    let event_types = serde_json::to_string(&ACCOUNT_EVENTS)?;
    let read = sqlx::query(READ).bind(after).bind(event_types).bind(i64::try_from(batch)?);
    Ok(read.fetch_all(connection).await?)
}

fn decoded(rows: &[SqliteRow]) -> Result<Vec<Read>, BoxError> {
    rows.iter().map(|row| Read::of(row.try_get(1)?, row.try_get(2)?, row.try_get(3)?)).collect()
}

async fn commit(mut transaction: SqliteTransaction<'_>, position: i64) -> Result<(), BoxError> {
    let moved = sqlx::query("UPDATE twin_checkpoint SET position = ?1").bind(position);
    moved.execute(&mut *transaction).await?;
    Ok(transaction.commit().await?)
}

pub async fn view(connection: &mut SqliteConnection, batch: usize) -> Result<(), BoxError> {
    let mut after = 0;
    loop {
        let page = read(connection, after, batch).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.try_get(0)?;
        let events = decoded(&page)?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let loaded = sqlx::query_as::<_, (String, String, i64, i64)>(
            "SELECT account, owner, cents, events FROM twin_balances \
             WHERE account IN (SELECT value FROM json_each(?1))",
        );
        let keys = serde_json::to_string(&accounts(&events))?;
        let loaded = loaded.bind(keys).fetch_all(&mut *transaction).await?;
        let mut rows: HashMap<String, Balance> = HashMap::with_capacity(loaded.len());
        for (account, owner, cents, events) in loaded {
            rows.insert(account.clone(), Balance { account, owner, cents, events });
        }
        fold(&mut rows, &events);
        let mut rows: Vec<_> =
            rows.values().map(|row| (&row.account, &row.owner, row.cents, row.events)).collect();
        rows.sort_unstable();
        sqlx::query(
            "INSERT INTO twin_balances SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 \
             FROM json_each(?1) WHERE true ON CONFLICT (account) DO UPDATE \
             SET owner = excluded.owner, cents = excluded.cents, events = excluded.events",
        )
        .bind(serde_json::to_string(&rows)?)
        .execute(&mut *transaction)
        .await?;
        commit(transaction, after).await?;
    }
}

pub async fn ledger(connection: &mut SqliteConnection, batch: usize) -> Result<(), BoxError> {
    let mut after = 0;
    loop {
        let page = read(connection, after, batch).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.try_get(0)?;
        let events = decoded(&page)?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        for Read { account, event } in &events {
            let (owner, cents) = Balance::change(event);
            sqlx::query(
                "INSERT INTO twin_ledger VALUES (?1, ?2, ?3, 1) ON CONFLICT (account) DO UPDATE \
                 SET cents = cents + excluded.cents, events = events + 1",
            )
            .bind(account)
            .bind(owner)
            .bind(cents)
            .execute(&mut *transaction)
            .await?;
        }
        commit(transaction, after).await?;
    }
}

pub async fn flags(connection: &mut SqliteConnection, batch: usize) -> Result<(), BoxError> {
    let mut after = 0;
    loop {
        let read = sqlx::query(READ_RARE).bind(after).bind("account.flagged");
        let page = read.bind(i64::try_from(batch)?).fetch_all(&mut *connection).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.try_get(0)?;
        let keys = page.iter().map(|row| row.try_get(1)).collect::<Result<Vec<&str>, _>>()?;
        let counts: Vec<(&str, i64)> = counts(keys.into_iter()).into_iter().collect();
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "INSERT INTO twin_flags SELECT value ->> 0, value ->> 1 FROM json_each(?1) WHERE true \
             ON CONFLICT (account) DO UPDATE SET flags = flags + excluded.flags",
        )
        .bind(serde_json::to_string(&counts)?)
        .execute(&mut *transaction)
        .await?;
        commit(transaction, after).await?;
    }
}

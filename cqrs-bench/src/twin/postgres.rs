//! The twins on PostgreSQL: batches by `unnest`, and commits that do not wait for the disk.

use std::collections::HashMap;

use cqrs::BoxError;
use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, PgTransaction, Row};

use super::{Read, accounts, counts, fold};
use crate::bank::{ACCOUNT_EVENTS, Balance};

const READ: &str = "SELECT position, key, event_type, payload::text FROM cqrs.events \
                    WHERE position > $1 AND event_type = ANY ($2) ORDER BY position LIMIT $3";

async fn read(
    connection: &mut PgConnection,
    event_types: &[&str],
    after: i64,
    batch: usize,
) -> Result<Vec<PgRow>, BoxError> {
    let limit = i64::try_from(batch)?;
    let read = sqlx::query(READ).bind(after).bind(event_types).bind(limit);
    Ok(read.fetch_all(connection).await?)
}

fn decoded(rows: &[PgRow]) -> Result<Vec<Read>, BoxError> {
    rows.iter().map(|row| Read::of(row.try_get(1)?, row.try_get(2)?, row.try_get(3)?)).collect()
}

async fn begin(connection: &mut PgConnection) -> Result<PgTransaction<'_>, BoxError> {
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql("SET LOCAL synchronous_commit = off").execute(&mut *transaction).await?;
    Ok(transaction)
}

async fn commit(mut transaction: PgTransaction<'_>, position: i64) -> Result<(), BoxError> {
    let moved = sqlx::query("UPDATE twin_checkpoint SET position = $1").bind(position);
    moved.execute(&mut *transaction).await?;
    Ok(transaction.commit().await?)
}

pub async fn view(connection: &mut PgConnection, batch: usize) -> Result<(), BoxError> {
    let mut after = 0;
    loop {
        let page = read(connection, &ACCOUNT_EVENTS, after, batch).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.try_get(0)?;
        let events = decoded(&page)?;
        let mut transaction = begin(connection).await?;
        let loaded = sqlx::query_as::<_, (String, String, i64, i64)>(
            "SELECT account, owner, cents, events FROM twin_balances WHERE account = ANY ($1)",
        );
        let loaded = loaded.bind(accounts(&events)).fetch_all(&mut *transaction).await?;
        let mut rows: HashMap<String, Balance> = HashMap::with_capacity(loaded.len());
        for (account, owner, cents, events) in loaded {
            rows.insert(account.clone(), Balance { account, owner, cents, events });
        }
        fold(&mut rows, &events);
        let mut rows: Vec<Balance> = rows.into_values().collect();
        rows.sort_unstable_by(|a, b| a.account.cmp(&b.account));
        sqlx::query(
            "INSERT INTO twin_balances SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) \
             ON CONFLICT (account) DO UPDATE \
             SET owner = excluded.owner, cents = excluded.cents, events = excluded.events",
        )
        .bind(rows.iter().map(|row| &row.account[..]).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| &row.owner[..]).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.cents).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.events).collect::<Vec<_>>())
        .execute(&mut *transaction)
        .await?;
        commit(transaction, after).await?;
    }
}

pub async fn ledger(connection: &mut PgConnection, batch: usize) -> Result<(), BoxError> {
    let mut after = 0;
    loop {
        let page = read(connection, &ACCOUNT_EVENTS, after, batch).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.try_get(0)?;
        let events = decoded(&page)?;
        let mut transaction = begin(connection).await?;
        for Read { account, event } in &events {
            let (owner, cents) = Balance::change(event);
            sqlx::query(
                "INSERT INTO twin_ledger VALUES ($1, $2, $3, 1) ON CONFLICT (account) DO UPDATE \
                 SET cents = twin_ledger.cents + excluded.cents, events = twin_ledger.events + 1",
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

pub async fn flags(connection: &mut PgConnection, batch: usize) -> Result<(), BoxError> {
    let mut after = 0;
    loop {
        let page = read(connection, &["account.flagged"], after, batch).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.try_get(0)?;
        let keys = page.iter().map(|row| row.try_get(1)).collect::<Result<Vec<&str>, _>>()?;
        let (accounts, flags): (Vec<&str>, Vec<i64>) = counts(keys.into_iter()).into_iter().unzip();
        let mut transaction = begin(connection).await?;
        sqlx::query(
            "INSERT INTO twin_flags SELECT * FROM unnest($1::text[], $2::bigint[]) \
             ON CONFLICT (account) DO UPDATE SET flags = twin_flags.flags + excluded.flags",
        )
        .bind(accounts)
        .bind(flags)
        .execute(&mut *transaction)
        .await?;
        commit(transaction, after).await?;
    }
}

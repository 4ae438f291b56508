//! Bringing the tables of a file up to date.

use cqrs_core::{StoreError, StoreErrorKind};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, query, query_scalar, raw_sql};
use tracing::info;

use crate::error;

struct Migration {
    number: i64,
    name: &'static str,
    sql: &'static str,
    /// What it is about.
    part: Part,
}

/// What the tables of a file are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Events and snapshots.
    Store,
    /// Projections: all that a file has that is beside another one.
    Projections,
}

/// All changes of the schema, in order. What has been released is never edited; a new change gets a new file.
const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "events",
        sql: include_str!("../migrations/0001_events.sql"),
        part: Part::Store,
    },
    Migration {
        number: 2,
        name: "snapshots",
        sql: include_str!("../migrations/0002_snapshots.sql"),
        part: Part::Store,
    },
    Migration {
        number: 3,
        name: "projections",
        sql: include_str!("../migrations/0003_projections.sql"),
        part: Part::Projections,
    },
];

/// Makes the changes that this file lacks, all in one transaction; several processes may try at once.
pub(crate) async fn migrate(
    connection: &mut SqliteConnection,
    doing: &str,
) -> Result<(), StoreError> {
    migrate_parts(connection, &[Part::Store, Part::Projections], doing).await
}

/// The same for a file that has only these parts. The changes of others count as made.
pub(crate) async fn migrate_parts(
    connection: &mut SqliteConnection,
    parts: &[Part],
    doing: &str,
) -> Result<(), StoreError> {
    // Without the write lock first, so that opening an up-to-date file does not wait for other writers.
    let applied = applied(connection).await.map_err(|failed| error::failed(doing, failed))?;
    match pending(applied, doing)? {
        [] => Ok(()),
        _ => apply(connection, parts, doing).await,
    }
}

async fn apply(
    connection: &mut SqliteConnection,
    parts: &[Part],
    doing: &str,
) -> Result<(), StoreError> {
    let failed = |failed| error::failed(doing, failed);
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    // Read again: another process may have been faster before the lock was had.
    let applied = applied(&mut transaction).await.map_err(failed)?;
    query(include_str!("../sql/create_migrations.sql"))
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
    for migration in pending(applied, doing)? {
        let doing = format!("{doing}: migration {:04}_{}", migration.number, migration.name);
        let failed = |failed| error::failed(&doing, failed);
        if parts.contains(&migration.part) {
            raw_sql(migration.sql).execute(&mut *transaction).await.map_err(failed)?;
        }
        query(include_str!("../sql/record_migration.sql"))
            .bind(migration.number)
            .bind(migration.name)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        info!("{doing}");
    }
    transaction.commit().await.map_err(failed)
}

/// The number of the last migration that was applied; 0 if none was.
async fn applied(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let used: bool =
        query_scalar(include_str!("../sql/has_migrations.sql")).fetch_one(&mut *connection).await?;
    if !used {
        return Ok(0);
    }
    query_scalar(include_str!("../sql/last_migration.sql")).fetch_one(connection).await
}

fn pending(applied: i64, doing: &str) -> Result<&'static [Migration], StoreError> {
    let known = MIGRATIONS.last().map_or(0, |migration| migration.number);
    if applied > known {
        return Err(StoreError::new(
            StoreErrorKind::Unsupported,
            format!(
                "{doing}: its tables are of schema {applied}, made by a newer program; this one knows schema {known}: \
                 update this program"
            ),
        ));
    }
    let first = MIGRATIONS.partition_point(|migration| migration.number <= applied);
    Ok(&MIGRATIONS[first..])
}

//! The schema: what is missing of it is created, what can't be worked with is refused.

use std::time::Duration;

use cqrs_core::{StoreError, StoreErrorKind};
use sqlx::{Connection, PgConnection, Row};

use crate::connections::{in_time, on_replica};
use crate::error::store_error;

/// The oldest server the store works with, as `server_version_num` tells it.
const OLDEST_SERVER: i32 = 13_00_00;

/// The migrations in order; the first has number 1. One that was released never changes.
const MIGRATIONS: [(&str, &str); 2] = [
    ("events_and_snapshots", include_str!("../migrations/0001_events_and_snapshots.sql")),
    ("projections", include_str!("../migrations/0002_projections.sql")),
];

/// The number of the last migration.
const NEWEST: usize = MIGRATIONS.len();

const BOOKKEEPING: &str = include_str!("../migrations/bookkeeping.sql");

/// Held while migrating, so that processes that start together don't all do it. It is not in the range of the keys of
/// the append fence, whose upper 16 bits are 0x4351.
const LOCK: i64 = 0x6371_7273_6d69_6772;

/// Checks that server and schema are fit for the store; creates what is missing of the schema if `migrate` is set.
/// Migrating takes as long as it takes; each look at the database ends within `limit`.
pub(crate) async fn prepare(
    connection: &mut PgConnection,
    migrate: bool,
    limit: Duration,
) -> Result<(), StoreError> {
    let failed = |error| store_error("looking at the database", error);
    let server = in_time(limit, Server::ask(connection)).await.map_err(failed)?;
    server.check()?;
    let done = if server.has_migrations { migrated(connection, limit).await? } else { 0 };
    if done < NEWEST {
        if !migrate {
            return Err(unsupported(format!(
                "the schema `cqrs` is at {done}, this program needs {NEWEST}: connect once with a role that may create \
                 it, and with migrations allowed"
            )));
        }
        let doing = format!(
            "bringing the schema `cqrs` from {done} to {NEWEST}, for which it takes a role that may create it"
        );
        run(connection).await.map_err(|error| store_error(&doing, error))?;
        // Another process, of a newer version, may have been faster.
        migrated(connection, limit).await?;
    }
    Ok(())
}

/// What a server says of itself.
struct Server {
    version: i32,
    follows: bool,
    fsync: bool,
    has_migrations: bool,
}

impl Server {
    async fn ask(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let row = sqlx::query(include_str!("../sql/server.sql")).fetch_one(connection).await?;
        Ok(Self {
            version: row.try_get("version")?,
            follows: row.try_get("follows")?,
            fsync: row.try_get("fsync")?,
            has_migrations: row.try_get("has_migrations")?,
        })
    }

    fn check(&self) -> Result<(), StoreError> {
        check_version(self.version)?;
        if self.follows {
            return Err(on_replica("connecting"));
        }
        if !self.fsync {
            tracing::warn!(
                "the server runs with fsync = off: a crash of its machine may lose or damage stored events"
            );
        }
        Ok(())
    }
}

fn check_version(version: i32) -> Result<(), StoreError> {
    if version >= OLDEST_SERVER {
        return Ok(());
    }
    let (major, minor) = (version / 10_000, version % 10_000);
    Err(unsupported(format!(
        "the server is PostgreSQL {major}.{minor}; the store needs {} or later",
        OLDEST_SERVER / 10_000
    )))
}

/// How many migrations have run, on a schema that this program can work with.
async fn migrated(connection: &mut PgConnection, limit: Duration) -> Result<usize, StoreError> {
    let failed = |error| store_error("reading which migrations have run", error);
    let query = sqlx::query(include_str!("../sql/migrated.sql"));
    let row = in_time(limit, query.fetch_one(connection)).await.map_err(failed)?;
    let number: Option<i32> = row.try_get("number").map_err(failed)?;
    let number = usize::try_from(number.unwrap_or(0)).unwrap_or(0);
    if number > NEWEST {
        return Err(unsupported(format!(
            "the schema `cqrs` is at {number}, newer than the {NEWEST} this program knows: update the program"
        )));
    }
    if !row.try_get::<bool, _>("may_read_sequence").map_err(failed)? {
        return Err(unsupported(
            "the role may not read the sequence of positions: GRANT SELECT ON SEQUENCE cqrs.events_position_seq",
        ));
    }
    Ok(number)
}

/// Runs the migrations that are missing, in one transaction and one process at a time.
async fn run(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction).await?;
    // Only now, when no other process migrates, is it certain what is missing.
    let server = Server::ask(&mut transaction).await?;
    let done = if server.has_migrations {
        let query = sqlx::query(include_str!("../sql/migrated.sql"));
        let row = query.fetch_one(&mut *transaction).await?;
        let number: Option<i32> = row.try_get("number")?;
        number.unwrap_or(0)
    } else {
        // Asked for by name first: `IF NOT EXISTS` needs the privilege to create even where it creates nothing.
        let has_schema = sqlx::query_scalar(include_str!("../sql/has_schema.sql"));
        if !has_schema.fetch_one(&mut *transaction).await? {
            sqlx::raw_sql("CREATE SCHEMA cqrs").execute(&mut *transaction).await?;
        }
        sqlx::raw_sql(BOOKKEEPING).execute(&mut *transaction).await?;
        0
    };
    for (number, (name, sql)) in (1..).zip(MIGRATIONS) {
        if number > done {
            sqlx::raw_sql(sql).execute(&mut *transaction).await?;
            sqlx::query(include_str!("../sql/record_migration.sql"))
                .bind(number)
                .bind(name)
                .execute(&mut *transaction)
                .await?;
        }
    }
    transaction.commit().await
}

fn unsupported(context: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Unsupported, context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_are_too_old_are_refused_by_name() {
        let error = check_version(12_00_17).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unsupported);
        assert!(error.to_string().contains("PostgreSQL 12.17"), "{error}");
        for fit in [13_00_00, 15_00_06, 18_00_00] {
            assert!(check_version(fit).is_ok());
        }
    }
}

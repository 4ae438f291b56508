//! SQLite: a file in a temporary directory.

use cqrs::prelude::*;
use cqrs::{BoxError, EventId, Running, SqliteModel, SqliteStore, Transaction};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Row};
use tempfile::TempDir;

use super::{Database, Kind};
use crate::bank::{AccountEvent, Balance, CATEGORY, Entry, Flags, Log};
use crate::twin;

pub struct Sqlite {
    store: SqliteStore,
    /// For what is written by hand, and for looking.
    pool: SqlitePool,
    address: String,
    /// Kept for as long as it is used.
    _directory: TempDir,
}

/// The projection that writes a row an event.
#[derive(Projection)]
#[projection(
    name = "ledger",
    model = SqliteModel,
    events(AccountEvent),
    tables = "CREATE TABLE ledger (account TEXT PRIMARY KEY, owner TEXT NOT NULL, cents INTEGER NOT NULL,
                                   events INTEGER NOT NULL) STRICT, WITHOUT ROWID"
)]
struct Ledger;

impl Project<AccountEvent> for Ledger {
    async fn project(
        &self,
        event: AccountEvent,
        received: &Received<'_>,
        transaction: &mut Transaction<Self>,
    ) -> Result<(), BoxError> {
        let (owner, cents) = Balance::change(&event);
        sqlx::query(
            "INSERT INTO ledger VALUES (?1, ?2, ?3, 1) ON CONFLICT (account) DO UPDATE \
             SET cents = cents + excluded.cents, events = events + 1",
        )
        .bind(received.stream.key())
        .bind(owner)
        .bind(cents)
        .execute(&mut **transaction)
        .await?;
        Ok(())
    }
}

/// Tables of the hand-written twins, like those of the projections.
const TWINS: &str = "
CREATE TABLE twin_balances (account TEXT PRIMARY KEY, owner TEXT NOT NULL, cents INTEGER NOT NULL,
                            events INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE twin_ledger (account TEXT PRIMARY KEY, owner TEXT NOT NULL, cents INTEGER NOT NULL,
                          events INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE twin_flags (account TEXT PRIMARY KEY, flags INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE twin_checkpoint (position INTEGER NOT NULL) STRICT;
INSERT INTO twin_checkpoint VALUES (0)";

const DROP: &str = "
DROP TABLE IF EXISTS balances; DROP TABLE IF EXISTS ledger; DROP TABLE IF EXISTS flags;
DROP TABLE IF EXISTS twin_balances; DROP TABLE IF EXISTS twin_ledger; DROP TABLE IF EXISTS twin_flags;
DROP TABLE IF EXISTS twin_checkpoint;
DELETE FROM cqrs_projections";

const INSERT: &str = "
INSERT INTO cqrs_events
    (category, key, version, event_type, schema_version, payload, event_id, correlation_id, causation_id, recorded_at)
SELECT ?1, value ->> 0, value ->> 1, value ->> 2, 1, value ->> 3, value ->> 4, value ->> 4, value ->> 4,
    unixepoch('subsec') * 1000 FROM json_each(?2) ORDER BY key";

impl Sqlite {
    async fn insert(&self, entries: &[Entry]) -> Result<(), BoxError> {
        let row = |entry: &Entry| {
            let id = EventId::random().to_string();
            let Entry { account, version, event_type, payload, .. } = entry;
            serde_json::json!([account, version, event_type, payload.as_str(), id])
        };
        let rows: serde_json::Value = entries.iter().map(row).collect();
        sqlx::query(INSERT).bind(CATEGORY).bind(rows.to_string()).execute(&self.pool).await?;
        Ok(())
    }

    async fn execute(&self, sql: &'static str) -> Result<(), BoxError> {
        sqlx::raw_sql(sql).execute(&self.pool).await?;
        Ok(())
    }
}

impl Database for Sqlite {
    const KIND: Kind = Kind::Sqlite;

    type Store = SqliteStore;

    type Model = SqliteModel;

    async fn create(log: Log) -> Result<Self, BoxError> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("bench.db");
        let address = path.display().to_string();
        let store = SqliteStore::open(&path).await?;
        // As durable as the connections of the store.
        let options =
            SqliteConnectOptions::new().filename(&path).synchronous(SqliteSynchronous::Full);
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .test_before_acquire(false)
            .connect_with(options)
            .await?;
        let made = Self { store, pool, address, _directory: directory };
        for entries in super::chunks(log) {
            made.insert(&entries).await?;
        }
        made.clear().await?;
        Ok(made)
    }

    fn address(&self) -> String {
        self.address.clone()
    }

    fn store(&self) -> SqliteStore {
        self.store.clone()
    }

    fn model(&self) -> SqliteModel {
        self.store.model()
    }

    fn start_ledger(&self, projector: &Projector) -> Running {
        projector.start(Ledger, self.model())
    }

    async fn clear(&self) -> Result<(), BoxError> {
        self.execute(DROP).await?;
        self.execute(TWINS).await?;
        self.execute("PRAGMA wal_checkpoint(TRUNCATE)").await
    }

    async fn balances(&self, table: &str) -> Result<Vec<Balance>, BoxError> {
        let sql = format!("SELECT account, owner, cents, events FROM {table} ORDER BY account");
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&self.pool).await?;
        let balance = |row: sqlx::sqlite::SqliteRow| {
            Ok(Balance {
                account: row.try_get(0)?,
                owner: row.try_get(1)?,
                cents: row.try_get(2)?,
                events: row.try_get(3)?,
            })
        };
        rows.into_iter().map(balance).collect()
    }

    async fn flags(&self, table: &str) -> Result<Vec<Flags>, BoxError> {
        let sql = format!("SELECT account, flags FROM {table} ORDER BY account");
        let rows = sqlx::query_as::<_, (String, i64)>(AssertSqlSafe(sql)).fetch_all(&self.pool);
        Ok(rows.await?.into_iter().map(|(account, flags)| Flags { account, flags }).collect())
    }

    async fn shows(&self, account: &str) -> Result<bool, BoxError> {
        let sql = "SELECT 1 FROM balances WHERE account = ?1";
        Ok(sqlx::query(sql).bind(account).fetch_optional(&self.pool).await?.is_some())
    }

    async fn twin_view(&self, batch: usize) -> Result<(), BoxError> {
        let mut connection = self.pool.acquire().await?;
        super::spawned(async move { twin::sqlite::view(&mut connection, batch).await }).await
    }

    async fn twin_ledger(&self, batch: usize) -> Result<(), BoxError> {
        let mut connection = self.pool.acquire().await?;
        super::spawned(async move { twin::sqlite::ledger(&mut connection, batch).await }).await
    }

    async fn twin_flags(&self, batch: usize) -> Result<(), BoxError> {
        let mut connection = self.pool.acquire().await?;
        super::spawned(async move { twin::sqlite::flags(&mut connection, batch).await }).await
    }
}

//! PostgreSQL: a database of a throw-away server, or of the one that `DATABASE_URL` names.

use cqrs::prelude::*;
use cqrs::{BoxError, EventId, PostgresModel, PostgresStore, Running, Transaction};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool, Row};

use super::{Database, Kind};
use crate::bank::{AccountEvent, Balance, CATEGORY, Entry, Flags, Log};
use crate::twin;

pub struct Postgres {
    store: PostgresStore,
    /// For what is written by hand, and for looking.
    pool: PgPool,
    address: String,
    /// Kept for as long as it is used.
    _database: cqrs_test_harness::Database,
}

/// The projection that writes a row an event.
#[derive(Projection)]
#[projection(
    name = "ledger",
    model = PostgresModel,
    events(AccountEvent),
    tables = "CREATE TABLE ledger (account text PRIMARY KEY, owner text NOT NULL, cents bigint NOT NULL,
                                   events bigint NOT NULL)"
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
            "INSERT INTO ledger VALUES ($1, $2, $3, 1) ON CONFLICT (account) DO UPDATE \
             SET cents = ledger.cents + excluded.cents, events = ledger.events + 1",
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
CREATE TABLE twin_balances (account text COLLATE \"C\" PRIMARY KEY, owner text NOT NULL, cents bigint NOT NULL,
                            events bigint NOT NULL);
CREATE TABLE twin_ledger (account text PRIMARY KEY, owner text NOT NULL, cents bigint NOT NULL, events bigint NOT NULL);
CREATE TABLE twin_flags (account text PRIMARY KEY, flags bigint NOT NULL);
CREATE TABLE twin_checkpoint (position bigint NOT NULL);
INSERT INTO twin_checkpoint VALUES (0)";

const DROP: &str = "
DROP TABLE IF EXISTS balances, ledger, flags, twin_balances, twin_ledger, twin_flags, twin_checkpoint;
DELETE FROM cqrs.projections";

const INSERT: &str = "
INSERT INTO cqrs.events
    (category, key, version, event_type, schema_version, payload, event_id, correlation_id, causation_id)
SELECT $1, key, version, event_type, 1, payload::json, id, id, id
FROM unnest($2::text[], $3::bigint[], $4::text[], $5::text[], $6::uuid[])
    WITH ORDINALITY AS event (key, version, event_type, payload, id, number)
ORDER BY number";

impl Postgres {
    async fn insert(&self, entries: &[Entry]) -> Result<(), BoxError> {
        let column = |of: fn(&Entry) -> &str| entries.iter().map(of).collect::<Vec<_>>();
        let ids = entries.iter().map(|_| EventId::random().as_uuid());
        sqlx::query(INSERT)
            .bind(CATEGORY)
            .bind(column(|entry| &entry.account))
            .bind(entries.iter().map(|entry| entry.version).collect::<Vec<_>>())
            .bind(column(|entry| entry.event_type))
            .bind(column(|entry| entry.payload.as_str()))
            .bind(ids.collect::<Vec<_>>())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    async fn execute(&self, sql: &'static str) -> Result<(), BoxError> {
        sqlx::raw_sql(sql).execute(&self.pool).await?;
        Ok(())
    }
}

impl Database for Postgres {
    const KIND: Kind = Kind::Postgres;

    type Store = PostgresStore;

    type Model = PostgresModel;

    async fn create(log: Log) -> Result<Self, BoxError> {
        // It blocks until the server answers.
        let server = tokio::task::spawn_blocking(cqrs_test_harness::postgres).await??;
        let database = server.database("bench").await?;
        let address = database.url();
        let store = PostgresStore::connect(&address).await?;
        let pool = PgPoolOptions::new()
            .max_connections(2)
            .test_before_acquire(false)
            .connect(&address)
            .await?;
        let made = Self { store, pool, address, _database: database };
        for entries in super::chunks(log) {
            made.insert(&entries).await?;
        }
        // Otherwise the first to read pays for it.
        made.execute("VACUUM (ANALYZE, FREEZE) cqrs.events").await?;
        made.clear().await?;
        Ok(made)
    }

    fn address(&self) -> String {
        self.address.clone()
    }

    fn store(&self) -> PostgresStore {
        self.store.clone()
    }

    fn model(&self) -> PostgresModel {
        self.store.model()
    }

    fn start_ledger(&self, projector: &Projector) -> Running {
        projector.start(Ledger, self.model())
    }

    async fn clear(&self) -> Result<(), BoxError> {
        self.execute(DROP).await?;
        self.execute(TWINS).await?;
        self.execute("CHECKPOINT").await
    }

    async fn balances(&self, table: &str) -> Result<Vec<Balance>, BoxError> {
        let sql = format!(
            "SELECT account, owner, cents, events FROM {table} ORDER BY account COLLATE \"C\""
        );
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&self.pool).await?;
        let balance = |row: sqlx::postgres::PgRow| {
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
        let sql = format!("SELECT account, flags FROM {table} ORDER BY account COLLATE \"C\"");
        let rows = sqlx::query_as::<_, (String, i64)>(AssertSqlSafe(sql)).fetch_all(&self.pool);
        Ok(rows.await?.into_iter().map(|(account, flags)| Flags { account, flags }).collect())
    }

    async fn shows(&self, account: &str) -> Result<bool, BoxError> {
        let sql = "SELECT 1 FROM balances WHERE account = $1";
        Ok(sqlx::query(sql).bind(account).fetch_optional(&self.pool).await?.is_some())
    }

    async fn twin_view(&self, batch: usize) -> Result<(), BoxError> {
        let mut connection = self.pool.acquire().await?;
        super::spawned(async move { twin::postgres::view(&mut connection, batch).await }).await
    }

    async fn twin_ledger(&self, batch: usize) -> Result<(), BoxError> {
        let mut connection = self.pool.acquire().await?;
        super::spawned(async move { twin::postgres::ledger(&mut connection, batch).await }).await
    }

    async fn twin_flags(&self, batch: usize) -> Result<(), BoxError> {
        let mut connection = self.pool.acquire().await?;
        super::spawned(async move { twin::postgres::flags(&mut connection, batch).await }).await
    }
}

//! Large stores on PostgreSQL.

use cqrs::{BoxError, PostgresModel, PostgresStore};
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgPool, query, query_as, query_scalar, raw_sql};

use super::{Batch, Large, Part};
use crate::database::Kind;

pub struct Postgres {
    store: PostgresStore,
    pool: PgPool,
    /// Kept for as long as it is used.
    _database: cqrs_test_harness::Database,
}

/// Into the table itself, through its trigger, its indexes and its sequence, in the order in which commands would have
/// come. The ids of events are ordered by time, as those of the framework are.
const INSERT: &str = r#"
INSERT INTO cqrs.events
    (category, key, version, event_type, schema_version, payload, event_id, correlation_id, causation_id)
SELECT
    'teller', 't' || account, version, 'teller.deposited', 1,
    ('{"cents":' || (number * 7919 % 100000) || ',"reference":"RF18 5390 0754 7034, rent for the second quarter of the year, '
        || 'flat ' || (account % 1000) || ', by standing order, with many thanks"}')::json,
    (time || '7' || substr(chance, 1, 3) || '8' || substr(chance, 4, 15))::uuid,
    (time || '7' || substr(chance, 16, 3) || '8' || substr(chance, 11, 15))::uuid,
    (time || '7' || substr(chance, 16, 3) || '8' || substr(chance, 11, 15))::uuid
FROM (
    SELECT
        number,
        $3 + number * 1000003 % $4 AS account,
        number / $4 + 1 AS version,
        lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') AS time,
        md5(random()::text) AS chance
    FROM generate_series($1::bigint, $2::bigint - 1) AS number
) AS event
ORDER BY number"#;

const PARTS: &str = "
SELECT 'table', pg_table_size('cqrs.events')
UNION ALL
SELECT
    'index (' || substring(pg_get_indexdef(indexrelid) FROM 'USING btree \\((.*)\\)$') || ')',
    pg_relation_size(indexrelid)
FROM pg_index WHERE indrelid = 'cqrs.events'::regclass
UNION ALL
SELECT 'all', pg_total_relation_size('cqrs.events')";

impl Large for Postgres {
    const KIND: Kind = Kind::Postgres;

    type Store = PostgresStore;

    type Model = PostgresModel;

    async fn create() -> Result<Self, BoxError> {
        // It blocks until the server answers.
        let server = tokio::task::spawn_blocking(cqrs_test_harness::postgres).await??;
        let database = server.database("bench_scale").await?;
        let store = PostgresStore::options(database.url()).max_connections(64).connect().await?;
        let pool = PgPoolOptions::new().max_connections(2).connect(&database.url()).await?;
        Ok(Self { store, pool, _database: database })
    }

    fn store(&self) -> PostgresStore {
        self.store.clone()
    }

    fn model(&self) -> PostgresModel {
        self.store.model()
    }

    async fn insert(&self, batch: Batch) -> Result<(), BoxError> {
        let Batch { first, end, first_account, accounts } = batch;
        let insert = query(INSERT).bind(first).bind(end).bind(first_account).bind(accounts);
        insert.execute(&self.pool).await?;
        Ok(())
    }

    async fn settle(&self) -> Result<(), BoxError> {
        raw_sql("VACUUM (ANALYZE, FREEZE) cqrs.events").execute(&self.pool).await?;
        raw_sql("CHECKPOINT").execute(&self.pool).await?;
        Ok(())
    }

    async fn stored(&self) -> Result<u64, BoxError> {
        let stored: i64 =
            query_scalar("SELECT count(*) FROM cqrs.events").fetch_one(&self.pool).await?;
        Ok(u64::try_from(stored)?)
    }

    async fn parts(&self) -> Result<Vec<Part>, BoxError> {
        let parts = query_as::<_, (String, i64)>(PARTS).fetch_all(&self.pool).await?;
        Ok(parts.into_iter().map(|(name, bytes)| Part { name, bytes }).collect())
    }

    async fn rewind(&self, position: i64) -> Result<(), BoxError> {
        let mut transaction = self.pool.begin().await?;
        query("DELETE FROM totals").execute(&mut *transaction).await?;
        let sql = "UPDATE cqrs.checkpoints SET position = $1 WHERE name = 'totals'";
        query(sql).bind(position).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn counted(&self) -> Result<i64, BoxError> {
        let sql = "SELECT coalesce(sum(events), 0)::bigint FROM totals";
        Ok(query_scalar(sql).fetch_one(&self.pool).await?)
    }
}

//! Large stores on SQLite.

use cqrs::{BoxError, SqliteModel, SqliteStore};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{query, query_as, query_scalar, raw_sql};
use tempfile::TempDir;

use super::{Batch, Large, Part};
use crate::database::Kind;

pub struct Sqlite {
    store: SqliteStore,
    pool: SqlitePool,
    /// Kept for as long as it is used.
    _directory: TempDir,
}

/// Into the table itself, in the order in which commands would have come. The ids of events are ordered by time, as
/// those of the framework are.
const INSERT: &str = r#"
WITH RECURSIVE counting (number) AS (
    SELECT ?1 UNION ALL SELECT number + 1 FROM counting WHERE number + 1 < ?2
), event AS MATERIALIZED (
    SELECT
        number,
        ?3 + number * 1000003 % ?4 AS account,
        number / ?4 + 1 AS version,
        printf('%012x', CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)) AS time,
        lower(hex(randomblob(18))) AS chance
    FROM counting
)
INSERT INTO cqrs_events
    (category, key, version, event_type, schema_version, payload, event_id, correlation_id, causation_id, recorded_at)
SELECT
    'teller', 't' || account, version, 'teller.deposited', 1,
    '{"cents":' || (number * 7919 % 100000) || ',"reference":"RF18 5390 0754 7034, rent for the second quarter of the year, '
        || 'flat ' || (account % 1000) || ', by standing order, with many thanks"}',
    substr(time, 1, 8) || '-' || substr(time, 9) || '-7' || substr(chance, 1, 3) || '-8' || substr(chance, 4, 3) || '-'
        || substr(chance, 7, 12),
    substr(time, 1, 8) || '-' || substr(time, 9) || '-7' || substr(chance, 19, 3) || '-8' || substr(chance, 22, 3)
        || '-' || substr(chance, 25, 12),
    substr(time, 1, 8) || '-' || substr(time, 9) || '-7' || substr(chance, 19, 3) || '-8' || substr(chance, 22, 3)
        || '-' || substr(chance, 25, 12),
    CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
FROM event
ORDER BY number"#;

/// Indexes by what they are over: those of constraints have no names of their own.
const PARTS: &str = "
WITH part AS (
    SELECT dbstat.name, type, sum(pgsize) AS bytes FROM dbstat JOIN sqlite_schema USING (name)
    WHERE tbl_name = 'cqrs_events' GROUP BY dbstat.name, type
)
SELECT
    CASE type WHEN 'table' THEN 'table' ELSE
        'index (' || (SELECT group_concat(column.name, ', ') FROM pragma_index_info(part.name) AS column) || ')' END,
    bytes
FROM part
UNION ALL
SELECT 'all', sum(bytes) FROM part";

impl Large for Sqlite {
    const KIND: Kind = Kind::Sqlite;

    type Store = SqliteStore;

    type Model = SqliteModel;

    async fn create() -> Result<Self, BoxError> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("bench.db");
        let store = SqliteStore::open(&path).await?;
        let options =
            SqliteConnectOptions::new().filename(&path).synchronous(SqliteSynchronous::Full);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        Ok(Self { store, pool, _directory: directory })
    }

    fn store(&self) -> SqliteStore {
        self.store.clone()
    }

    fn model(&self) -> SqliteModel {
        self.store.model()
    }

    async fn insert(&self, batch: Batch) -> Result<(), BoxError> {
        let Batch { first, end, first_account, accounts } = batch;
        let insert = query(INSERT).bind(first).bind(end).bind(first_account).bind(accounts);
        insert.execute(&self.pool).await?;
        Ok(())
    }

    async fn settle(&self) -> Result<(), BoxError> {
        raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.pool).await?;
        Ok(())
    }

    async fn stored(&self) -> Result<u64, BoxError> {
        let stored: i64 =
            query_scalar("SELECT count(*) FROM cqrs_events").fetch_one(&self.pool).await?;
        Ok(u64::try_from(stored)?)
    }

    async fn parts(&self) -> Result<Vec<Part>, BoxError> {
        let parts = query_as::<_, (String, i64)>(PARTS).fetch_all(&self.pool).await?;
        Ok(parts.into_iter().map(|(name, bytes)| Part { name, bytes }).collect())
    }

    async fn rewind(&self, position: i64) -> Result<(), BoxError> {
        let mut transaction = self.pool.begin().await?;
        query("DELETE FROM totals").execute(&mut *transaction).await?;
        let sql = "UPDATE cqrs_checkpoints SET position = ?1 WHERE name = 'totals'";
        query(sql).bind(position).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn counted(&self) -> Result<i64, BoxError> {
        let sql = "SELECT coalesce(sum(events), 0) FROM totals";
        Ok(query_scalar(sql).fetch_one(&self.pool).await?)
    }
}

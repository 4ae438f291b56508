//! The databases of the workloads, with a table for what is written by hand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use cqrs::{BoxError, EventId, MemoryStore, PostgresStore, SqliteStore, Store};
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, PgPool, SqlitePool, query, query_scalar};

use crate::database::Kind;

const PAYLOAD: &str = r#"{"cents":100,"reference":"RF18 5390 0754 7034"}"#;

pub struct Place {
    pub store: Arc<dyn Store>,
    pub twin: Twin,
    /// How another process reaches it, if it can.
    pub address: String,
    _database: Option<cqrs_test_harness::Database>,
    _directory: Option<tempfile::TempDir>,
}

/// What one would write by hand: an insert with a unique constraint, each in a transaction of its own.
#[derive(Clone)]
pub enum Twin {
    Postgres(PgPool),
    Sqlite(SqlitePool),
    Memory(Arc<Mutex<Streams>>),
}

/// The payloads of each stream.
type Streams = HashMap<String, Vec<String>>;

impl Place {
    /// A new database.
    pub async fn create(kind: Kind) -> Result<Self, BoxError> {
        match kind {
            Kind::Postgres => {
                let database = cqrs_test_harness::postgres()?.database("bench_write_side").await?;
                let store = PostgresStore::options(database.url()).max_connections(64);
                let store = store.connect().await?;
                let pool = PgPoolOptions::new()
                    .max_connections(64)
                    .test_before_acquire(false)
                    .connect(&database.url())
                    .await?;
                // The same table without the fence.
                query("CREATE TABLE twin (LIKE cqrs.events INCLUDING ALL)").execute(&pool).await?;
                let twin = Twin::Postgres(pool);
                let (store, address) = (Arc::new(store), database.url());
                Ok(Self { store, twin, address, _database: Some(database), _directory: None })
            }
            Kind::Sqlite => {
                let directory = tempfile::tempdir()?;
                let path = directory.path().join("bench.db");
                let store = SqliteStore::open(&path).await?;
                let options = SqliteConnectOptions::new()
                    .filename(&path)
                    .synchronous(SqliteSynchronous::Full);
                let pool =
                    SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
                let table: String =
                    query_scalar("SELECT sql FROM sqlite_schema WHERE name = 'cqrs_events'")
                        .fetch_one(&pool)
                        .await?;
                let table = table.replacen("cqrs_events", "twin", 1);
                query(AssertSqlSafe(table)).execute(&pool).await?;
                let (store, twin) = (Arc::new(store), Twin::Sqlite(pool));
                let address = path.display().to_string();
                Ok(Self { store, twin, address, _database: None, _directory: Some(directory) })
            }
            Kind::Memory => {
                let store = Arc::new(MemoryStore::new());
                let twin = Twin::Memory(Arc::default());
                let address = String::new();
                Ok(Self { store, twin, address, _database: None, _directory: None })
            }
        }
    }
}

impl Twin {
    /// Inserts one event.
    ///
    /// # Errors
    /// When the database refuses it.
    pub async fn insert(&self, key: &str, version: i64) -> Result<(), BoxError> {
        let id = EventId::random().as_uuid();
        match self {
            Self::Postgres(pool) => {
                query(
                    "INSERT INTO twin (category, key, version, event_type, schema_version, payload, event_id, \
                     correlation_id, causation_id) VALUES ($1, $2, $3, $4, $5, $6::text::json, $7, $7, $7)",
                )
                .bind("teller")
                .bind(key)
                .bind(version)
                .bind("teller.deposited")
                .bind(1_i64)
                .bind(PAYLOAD)
                .bind(id)
                .execute(pool)
                .await?;
            }
            Self::Sqlite(pool) => {
                query(
                    "INSERT INTO twin (category, key, version, event_type, schema_version, payload, event_id, \
                     correlation_id, causation_id, recorded_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?7, 0)",
                )
                .bind("teller")
                .bind(key)
                .bind(version)
                .bind("teller.deposited")
                .bind(1_i64)
                .bind(PAYLOAD)
                .bind(id.to_string())
                .execute(pool)
                .await?;
            }
            Self::Memory(streams) => {
                let mut streams = streams.lock().unwrap_or_else(PoisonError::into_inner);
                streams.entry(key.to_owned()).or_default().push(PAYLOAD.to_owned());
            }
        }
        Ok(())
    }

    /// Inserts one event at the end of a stream, at once again whenever another was quicker.
    ///
    /// # Errors
    /// When the database refuses it for another reason.
    pub async fn insert_next(&self, key: &str) -> Result<(), BoxError> {
        loop {
            let versions = match self {
                Self::Postgres(pool) => {
                    let sql = "SELECT max(version) FROM twin WHERE category = $1 AND key = $2";
                    query_scalar(sql).bind("teller").bind(key).fetch_one(pool).await?
                }
                Self::Sqlite(pool) => {
                    let sql = "SELECT max(version) FROM twin WHERE category = ?1 AND key = ?2";
                    query_scalar(sql).bind("teller").bind(key).fetch_one(pool).await?
                }
                Self::Memory(_) => Some(0_i64),
            };
            match self.insert(key, versions.unwrap_or_default() + 1).await {
                Err(error) if is_unique_violation(&*error) => {}
                done => return done,
            }
        }
    }

    /// Reads the payloads of a stream.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn read(&self, key: &str) -> Result<Vec<String>, BoxError> {
        Ok(match self {
            Self::Postgres(pool) => {
                let sql = "SELECT payload::text FROM twin WHERE category = $1 AND key = $2 ORDER BY version";
                query_scalar(sql).bind("teller").bind(key).fetch_all(pool).await?
            }
            Self::Sqlite(pool) => {
                let sql =
                    "SELECT payload FROM twin WHERE category = ?1 AND key = ?2 ORDER BY version";
                query_scalar(sql).bind("teller").bind(key).fetch_all(pool).await?
            }
            Self::Memory(streams) => {
                let streams = streams.lock().unwrap_or_else(PoisonError::into_inner);
                streams.get(key).cloned().unwrap_or_default()
            }
        })
    }
}

fn is_unique_violation(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    let error = error.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
    error.is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

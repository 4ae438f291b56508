//! Opens databases that exist, and makes none.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use cqrs::sqlite::sqlx;
use cqrs::{EventStore, Projections, SqliteStore};

/// The projections whose rows are in one database, made from the events in another one, or the same.
pub async fn open(database: &str, log: Option<&str>) -> Result<Projections, Box<dyn Error>> {
    #[cfg(feature = "postgres")]
    if is_postgres(database) {
        let store = open_postgres(database).await?;
        let log = match log {
            Some(log) => open_log(log).await?,
            None => Arc::new(store.clone()),
        };
        return Ok(Projections::new(log, store.model()));
    }
    let store = open_sqlite(database).await?;
    let log = match log {
        Some(log) => open_log(log).await?,
        None => Arc::new(store.clone()),
    };
    Ok(Projections::new(log, store.model()))
}

async fn open_log(database: &str) -> Result<Arc<dyn EventStore>, Box<dyn Error>> {
    #[cfg(feature = "postgres")]
    if is_postgres(database) {
        return Ok(Arc::new(open_postgres(database).await?));
    }
    Ok(Arc::new(open_sqlite(database).await?))
}

fn is_postgres(database: &str) -> bool {
    database.starts_with("postgres://") || database.starts_with("postgresql://")
}

#[cfg(feature = "postgres")]
async fn open_postgres(url: &str) -> Result<cqrs::PostgresStore, cqrs::StoreError> {
    cqrs::PostgresStore::options(url).migrate(false).connect().await
}

async fn open_sqlite(path: &str) -> Result<SqliteStore, Box<dyn Error>> {
    if is_postgres(path) {
        return Err("this program was built without PostgreSQL; add `--features postgres` after \
                    `cargo run`"
            .into());
    }
    if !Path::new(path).is_file() {
        return Err(format!("there is no file `{path}`").into());
    }
    // Opening a store makes its tables where they are missing: only what has them is opened.
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).read_only(true);
    let pool = sqlx::SqlitePool::connect_with(options).await?;
    let has_events = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'cqrs_events')";
    let has_events: bool = sqlx::query_scalar(has_events).fetch_one(&pool).await?;
    pool.close().await;
    if !has_events {
        return Err(format!("`{path}` holds no events").into());
    }
    Ok(SqliteStore::open(path).await?)
}

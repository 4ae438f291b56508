//! Hostile input (G13): what is refused is refused with an error that says why, and nothing of it is stored; what is
//! not refused is read back as it was written. Nothing that stands in a database makes a reader panic.
//!
//! `CQRS_SOAK` is how many times as many arbitrary cases are tried.

mod bombs;
mod codec;
mod drafts;
mod edited;
mod edited_models;
mod edited_snapshots;
mod names;
mod payloads;
mod requests;
mod rows;
mod texts;

use std::sync::Arc;

use cqrs::{
    Append, EventId, EventStore, ExpectedVersion, LogFilter, Metadata, NewEvent, Payload, Position,
    PostgresStore, RecordedEvent, SqliteStore, StreamId,
};
use cqrs_test_harness::Database;
use sqlx::{AssertSqlSafe, PgPool, SqlitePool};
use tempfile::TempDir;

/// Events of a log, as long as the tests here make them.
async fn log(store: &dyn EventStore) -> Vec<RecordedEvent> {
    let (mut events, mut after) = (Vec::new(), Position::START);
    loop {
        let page = store.read_log(&LogFilter::all(), after, 10_000).await.unwrap();
        if page.events.is_empty() {
            return events;
        }
        after = page.through;
        events.extend(page.events);
    }
}

fn stream(category: &str, key: &str) -> StreamId {
    StreamId::new(category, key).unwrap()
}

fn new_event(name: &str, schema_version: u32, payload: Payload) -> NewEvent {
    let id = EventId::random();
    let metadata = Arc::new(Metadata::of(id.as_uuid()));
    NewEvent::from_parts(id, name.to_owned(), schema_version, payload, metadata).unwrap()
}

async fn add(store: &dyn EventStore, stream: &StreamId, events: Vec<NewEvent>) {
    let append = Append::new(stream.clone(), ExpectedVersion::Any, events).unwrap();
    store.append(&append).await.unwrap();
}

/// A store on SQLite, and a way to the file behind its back.
struct OnSqlite {
    store: SqliteStore,
    operator: SqlitePool,
    _directory: TempDir,
}

impl OnSqlite {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.db");
        let store = crate::stores::sqlite(&path).await;
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
        let operator = SqlitePool::connect_with(options).await.unwrap();
        Self { store, operator, _directory: directory }
    }

    /// Does what no store does.
    async fn edit(&self, sql: &str) {
        let sql = format!("PRAGMA ignore_check_constraints = ON; {sql}");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&self.operator).await.unwrap();
    }
}

/// A store on PostgreSQL, and a way to the database behind its back.
struct OnPostgres {
    store: PostgresStore,
    operator: PgPool,
    _database: Database,
}

impl OnPostgres {
    async fn new() -> Self {
        let database = cqrs_test_harness::postgres().unwrap().database("hostile").await.unwrap();
        let store = crate::stores::postgres(&database.url()).await;
        let operator = PgPool::connect(&database.url()).await.unwrap();
        Self { store, operator, _database: database }
    }

    async fn edit(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&self.operator).await.unwrap();
    }
}

//! What the tests share: databases, events, and short forms of common steps.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cqrs_core::{
    Append, AppendError, Appended, EventId, EventStore, ExpectedVersion, LogFilter, Metadata,
    NewEvent, Payload, Position, RecordedEvent, StoreError, StreamId,
};
use cqrs_postgres::{PostgresOptions, PostgresStore};
use cqrs_test_harness::{Database, postgres};
use uuid::Uuid;

/// A store on a database of its own. The database goes with the second value.
pub(crate) async fn store(hint: &str) -> (PostgresStore, Database) {
    let database = postgres().unwrap().database(hint).await.unwrap();
    let store = PostgresStore::connect(&database.url()).await.unwrap();
    (store, database)
}

/// Another store on the same database, as another process would have it.
pub(crate) async fn second(database: &Database) -> PostgresStore {
    PostgresStore::connect(&database.url()).await.unwrap()
}

/// Tries again and again what may fail for a moment where a machine stands still.
async fn in_the_end<T>(attempt: impl AsyncFn() -> Result<T, StoreError>) -> T {
    let until = Instant::now() + Duration::from_mins(2);
    loop {
        match attempt().await {
            Ok(done) => break done,
            Err(error) => assert!(error.may_retry() && Instant::now() < until, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A store that does not wait for long.
pub(crate) async fn impatient(options: PostgresOptions) -> PostgresStore {
    in_the_end(async || options.clone().connect().await).await
}

/// Has such a store open a connection.
pub(crate) async fn open_one(store: &PostgresStore) {
    in_the_end(async || store.find(EventId::random()).await).await;
}

pub(crate) fn stream(key: &str) -> StreamId {
    StreamId::new("account", key).unwrap()
}

pub(crate) fn event(event_type: &'static str) -> NewEvent {
    let metadata = Arc::new(Metadata::of(Uuid::now_v7()));
    let payload = Payload::from_json(r#"{"cents": 500}"#).unwrap();
    NewEvent::from_parts(EventId::random(), event_type, 1, payload, metadata).unwrap()
}

pub(crate) fn events(count: usize) -> Vec<NewEvent> {
    (0..count).map(|_| event("account.deposited")).collect()
}

/// An append of this many events.
pub(crate) fn append(key: &str, expected: ExpectedVersion, count: usize) -> Append {
    Append::new(stream(key), expected, events(count)).unwrap()
}

/// Appends one event, wherever the stream stands.
pub(crate) async fn add(store: &PostgresStore, key: &str) -> Appended {
    let append = append(key, ExpectedVersion::Any, 1);
    store.append(&append).await.unwrap()
}

/// Everything from the beginning of the log to where it is complete now.
pub(crate) async fn log(store: &PostgresStore) -> Vec<RecordedEvent> {
    let mut follower = Follower::new(store, 100);
    while follower.step().await > 0 {}
    follower.seen
}

/// Reads the log page by page.
pub(crate) struct Follower {
    store: PostgresStore,
    limit: usize,
    pub(crate) after: Position,
    pub(crate) seen: Vec<RecordedEvent>,
}

impl Follower {
    pub(crate) fn new(store: &PostgresStore, limit: usize) -> Self {
        Self { store: store.clone(), limit, after: Position::START, seen: Vec::new() }
    }

    /// Reads a page, and says how many events are in it.
    pub(crate) async fn step(&mut self) -> usize {
        let page = self.store.read_log(&LogFilter::all(), self.after, self.limit).await.unwrap();
        let count = page.events.len();
        assert!(count <= self.limit);
        assert!(page.through >= self.after);
        self.seen.extend(page.events);
        self.after = page.through;
        count
    }

    /// Reads on to where the log is complete now, and returns the positions seen so far.
    pub(crate) async fn positions(&mut self) -> Vec<u64> {
        while self.step().await > 0 {}
        positions(&self.seen)
    }
}

pub(crate) fn positions(events: &[RecordedEvent]) -> Vec<u64> {
    events.iter().map(|event| event.position.get()).collect()
}

/// The conflict an append ended in.
pub(crate) fn conflict(result: Result<Appended, AppendError>) -> cqrs_core::Conflict {
    match result {
        Err(AppendError::Conflict(conflict)) => conflict,
        other => panic!("not a conflict: {other:?}"),
    }
}

/// The failure of the store an append ended in.
pub(crate) fn failure(result: Result<Appended, AppendError>) -> StoreError {
    match result {
        Err(AppendError::Store(error)) => error,
        other => panic!("not a failure of the store: {other:?}"),
    }
}

/// Runs statements that have no parameters.
pub(crate) async fn execute(store: &PostgresStore, sql: &'static str) {
    sqlx::raw_sql(sql).execute(store.pool()).await.unwrap();
}

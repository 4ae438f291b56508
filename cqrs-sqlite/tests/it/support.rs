//! What several tests need: events, appends, files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cqrs_core::{
    Append, AppendError, Appended, Conflict, EventId, EventStore, ExpectedVersion, LogFilter,
    Metadata, NewEvent, Payload, Position, RecordedEvent, StoreError, StoreErrorKind, StreamId,
};
use cqrs_sqlite::SqliteStore;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, query_scalar, raw_sql};
use tempfile::TempDir;

/// A file that does not exist yet, in a directory that goes away with the value.
pub(crate) struct Place {
    pub(crate) path: PathBuf,
    _directory: TempDir,
}

pub(crate) fn place() -> Place {
    let directory = tempfile::tempdir().unwrap();
    Place { path: directory.path().join("bank.db"), _directory: directory }
}

/// How long those wait who are to find that the file is in use: longer than a busy machine stands still.
pub(crate) const BRIEFLY: Duration = Duration::from_secs(3);

/// With a timeout that does not fire where many wait for each other on a slow machine.
pub(crate) async fn open_patiently(path: &Path) -> SqliteStore {
    let options = SqliteStore::options(path).busy_timeout(Duration::from_mins(2));
    options.open().await.unwrap()
}

pub(crate) fn stream(key: &str) -> StreamId {
    StreamId::new("account", key).unwrap()
}

pub(crate) fn event() -> NewEvent {
    event_with_id(EventId::random())
}

pub(crate) fn event_with_id(id: EventId) -> NewEvent {
    event_with_payload(id, Payload::from_json(r#"{"cents":100}"#).unwrap())
}

pub(crate) fn event_with_payload(id: EventId, payload: Payload) -> NewEvent {
    let metadata = Arc::new(Metadata::of(id.as_uuid()));
    NewEvent::from_parts(id, "account.deposited", 1, payload, metadata).unwrap()
}

pub(crate) fn events(count: usize) -> Vec<NewEvent> {
    std::iter::repeat_with(event).take(count).collect()
}

/// Events of one append that tell how many they are, so that [`assert_all_or_nothing`] can check it.
pub(crate) fn marked_events(count: usize) -> Vec<NewEvent> {
    let metadata = Arc::new(Metadata::of(EventId::random().as_uuid()));
    let payload = Payload::from_json(count.to_string()).unwrap();
    let marked = || {
        let (payload, metadata) = (payload.clone(), Arc::clone(&metadata));
        NewEvent::from_parts(EventId::random(), "test.marked", 1, payload, metadata).unwrap()
    };
    std::iter::repeat_with(marked).take(count).collect()
}

/// Of the [`marked_events`] of one append, all are stored one after the other, or none is.
#[track_caller]
pub(crate) fn assert_all_or_nothing(log: &[RecordedEvent]) {
    let of_one_append = |a: &RecordedEvent, b: &RecordedEvent| {
        a.metadata.correlation_id == b.metadata.correlation_id
    };
    for stored in log.chunk_by(of_one_append) {
        assert_eq!(stored.len(), stored[0].payload.parse::<usize>().unwrap());
    }
}

pub(crate) fn append(key: &str, expected: ExpectedVersion, events: &[NewEvent]) -> Append {
    Append::new(stream(key), expected, events.to_vec()).unwrap()
}

/// Appends these events wherever the stream stands.
pub(crate) async fn store_events(store: &SqliteStore, key: &str, events: &[NewEvent]) -> Appended {
    store.append(&append(key, ExpectedVersion::Any, events)).await.unwrap()
}

pub(crate) async fn log(store: &SqliteStore) -> Vec<RecordedEvent> {
    let (mut log, mut after) = (Vec::new(), Position::START);
    loop {
        let page = store.read_log(&LogFilter::all(), after, usize::MAX).await.unwrap();
        if page.events.is_empty() {
            return log;
        }
        log.extend(page.events);
        after = page.through;
    }
}

pub(crate) fn ids(events: &[RecordedEvent]) -> Vec<EventId> {
    events.iter().map(|event| event.id).collect()
}

#[track_caller]
pub(crate) fn conflict(result: Result<Appended, AppendError>) -> Conflict {
    match result {
        Err(AppendError::Conflict(conflict)) => conflict,
        other => panic!("expected a conflict, got {other:?}"),
    }
}

#[track_caller]
pub(crate) fn failure<T: std::fmt::Debug>(result: Result<T, impl Into<AppendError>>) -> StoreError {
    match result.map_err(Into::into) {
        Err(AppendError::Store(error)) => error,
        other => panic!("expected a failure of the store, got {other:?}"),
    }
}

/// The failure must be of this kind and its message must say this.
#[track_caller]
pub(crate) fn assert_failure(error: &StoreError, kind: StoreErrorKind, says: &str) {
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(says), "{error}");
}

/// A connection beside the store, as an operator or the application has one.
pub(crate) async fn connect(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    options.busy_timeout(Duration::from_mins(2)).connect().await.unwrap()
}

pub(crate) async fn execute(connection: &mut SqliteConnection, sql: impl Into<String>) {
    raw_sql(AssertSqlSafe(sql.into())).execute(connection).await.unwrap();
}

/// The file is whole, and the versions of every stream are 1, 2, 3 … in order of position.
pub(crate) async fn assert_sound(path: &Path) {
    let mut connection = connect(path).await;
    let check: String =
        query_scalar("PRAGMA integrity_check").fetch_one(&mut connection).await.unwrap();
    assert_eq!(check, "ok");
    let out_of_place: i64 = query_scalar(
        "SELECT count(*) FROM (SELECT version, row_number() OVER \
             (PARTITION BY category, key ORDER BY position) AS number FROM cqrs_events) \
         WHERE version <> number",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(out_of_place, 0, "gaps, or versions out of order");
}

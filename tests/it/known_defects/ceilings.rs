//! Numbers that end too early: versions of 16 bits, positions of 32.

use cqrs::{AppendError, EventStore, ExpectedVersion, LogFilter, Position, StreamId, Version};
use sqlx::AssertSqlSafe;

use super::{add, append_of};

const VERSION: u64 = (1 << 40) - 1;
const POSITION: u64 = (1 << 47) - 1;

/// The stream stands at `VERSION`, the log at `POSITION`.
async fn counting_goes_on(store: &dyn EventStore) {
    let stream = StreamId::new("counter", "a").unwrap();
    let early = append_of("a", ExpectedVersion::Exact(Version::new(1)), "counter.added", 1);
    let error = store.append(&early).await.unwrap_err();
    let AppendError::Conflict(conflict) = error else { panic!("{error}") };
    assert_eq!(conflict.actual, Version::new(VERSION));
    let expected = ExpectedVersion::Exact(Version::new(VERSION));
    let append = append_of("a", expected, "counter.added", 3);
    let appended = store.append(&append).await.unwrap();
    assert_eq!(appended.version, Version::new(VERSION + 3));
    assert!(appended.position >= Position::new(POSITION + 3), "{appended}");
    // The same again is the same.
    let again = store.append(&append).await.unwrap();
    assert!(again.replayed && again.version == appended.version);
    let read = store.read_stream(&stream, Version::new(VERSION), 10).await.unwrap();
    assert_eq!(read.iter().map(|event| event.version.get()).max(), Some(VERSION + 3));
    for filter in [LogFilter::all(), LogFilter::all().event_type("counter.added")] {
        let page = store.read_log(&filter, Position::new(POSITION), 10).await.unwrap();
        assert_eq!((page.events.len(), page.through), (3, appended.position));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g2_g5_versions_and_positions_count_beyond_32_bits_on_postgres() {
    let database = cqrs_test_harness::postgres().unwrap().database("ceilings").await.unwrap();
    let store = crate::stores::postgres(&database.url()).await;
    add(&store, "a", "counter.added", 1).await;
    let sql = format!(
        "UPDATE cqrs.events SET version = {VERSION}, position = {POSITION}; \
         SELECT setval('cqrs.events_position_seq', {POSITION})"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(store.pool()).await.unwrap();
    counting_goes_on(&store).await;
}

#[tokio::test]
async fn g2_g5_versions_and_positions_count_beyond_32_bits_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ceilings.db");
    let store = crate::stores::sqlite(&path).await;
    add(&store, "a", "counter.added", 1).await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let operator = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let sql = format!(
        "UPDATE cqrs_events SET version = {VERSION}, position = {POSITION}; \
         UPDATE sqlite_sequence SET seq = {POSITION} WHERE name = 'cqrs_events'"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&operator).await.unwrap();
    counting_goes_on(&store).await;
}

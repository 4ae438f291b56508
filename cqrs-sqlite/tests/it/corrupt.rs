//! Files that someone edited or that were damaged.

use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};

use cqrs_core::{
    EventStore, ExpectedVersion, LogFilter, Position, SnapshotStore, StoreErrorKind, Version,
};
use cqrs_sqlite::SqliteStore;

use crate::support::{
    append, assert_failure, connect, event, events, execute, failure, place, store_events, stream,
};

#[tokio::test]
async fn a_row_that_is_not_an_event_is_named() {
    for edit in [
        "event_id = 'x'",
        "event_id = event_id || ' ' || correlation_id",
        "event_id = event_id || char(0)",
        "event_type = ''",
        "event_type = 'a' || char(0) || 'b'",
        "event_type = CAST(x'ff' AS TEXT)",
        "schema_version = 0",
        "schema_version = 5000000000",
        "payload = CAST(x'ff' AS TEXT)",
        "correlation_id = ''",
        "causation_id = 'none'",
        "details = 'none'",
        "details = '[]'",
        "recorded_at = -1",
    ] {
        let place = place();
        let store = SqliteStore::open(&place.path).await.unwrap();
        store_events(&store, "1", &events(3)).await;
        let mut operator = connect(&place.path).await;
        let sql = format!(
            "PRAGMA ignore_check_constraints = ON; UPDATE cqrs_events SET {edit} WHERE version = 2"
        );
        execute(&mut operator, sql).await;
        let place = "position 2, version 2 of stream `account/1`";
        let error = failure(store.read_log(&LogFilter::all(), Position::START, 10).await);
        assert_failure(&error, StoreErrorKind::Corrupt, place);
        let error = failure(store.read_stream(&stream("1"), Version::NONE, 10).await);
        assert_failure(&error, StoreErrorKind::Corrupt, place);
        // Only what holds the row is affected.
        let rest = store.read_log(&LogFilter::all(), Position::new(2), 10).await.unwrap();
        assert_eq!(rest.events.len(), 1);
    }
}

#[tokio::test]
async fn a_row_that_names_no_stream_is_named_by_its_position() {
    for edit in ["category = 'a/b'", "category = ''", "key = ''"] {
        let place = place();
        let store = SqliteStore::open(&place.path).await.unwrap();
        let event = event();
        store_events(&store, "1", std::slice::from_ref(&event)).await;
        let mut operator = connect(&place.path).await;
        execute(&mut operator, format!("UPDATE cqrs_events SET {edit}")).await;
        let error = failure(store.read_log(&LogFilter::all(), Position::START, 10).await);
        assert_failure(&error, StoreErrorKind::Corrupt, "position 1");
        let error = failure(store.find(event.id()).await);
        assert_failure(&error, StoreErrorKind::Corrupt, "position 1");
    }
}

#[tokio::test]
async fn missing_tables_are_not_taken_for_empty_ones() {
    let place = place();
    let store = SqliteStore::open(&place.path).await.unwrap();
    store_events(&store, "1", &[event()]).await;
    let mut operator = connect(&place.path).await;
    execute(&mut operator, "DROP TABLE cqrs_events").await;
    let append = append("1", ExpectedVersion::Any, &[event()]);
    let error = failure(store.append(&append).await);
    assert_failure(&error, StoreErrorKind::Unsupported, "no such table");
    let error = failure(store.read_from_snapshot(&stream("1"), 1, 10).await);
    assert_failure(&error, StoreErrorKind::Unsupported, "no such table");
}

#[tokio::test]
async fn a_damaged_file_is_corrupt() {
    let place = place();
    let store = SqliteStore::open(&place.path).await.unwrap();
    store_events(&store, "1", &events(1000)).await;
    store.close().await;
    let mut file = OpenOptions::new().write(true).open(&place.path).unwrap();
    let length = file.metadata().unwrap().len();
    // The first page has the schema, so that the file can still be opened.
    file.seek(SeekFrom::Start(4096)).unwrap();
    let damage = vec![0xa5; usize::try_from(length).unwrap() - 4096];
    file.write_all(&damage).unwrap();
    let error = match SqliteStore::open(&place.path).await {
        Ok(store) => failure(store.read_log(&LogFilter::all(), Position::START, 10).await),
        Err(error) => error,
    };
    assert_failure(&error, StoreErrorKind::Corrupt, "damaged");
}

#[tokio::test]
async fn a_constraint_of_the_application_on_our_table_is_reported_as_such() {
    let place = place();
    let store = SqliteStore::open(&place.path).await.unwrap();
    let mut operator = connect(&place.path).await;
    execute(&mut operator, "CREATE UNIQUE INDEX mine ON cqrs_events (payload)").await;
    store_events(&store, "1", &[event()]).await;
    let append = append("1", ExpectedVersion::Any, &[event()]);
    let error = failure(store.append(&append).await);
    assert_failure(&error, StoreErrorKind::Other, "constraint");
}

#[tokio::test]
async fn a_trigger_that_swallows_events_does_not_keep_an_append_going_forever() {
    let place = place();
    let store = SqliteStore::open(&place.path).await.unwrap();
    let mut operator = connect(&place.path).await;
    let sql = "CREATE TRIGGER mine BEFORE INSERT ON cqrs_events BEGIN SELECT raise(IGNORE); END";
    execute(&mut operator, sql).await;
    let append = append("1", ExpectedVersion::Any, &[event()]);
    let error = failure(store.append(&append).await);
    assert_failure(&error, StoreErrorKind::Busy, "in a row");
}

//! Opening and closing files, good and bad.

use std::fs;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use cqrs_core::{
    EventId, EventStore, ExpectedVersion, LogFilter, Payload, Position, SnapshotStore,
    StoreErrorKind, Version,
};
use cqrs_sqlite::SqliteStore;
use sqlx::query_scalar;

use crate::support::{
    BRIEFLY, append, assert_failure, connect, event, event_with_payload, execute, failure, log,
    place, store_events, stream,
};

#[tokio::test]
async fn a_missing_directory_is_named() {
    let place = place();
    let path = place.path.join("deeper").join("bank.db");
    let error = failure(SqliteStore::open(&path).await);
    assert_failure(&error, StoreErrorKind::Unavailable, "does not exist");
    let directory = path.parent().unwrap().to_str().unwrap();
    assert!(error.to_string().contains(directory), "{error}");
}

#[tokio::test]
async fn a_directory_is_no_database() {
    let place = place();
    let error = failure(SqliteStore::open(place.path.parent().unwrap()).await);
    assert_failure(&error, StoreErrorKind::Unavailable, "can't be opened");
}

#[tokio::test]
async fn a_file_of_another_kind_is_refused_and_left_alone() {
    let place = place();
    let text = "name,cents\n".repeat(1000);
    fs::write(&place.path, &text).unwrap();
    let error = failure(SqliteStore::open(&place.path).await);
    assert_failure(&error, StoreErrorKind::Unsupported, "not an SQLite database");
    assert!(error.to_string().contains(place.path.to_str().unwrap()));
    assert_eq!(fs::read_to_string(&place.path).unwrap(), text);
}

/// The encoding is that of the first table, which may be one of the application.
#[tokio::test]
async fn a_file_with_texts_in_another_encoding_holds_events_all_the_same() {
    let place = place();
    let mut application = connect(&place.path).await;
    execute(&mut application, "PRAGMA encoding = 'UTF-16'; CREATE TABLE own (name TEXT)").await;
    let store = SqliteStore::open(&place.path).await.unwrap();
    let payload = Payload::from_json(r#"{"name":"Zoë 🦀"}"#).unwrap();
    let event = event_with_payload(EventId::random(), payload);
    let key = "größe/🦀";
    store_events(&store, key, slice::from_ref(&event)).await;
    let read = log(&store).await;
    assert_eq!((read[0].stream.clone(), &read[0].payload), (stream(key), event.payload()));
    assert_eq!(store.read_stream(&stream(key), Version::NONE, 10).await.unwrap(), read);
    assert_eq!(store.find(event.id()).await.unwrap().as_ref(), read.first());
    let encoding: String =
        query_scalar("PRAGMA encoding").fetch_one(&mut application).await.unwrap();
    assert!(encoding.starts_with("UTF-16"), "{encoding}");
}

#[tokio::test]
async fn names_that_mean_something_else_to_sqlite_are_refused() {
    for path in [":memory:", "sqlite://bank.db", "file:bank.db?mode=memory", ""] {
        let error = failure(SqliteStore::open(path).await);
        assert_failure(&error, StoreErrorKind::InvalidInput, "opening");
    }
}

#[tokio::test]
async fn a_schema_of_a_newer_program_is_refused() {
    let place = place();
    SqliteStore::open(&place.path).await.unwrap().close().await;
    let mut newer = connect(&place.path).await;
    execute(&mut newer, "INSERT INTO cqrs_migrations VALUES (999, 'newer', 0)").await;
    let error = failure(SqliteStore::open(&place.path).await);
    assert_failure(&error, StoreErrorKind::Unsupported, "schema 999");
}

#[tokio::test]
async fn a_file_of_an_older_program_is_brought_up_to_date_and_keeps_its_events() {
    let place = place();
    let store = SqliteStore::open(&place.path).await.unwrap();
    store_events(&store, "1", &[event()]).await;
    store.close().await;
    let mut older = connect(&place.path).await;
    let sql = "DROP TABLE cqrs_projections; DROP TABLE cqrs_checkpoints; DROP TABLE cqrs_members; \
               DROP TABLE cqrs_parked; DROP TABLE cqrs_beside; DROP TABLE cqrs_snapshots; \
               DELETE FROM cqrs_migrations WHERE number > 1";
    execute(&mut older, sql).await;
    let store = SqliteStore::open(&place.path).await.unwrap();
    let (snapshot, events) = store.read_from_snapshot(&stream("1"), 1, 10).await.unwrap();
    assert_eq!((snapshot, events.len()), (None, 1));
}

#[tokio::test]
async fn tables_of_the_application_stay_as_they_are() {
    let place = place();
    let mut application = connect(&place.path).await;
    let sql = "PRAGMA user_version = 7; CREATE TABLE balances (cents INTEGER); \
               INSERT INTO balances VALUES (100)";
    execute(&mut application, sql).await;
    let store = SqliteStore::open(&place.path).await.unwrap();
    store_events(&store, "1", &[event()]).await;
    let kept: i64 =
        query_scalar("SELECT cents + (SELECT * FROM pragma_user_version) FROM balances")
            .fetch_one(&mut application)
            .await
            .unwrap();
    assert_eq!(kept, 107);
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing_behind() {
    let place = place();
    let mut application = connect(&place.path).await;
    execute(&mut application, "CREATE TABLE cqrs_snapshots (mine TEXT)").await;
    let error = failure(SqliteStore::open(&place.path).await);
    assert_failure(&error, StoreErrorKind::Unsupported, "migration 0002_snapshots");
    let tables: i64 = query_scalar("SELECT count(*) FROM sqlite_schema WHERE type = 'table'")
        .fetch_one(&mut application)
        .await
        .unwrap();
    assert_eq!(tables, 1);
}

#[tokio::test]
async fn a_file_locked_by_another_is_busy() {
    let place = place();
    let mut other = connect(&place.path).await;
    execute(&mut other, "CREATE TABLE mine (id); BEGIN EXCLUSIVE").await;
    let options = SqliteStore::options(&place.path).busy_timeout(BRIEFLY);
    let error = failure(options.clone().open().await);
    assert_failure(&error, StoreErrorKind::Busy, "locked");
    execute(&mut other, "COMMIT").await;
    options.open().await.unwrap();
}

#[tokio::test]
async fn a_long_transaction_of_another_makes_writes_busy_and_reads_go_on() {
    let place = place();
    let store = SqliteStore::options(&place.path).busy_timeout(BRIEFLY).open().await.unwrap();
    store_events(&store, "1", &[event()]).await;
    let mut other = connect(&place.path).await;
    execute(&mut other, "BEGIN IMMEDIATE").await;
    let append = append("1", ExpectedVersion::Any, &[event()]);
    let error = failure(store.append(&append).await);
    assert_failure(&error, StoreErrorKind::Busy, "end its long transaction");
    assert!(error.may_retry());
    assert_eq!(log(&store).await.len(), 1);
    execute(&mut other, "ROLLBACK").await;
    assert!(!store.append(&append).await.unwrap().replayed);
}

#[tokio::test]
async fn any_timeout_and_number_of_readers_will_do() {
    for (timeout, readers) in [(Duration::MAX, u16::MAX), (Duration::ZERO, 0)] {
        let place = place();
        let store = SqliteStore::options(&place.path)
            .busy_timeout(timeout)
            .readers(readers)
            .open()
            .await
            .unwrap();
        store_events(&store, "1", &[event()]).await;
        assert_eq!(log(&store).await.len(), 1);
    }
}

#[tokio::test]
async fn a_closed_store_says_so_and_so_do_its_clones() {
    let place = place();
    for store in
        [SqliteStore::open(&place.path).await.unwrap(), SqliteStore::in_memory().await.unwrap()]
    {
        let clone = store.clone();
        store_events(&clone, "1", &[event()]).await;
        // Behind a pointer it is the method of the port.
        let behind_a_pointer: Arc<dyn EventStore> = Arc::new(store.clone());
        behind_a_pointer.close().await;
        let append = append("1", ExpectedVersion::Any, &[event()]);
        let error = failure(clone.append(&append).await);
        assert_failure(&error, StoreErrorKind::Unavailable, "closed");
        let error = failure(clone.read_log(&LogFilter::all(), Position::START, 1).await);
        assert_failure(&error, StoreErrorKind::Unavailable, "closed");
        store.close().await;
    }
    let left: Vec<_> = fs::read_dir(place.path.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1, "only the database file stays: {left:?}");
}

// Elsewhere a file that is open can't be removed.
#[cfg(unix)]
#[tokio::test]
async fn a_file_that_was_removed_is_not_taken_for_an_empty_one() {
    let place = place();
    let store = SqliteStore::open(&place.path).await.unwrap();
    fs::remove_file(&place.path).unwrap();
    let error = failure(store.read_log(&LogFilter::all(), Position::START, 1).await);
    assert_failure(&error, StoreErrorKind::Unavailable, "can't be opened");
    assert!(!place.path.exists());
}

#[tokio::test]
async fn two_stores_in_memory_have_nothing_in_common() {
    let one = SqliteStore::in_memory().await.unwrap();
    let other = SqliteStore::in_memory().await.unwrap();
    store_events(&one, "1", &[event()]).await;
    assert_eq!((log(&one).await.len(), log(&other).await.len()), (1, 0));
}

#[test]
fn a_store_outlives_the_runtime_it_was_opened_on() {
    let place = place();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = runtime().block_on(SqliteStore::open(&place.path)).unwrap();
    for count in 1..5 {
        runtime().block_on(store_events(&store, "1", &[event()]));
        assert_eq!(runtime().block_on(log(&store)).len(), count);
    }
}

#[tokio::test]
async fn debug_output_shows_the_path() {
    let place = place();
    let store = SqliteStore::open(&place.path).await.unwrap();
    assert!(format!("{store:?}").contains("bank.db"));
}

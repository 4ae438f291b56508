//! Futures that are dropped before they are done.

use std::time::Duration;

use cqrs_core::{EventStore, ExpectedVersion, NewEvent};
use cqrs_sqlite::SqliteStore;
use sqlx::query_scalar;

use crate::support::{
    append, assert_all_or_nothing, assert_sound, connect, event, execute, log, marked_events,
    place, store_events,
};

/// Starts an append and drops it after a while.
async fn drop_an_append(store: &SqliteStore, events: &[NewEvent], after: Duration) {
    let append = append("dropped", ExpectedVersion::Any, events);
    tokio::select! {
        biased;
        _ = store.append(&append) => {}
        () = tokio::time::sleep(after) => {}
    }
}

async fn drop_appends_at_many_points(store: &SqliteStore) {
    for round in 0..200 {
        let events = marked_events(50);
        // From before it has begun to after it is done.
        drop_an_append(store, &events, Duration::from_micros(round * 37)).await;
        let kept = event();
        let appended = store_events(store, "kept", std::slice::from_ref(&kept)).await;
        assert_eq!(appended.version.get(), round + 1);
        // What became of it is found out, and mended, by appending the same events again.
        if round % 2 == 0 {
            let again = store_events(store, "dropped", &events).await;
            assert!(again.version.get() >= 50);
        }
    }
    let log = log(store).await;
    let (dropped, kept): (Vec<_>, Vec<_>) =
        log.into_iter().partition(|event| event.stream.key() == "dropped");
    assert_eq!(kept.len(), 200);
    assert!(dropped.len() >= 100 * 50);
    assert_all_or_nothing(&dropped);
    assert!(dropped.iter().map(|event| event.version.get()).eq(1..=dropped.len() as u64));
}

#[tokio::test]
async fn g14_a_dropped_append_is_stored_whole_or_not_at_all() {
    let place = place();
    let store = SqliteStore::open(&place.path).await.unwrap();
    drop_appends_at_many_points(&store).await;
    assert_sound(&place.path).await;
    // No transaction is left open: another connection gets all locks.
    let mut other = connect(&place.path).await;
    let busy: i64 =
        query_scalar("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut other).await.unwrap();
    assert_eq!(busy, 0);
    execute(&mut other, "BEGIN IMMEDIATE; ROLLBACK").await;
}

#[tokio::test]
async fn g14_a_store_in_memory_outlives_dropped_appends() {
    let store = SqliteStore::in_memory().await.unwrap();
    drop_appends_at_many_points(&store).await;
}

#[tokio::test]
async fn g14_an_append_dropped_while_it_waits_for_a_lock_does_no_harm() {
    let place = place();
    let store = SqliteStore::open(&place.path).await.unwrap();
    let mut other = connect(&place.path).await;
    execute(&mut other, "BEGIN IMMEDIATE").await;
    let events = marked_events(5);
    drop_an_append(&store, &events, Duration::from_millis(20)).await;
    assert_eq!(log(&store).await, []);
    execute(&mut other, "COMMIT").await;
    // It still waits on SQLite's own thread, ahead of the next one.
    store_events(&store, "kept", &[event()]).await;
    let again = store_events(&store, "dropped", &events).await;
    assert_eq!(again.version.get(), 5);
    let log = log(&store).await;
    assert_eq!(log.len(), 6);
}

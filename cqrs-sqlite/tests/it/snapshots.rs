//! Snapshots in the file.

use cqrs_core::{EventId, EventStore, Payload, Snapshot, SnapshotStore, StoreErrorKind, Version};
use cqrs_sqlite::SqliteStore;

use crate::support::{
    assert_failure, connect, events, execute, failure, ids, place, store_events, stream,
};

fn snapshot(version: u64, event_id: EventId, fingerprint: u64) -> Snapshot {
    Snapshot {
        version: Version::new(version),
        event_id,
        fingerprint,
        state: Payload::from_json(format!("{{\"cents\": {version} }}")).unwrap(),
    }
}

#[tokio::test]
async fn a_snapshot_comes_with_the_events_from_its_version_on() {
    let place = place();
    let store = SqliteStore::open(&place.path).await.unwrap();
    let events = events(5);
    store_events(&store, "1", &events).await;
    // Beyond what a signed number holds.
    let fingerprint = u64::MAX - 1;
    let kept = snapshot(3, events[2].id(), fingerprint);
    store.save_snapshot(&stream("1"), kept.clone()).await.unwrap();
    store.close().await;

    let store = SqliteStore::open(&place.path).await.unwrap();
    let read = async |key: &str, fingerprint, limit| {
        let stream = stream(key);
        let read = store.read_from_snapshot(&stream, fingerprint, limit).await;
        let (snapshot, events) = read.unwrap();
        let after = snapshot.as_ref().map_or(Version::NONE, |kept| kept.version.previous());
        assert_eq!(events, store.read_stream(&stream, after, limit).await.unwrap());
        (snapshot, ids(&events))
    };
    let all: Vec<EventId> = events.iter().map(cqrs_core::NewEvent::id).collect();
    assert_eq!(read("1", fingerprint, 10).await, (Some(kept.clone()), all[2..].to_vec()));
    assert_eq!(read("1", fingerprint, 2).await, (Some(kept.clone()), all[2..4].to_vec()));
    assert_eq!(read("1", fingerprint, 0).await, (Some(kept.clone()), vec![]));
    assert_eq!(read("1", 1, 2).await, (None, all[..2].to_vec()));
    assert_eq!(read("2", fingerprint, 2).await, (None, vec![]));

    // A stream that lost its events still shows its snapshot, for the caller to judge.
    let mut operator = connect(&place.path).await;
    execute(&mut operator, "DELETE FROM cqrs_events").await;
    assert_eq!(read("1", fingerprint, 10).await, (Some(kept), vec![]));
}

#[tokio::test]
async fn an_older_snapshot_does_not_replace_a_newer_one_of_the_same_shape() {
    let store = SqliteStore::in_memory().await.unwrap();
    let id = EventId::random();
    let stream = stream("1");
    let save = async |snapshot: &Snapshot| {
        store.save_snapshot(&stream, snapshot.clone()).await.unwrap();
        let read = store.read_from_snapshot(&stream, snapshot.fingerprint, 0).await;
        read.unwrap().0.unwrap()
    };
    let fifth = snapshot(5, id, 1);
    assert_eq!(save(&fifth).await, fifth);
    assert_eq!(save(&snapshot(4, id, 1)).await, fifth);
    let same_version = snapshot(5, EventId::random(), 1);
    assert_eq!(save(&same_version).await, same_version);
    let other_shape = snapshot(2, id, u64::MAX);
    assert_eq!(save(&other_shape).await, other_shape);
}

#[tokio::test]
async fn a_row_that_is_not_a_snapshot_is_corrupt() {
    let place = place();
    let store = SqliteStore::open(&place.path).await.unwrap();
    let kept = snapshot(3, EventId::random(), 1);
    for edit in ["event_id = ''", "version = -3", "state = CAST(x'ff' AS TEXT)"] {
        store.save_snapshot(&stream("1"), kept.clone()).await.unwrap();
        let mut operator = connect(&place.path).await;
        execute(&mut operator, format!("UPDATE cqrs_snapshots SET {edit}")).await;
        let error = failure(store.read_from_snapshot(&stream("1"), 1, 10).await);
        assert_failure(&error, StoreErrorKind::Corrupt, "stream `account/1`");
    }
}

//! Pages, snapshots, and rows that are not events.

use cqrs_core::{
    EventId, EventStore, ExpectedVersion, LogFilter, Payload, Position, Snapshot, SnapshotStore,
    StoreErrorKind, Version,
};

use crate::support::{add, append, execute, log, positions, store, stream};

#[tokio::test]
async fn pages_of_a_stream_begin_after_a_version_and_end_at_the_limit() {
    let (store, _database) = store("pages").await;
    store.append(&append("a", ExpectedVersion::Any, 5)).await.unwrap();
    store.append(&append("b", ExpectedVersion::Any, 5)).await.unwrap();
    let cases = [
        (0, 2, vec![1, 2]),
        (2, 10, vec![3, 4, 5]),
        (4, 1, vec![5]),
        (5, 10, vec![]),
        (u64::MAX, 10, vec![]),
        (0, 0, vec![]),
        (3, usize::MAX, vec![4, 5]),
    ];
    for (after, limit, expected) in cases {
        let page = store.read_stream(&stream("a"), Version::new(after), limit).await.unwrap();
        let versions: Vec<u64> = page.iter().map(|event| event.version.get()).collect();
        assert_eq!(versions, expected, "after {after}, at most {limit}");
        assert!(page.iter().all(|event| event.stream == stream("a")));
    }
    let none = store.read_stream(&stream("none"), Version::NONE, 10).await.unwrap();
    assert_eq!(none, []);
    assert_eq!(store.find(EventId::random()).await.unwrap(), None);
}

#[tokio::test]
async fn pages_of_the_log_say_where_to_go_on() {
    let (store, _database) = store("log_pages").await;
    for key in ["a", "b", "a", "c"] {
        add(&store, key).await;
    }
    let all = positions(&log(&store).await);
    for limit in [1, 2, 3, 4, 5, usize::MAX] {
        let mut after = Position::START;
        let mut seen = Vec::new();
        loop {
            let page = store.read_log(&LogFilter::all(), after, limit).await.unwrap();
            after = page.through;
            if page.events.is_empty() {
                break;
            }
            seen.extend(positions(&page.events));
        }
        assert_eq!(seen, all, "pages of {limit}");
    }
    let none = store.read_log(&LogFilter::all(), Position::new(1), 0).await.unwrap();
    assert_eq!((none.events.len(), none.through), (0, Position::new(1)));
}

#[tokio::test]
async fn g9_a_snapshot_comes_with_the_events_from_its_own_version_on() {
    let (store, _database) = store("snapshots").await;
    store.append(&append("a", ExpectedVersion::Any, 5)).await.unwrap();
    store.append(&append("b", ExpectedVersion::Any, 5)).await.unwrap();
    let events = store.read_stream(&stream("a"), Version::NONE, 10).await.unwrap();
    let snapshot = |version: u64, fingerprint| Snapshot {
        version: Version::new(version),
        event_id: events[usize::try_from(version).unwrap() - 1].id,
        fingerprint,
        state: Payload::from_json("{\"cents\":  7}").unwrap(),
    };
    let read = async |fingerprint, limit| {
        store.read_from_snapshot(&stream("a"), fingerprint, limit).await.unwrap()
    };
    assert_eq!(read(u64::MAX, 3).await, (None, events[..3].to_vec()));
    let save = async |snapshot| store.save_snapshot(&stream("a"), snapshot).await.unwrap();
    save(snapshot(3, u64::MAX)).await;
    assert_eq!(read(u64::MAX, 10).await, (Some(snapshot(3, u64::MAX)), events[2..].to_vec()));
    assert_eq!(read(u64::MAX, 2).await, (Some(snapshot(3, u64::MAX)), events[2..4].to_vec()));
    // Another shape: the snapshot is as if it were not there.
    assert_eq!(read(1, 10).await, (None, events.clone()));
    // An older one of the same shape does not replace it; one of another shape does.
    save(snapshot(2, u64::MAX)).await;
    assert_eq!(read(u64::MAX, 1).await.0, Some(snapshot(3, u64::MAX)));
    save(snapshot(5, u64::MAX)).await;
    assert_eq!(read(u64::MAX, 10).await, (Some(snapshot(5, u64::MAX)), events[4..].to_vec()));
    save(snapshot(1, 1)).await;
    assert_eq!(read(1, 10).await, (Some(snapshot(1, 1)), events.clone()));
    assert_eq!(read(u64::MAX, 10).await, (None, events.clone()));
    // A snapshot that runs ahead of its stream still comes, without events.
    let ahead = Snapshot { version: Version::new(99), ..snapshot(5, 1) };
    save(ahead.clone()).await;
    assert_eq!(read(1, 10).await, (Some(ahead), vec![]));
}

#[tokio::test]
async fn rows_that_are_not_events_are_named_by_stream_and_position() {
    let damages = [
        "UPDATE cqrs.events SET category = 'not/a/category'",
        "UPDATE cqrs.events SET key = ''",
        "UPDATE cqrs.events SET event_type = ''",
        "UPDATE cqrs.events SET details = '[1]'",
        "UPDATE cqrs.events SET recorded_at = 'infinity'",
        "UPDATE cqrs.events SET recorded_at = '-infinity'",
        "UPDATE cqrs.events SET schema_version = 4294967296",
    ];
    let (store, _database) = store("corrupt").await;
    add(&store, "a").await;
    let sound = log(&store).await;
    for damage in damages {
        execute(&store, "CREATE TABLE sound AS SELECT * FROM cqrs.events").await;
        execute(&store, damage).await;
        let error = store.read_log(&LogFilter::all(), Position::START, 10).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{damage}");
        let error = error.to_string();
        assert!(error.contains("position 1") && error.contains("stream `"), "{damage}: {error}");
        let restore = "DELETE FROM cqrs.events; INSERT INTO cqrs.events SELECT * FROM sound; DROP TABLE sound";
        execute(&store, restore).await;
    }
    assert_eq!(log(&store).await, sound);
}

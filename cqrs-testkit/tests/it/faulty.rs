//! The store that fails when told to, and the clock.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cqrs_core::{
    Append, AppendError, Clock as _, Conflict, EventId, EventStore as _, ExpectedVersion,
    LogFilter, MemoryStore, Metadata, NewEvent, Payload, Position, Snapshot, SnapshotStore as _,
    StoreErrorKind, StreamId, Version,
};
use cqrs_testkit::{FaultyStore, ManualClock};

/// Without faults it is as good as the store behind it.
mod conformance {
    use super::{Arc, FaultyStore, MemoryStore};

    cqrs_testkit::conformance::tests!(async { Arc::new(FaultyStore::new(MemoryStore::new())) });
}

fn append(expected: ExpectedVersion) -> Append {
    let id = EventId::random();
    let (payload, metadata) = (Payload::of("").unwrap(), Metadata::of(id.as_uuid()));
    let event = NewEvent::from_parts(id, "counted", 1, payload, Arc::new(metadata)).unwrap();
    Append::new(StreamId::new("counter", "1").unwrap(), expected, vec![event]).unwrap()
}

#[tokio::test]
async fn faults_of_appends_are_met_in_order_and_once() {
    let inner = MemoryStore::new();
    let store = FaultyStore::new(inner.clone());
    let append = append(ExpectedVersion::NoStream);
    let stored = async || inner.find(append.events()[0].id()).await.unwrap().is_some();
    store.conflict_next_appends(1);
    store.fail_next_appends(2, StoreErrorKind::Unavailable);
    store.lose_outcome_of_next_append();

    let conflict = store.append(&append).await.unwrap_err();
    let (stream, expected) = (append.stream().clone(), append.expected());
    let actual = Version::new(1);
    assert!(
        matches!(&conflict, AppendError::Conflict(conflict) if *conflict == Conflict { stream, expected, actual }),
        "{conflict}"
    );
    for kind in [StoreErrorKind::Unavailable, StoreErrorKind::Unavailable] {
        let error = store.append(&append).await.unwrap_err();
        assert!(matches!(&error, AppendError::Store(error) if error.kind() == kind), "{error}");
        assert!(!stored().await);
    }
    let error = store.append(&append).await.unwrap_err();
    assert_eq!(error.to_string(), "it is unknown what was stored: a test asked for it");
    assert!(stored().await);
    assert!(store.append(&append).await.unwrap().replayed);
    assert_eq!((store.appends(), store.reads(), store.snapshots()), (5, 0, 0));
}

#[tokio::test]
async fn an_outcome_is_not_lost_where_the_store_refuses() {
    let store = FaultyStore::new(MemoryStore::new());
    store.lose_outcome_of_next_append();
    let error = store.append(&append(ExpectedVersion::Exists)).await.unwrap_err();
    assert!(matches!(error, AppendError::Conflict(_)), "{error}");
}

#[tokio::test]
async fn faults_of_reads_and_of_snapshots_are_their_own() {
    let store = FaultyStore::new(MemoryStore::new());
    store.fail_next_reads(4, StoreErrorKind::Busy);
    store.fail_next_snapshots(1, StoreErrorKind::Other);
    let append = append(ExpectedVersion::Any);
    store.append(&append).await.unwrap();

    let (stream, id) = (append.stream(), append.events()[0].id());
    assert!(store.read_stream(stream, Version::NONE, 1).await.is_err());
    assert!(store.read_log(&LogFilter::all(), Position::START, 1).await.is_err());
    assert!(store.find(id).await.is_err());
    assert!(store.read_from_snapshot(stream, 1, 1).await.is_err());
    assert_eq!(store.read_stream(stream, Version::NONE, 1).await.unwrap().len(), 1);

    let (version, state) = (Version::FIRST, Payload::of("").unwrap());
    let snapshot = Snapshot { version, event_id: id, fingerprint: 1, state };
    assert!(store.save_snapshot(stream, snapshot.clone()).await.is_err());
    assert_eq!(store.read_from_snapshot(stream, 1, 0).await.unwrap().0, None);
    store.save_snapshot(stream, snapshot.clone()).await.unwrap();
    assert_eq!(store.read_from_snapshot(stream, 1, 0).await.unwrap().0, Some(snapshot));
    assert_eq!((store.appends(), store.reads(), store.snapshots()), (1, 7, 2));
}

#[tokio::test]
async fn a_clock_stands_still_until_it_is_moved() {
    let begin = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
    let clock = ManualClock::new(begin);
    let store = MemoryStore::with_clock(clock.clone());
    let append = append(ExpectedVersion::Any);
    clock.advance(Duration::from_secs(5));
    store.append(&append).await.unwrap();
    let stored = store.find(append.events()[0].id()).await.unwrap().unwrap();
    assert_eq!(stored.recorded_at, begin + Duration::from_secs(5));
    clock.set(begin);
    assert_eq!(clock.now(), begin);
}

//! Streams whose events are large: what is held in memory is a page, and a page is not the whole.

use std::sync::Arc;

use cqrs::prelude::*;
use cqrs::{
    Append, EventId, ExpectedVersion, MemoryStore, Metadata, NewEvent, Snapshots, SqliteStore,
    Store, StreamId, Subscription,
};
use serde::{Deserialize, Serialize};

const MEBIBYTE: usize = 1024 * 1024;

/// More than three pages of them.
const SCANS: u32 = 14;

/// The event that an aggregate fails at.
const MISTAKEN: u32 = u32::MAX;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "archive.scanned")]
struct Scanned {
    number: u32,
    picture: String,
}

macro_rules! archive {
    ($archive:ident, $scan:ident $(, $option:meta)*) => {
        #[derive(Debug, Default, PartialEq, Serialize, Deserialize, Aggregate)]
        #[aggregate(category = "archive", events(Scanned) $(, $option)*)]
        struct $archive {
            numbers: Vec<u32>,
        }

        impl Apply<Scanned> for $archive {
            fn apply(&mut self, event: Scanned) {
                assert_ne!(event.number, MISTAKEN, "an apply with a mistake");
                self.numbers.push(event.number);
            }
        }

        #[derive(Debug, Clone, Command)]
        #[command(aggregate = $archive, id = archive)]
        struct $scan {
            archive: &'static str,
            numbers: std::ops::Range<u32>,
        }

        impl Handle<$scan> for $archive {
            fn handle(&self, $scan { numbers, .. }: $scan) -> Decision<Self> {
                let scanned = |number| Scanned { number, picture: "x".repeat(MEBIBYTE) };
                emit(numbers.map(scanned).collect::<Vec<_>>())
            }
        }
    };
}

archive!(Archive, Scan);
archive!(KeptArchive, ScanKept, snapshot(every = 3));

async fn large_events_are_all_there(store: impl Store + Clone) {
    let bus = Bus::builder(store.clone()).aggregate::<Archive>().build().unwrap();
    let keeper = Bus::builder(store.clone()).aggregate::<KeptArchive>().build().unwrap();
    let all: Vec<u32> = (0..SCANS).collect();

    let scan = Scan { archive: "a", numbers: 0..SCANS };
    let first = bus.send(scan.clone()).idempotency_key("once").await.unwrap();
    assert_eq!(first.version.get(), u64::from(SCANS));
    let loaded = bus.load::<Archive>("a").await.unwrap();
    assert_eq!((&loaded.state.numbers, loaded.version), (&all, first.version));
    // Found again by the events it has led to.
    let again = bus.send(scan).idempotency_key("once").await.unwrap();
    assert!(again.replayed);
    assert_eq!((again.events, again.version), (first.events, first.version));

    // A snapshot is taken after the third event, if the database is not too slow for that. More than a page follows,
    // appended by a program that takes none.
    let shape = KeptArchive::snapshots().as_ref().map(Snapshots::fingerprint).unwrap();
    let mut snapshots = Vec::new();
    for archive in ["b", "c", "d", "e", "f"] {
        keeper.send(ScanKept { archive, numbers: 0..3 }).await.unwrap();
        let stream = StreamId::new("archive", archive).unwrap();
        let (snapshot, _) = store.read_from_snapshot(&stream, shape, 1).await.unwrap();
        snapshots.extend(snapshot.map(|snapshot| (archive, stream, snapshot.version.get())));
        if !snapshots.is_empty() {
            break;
        }
    }
    let (archive, stream, version) = snapshots.remove(0);
    assert_eq!(version, 3);
    bus.send(Scan { archive, numbers: 3..SCANS }).await.unwrap();
    let loaded = keeper.load::<KeptArchive>(archive).await.unwrap();
    assert_eq!((&loaded.state.numbers, loaded.version), (&all, first.version));

    let mut subscription = Subscription::of_stream(store, stream);
    for version in 1..=u64::from(SCANS) {
        assert_eq!(subscription.next().await.unwrap().version.get(), version);
    }
}

/// A replay that is left in its middle gives back what it was read with: there is one connection.
async fn an_apply_that_panics_takes_no_connection_with_it(store: impl Store + Clone) {
    let bus = Bus::builder(store.clone()).aggregate::<Archive>().build().unwrap();
    let stream = StreamId::new("archive", "a").unwrap();
    let numbers = (0..500).chain([MISTAKEN]).chain(0..500);
    let event = |number| {
        let scanned = Scanned { number, picture: "x".repeat(10_000) };
        let id = EventId::random();
        NewEvent::of(&scanned, id, Arc::new(Metadata::of(id.as_uuid()))).unwrap()
    };
    let events = numbers.map(event).collect();
    let append = Append::new(stream, ExpectedVersion::NoStream, events).unwrap();
    store.append(&append).await.unwrap();
    for _ in 0..3 {
        let bus = bus.clone();
        let loaded = tokio::spawn(async move { bus.load::<Archive>("a").await.map(drop) });
        assert!(loaded.await.unwrap_err().is_panic());
    }
    bus.send(Scan { archive: "b", numbers: 0..2 }).await.unwrap();
    assert_eq!(bus.load::<Archive>("b").await.unwrap().state.numbers, [0, 1]);
}

#[tokio::test]
async fn g14_an_apply_that_panics_takes_no_connection_with_it_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::options(directory.path().join("panics.db")).readers(1);
    an_apply_that_panics_takes_no_connection_with_it(store.open().await.unwrap()).await;
}

#[tokio::test]
async fn g14_an_apply_that_panics_takes_no_connection_with_it_on_postgres() {
    let database = cqrs_test_harness::postgres().unwrap().database("panics").await.unwrap();
    let store = cqrs::PostgresStore::options(database.url()).max_connections(1);
    an_apply_that_panics_takes_no_connection_with_it(store.connect().await.unwrap()).await;
}

#[tokio::test]
async fn large_events_are_all_there_in_memory() {
    large_events_are_all_there(MemoryStore::new()).await;
}

#[tokio::test]
async fn large_events_are_all_there_on_sqlite() {
    large_events_are_all_there(SqliteStore::in_memory().await.unwrap()).await;
}

#[tokio::test]
async fn large_events_are_all_there_on_postgres() {
    let database = cqrs_test_harness::postgres().unwrap().database("large").await.unwrap();
    let store = crate::stores::postgres(&database.url()).await;
    large_events_are_all_there(store).await;
}

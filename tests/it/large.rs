//! Streams whose events are large: what is held in memory is a page, and a page is not the whole.

use cqrs::prelude::*;
use cqrs::{MemoryStore, Snapshots, SqliteStore, Store, StreamId, Subscription};
use serde::{Deserialize, Serialize};

const MEBIBYTE: usize = 1024 * 1024;

/// More than three pages of them.
const SCANS: u32 = 14;

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

    // A snapshot is taken after the third event. More than a page follows, appended by a program that takes none.
    keeper.send(ScanKept { archive: "b", numbers: 0..3 }).await.unwrap();
    bus.send(Scan { archive: "b", numbers: 3..SCANS }).await.unwrap();
    let stream = StreamId::new("archive", "b").unwrap();
    let shape = KeptArchive::snapshots().as_ref().map(Snapshots::fingerprint).unwrap();
    let (snapshot, _) = store.read_from_snapshot(&stream, shape, 1).await.unwrap();
    assert_eq!(snapshot.unwrap().version.get(), 3);
    let loaded = keeper.load::<KeptArchive>("b").await.unwrap();
    assert_eq!((&loaded.state.numbers, loaded.version), (&all, first.version));

    let mut subscription = Subscription::of_stream(store, stream);
    for version in 1..=u64::from(SCANS) {
        assert_eq!(subscription.next().await.unwrap().version.get(), version);
    }
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
    let store = cqrs::PostgresStore::connect(&database.url()).await.unwrap();
    large_events_are_all_there(store).await;
}

//! G9: state from a snapshot equals state from all events, or the snapshot is not used.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cqrs::prelude::*;
use cqrs::{
    Append, EventId, EventStore as _, ExpectedVersion, MemoryStore, Metadata, NewEvent, Payload,
    Repository, Snapshot, SnapshotStore as _, StreamId, Version,
};
use serde::{Deserialize, Serialize};

thread_local! {
    /// Events applied on the thread of a test, to tell replays from snapshots.
    static APPLIED: Cell<usize> = const { Cell::new(0) };
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "tally.counted")]
struct Counted {
    what: String,
}

#[derive(Debug, Clone, Command)]
#[command(aggregate = Tally, id = tally)]
struct Count {
    tally: String,
    what: String,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(category = "tally", events(Counted), snapshot(every = 10))]
struct Tally {
    counts: HashMap<String, u64>,
    seen: HashSet<String>,
    total: u64,
}

impl Apply<Counted> for Tally {
    fn apply(&mut self, event: Counted) {
        APPLIED.set(APPLIED.get() + 1);
        self.seen.insert(event.what.clone());
        *self.counts.entry(event.what).or_default() += 1;
        self.total += 1;
    }
}

impl Handle<Count> for Tally {
    fn handle(&self, command: Count) -> Decision<Self> {
        emit(Counted { what: command.what })
    }
}

fn count(what: &str) -> Count {
    Count { tally: "t".into(), what: what.into() }
}

fn stream() -> StreamId {
    StreamId::new("tally", "t").unwrap()
}

async fn counted(events: usize) -> (MemoryStore, Bus) {
    let store = MemoryStore::new();
    let bus = Bus::builder(store.clone()).aggregate::<Tally>().build().unwrap();
    for index in 0..events {
        bus.send(count(["a", "b", "c", "d", "e"][index % 5])).await.unwrap();
    }
    (store, bus)
}

/// The snapshot kept in the store, whatever its fingerprint.
async fn kept(store: &MemoryStore) -> Snapshot {
    let fingerprint = Tally::snapshots().unwrap().fingerprint();
    store.read_from_snapshot(&stream(), fingerprint, 1).await.unwrap().0.unwrap()
}

#[tokio::test]
async fn g9_state_with_snapshots_equals_state_without() {
    let (store, bus) = counted(25).await;
    let snapshot = kept(&store).await;
    assert_eq!(snapshot.version, Version::new(20));

    // With the snapshot: only the tail is applied.
    APPLIED.set(0);
    let with = bus.load::<Tally>("t").await.unwrap();
    assert_eq!(APPLIED.get(), 5);

    // Each way in which a snapshot may not belong to the stream or the program means replay.
    let altered = |change: fn(&mut Snapshot)| {
        let mut snapshot = snapshot.clone();
        change(&mut snapshot);
        snapshot
    };
    let unusable = [
        ("of another shape", altered(|kept| kept.fingerprint ^= 1)),
        ("of another event", altered(|kept| kept.event_id = EventId::random())),
        ("beyond the stream", altered(|kept| kept.version = Version::new(26))),
        ("of version 0", altered(|kept| kept.version = Version::NONE)),
        ("that is not a tally", altered(|kept| kept.state = Payload::from_stored("[1]"))),
        ("that is not JSON", altered(|kept| kept.state = Payload::from_stored("{"))),
        (
            "with a field since gone",
            altered(|kept| {
                let mut state: serde_json::Value = kept.state.parse().unwrap();
                state["gone"] = 7.into();
                kept.state = Payload::of(&state).unwrap();
            }),
        ),
    ];
    let events = store.read_stream(&stream(), Version::NONE, 100).await.unwrap();
    for (what, snapshot) in unusable {
        let copy = MemoryStore::new();
        for event in &events {
            let metadata = event.metadata.clone();
            let (name, payload) = (event.event_type.to_string(), event.payload.clone());
            let event = NewEvent::from_parts(event.id, name, 1, payload, metadata).unwrap();
            let append = Append::new(stream(), ExpectedVersion::Any, vec![event]).unwrap();
            copy.append(&append).await.unwrap();
        }
        copy.save_snapshot(&stream(), snapshot).await.unwrap();
        APPLIED.set(0);
        let without = Repository::new(copy).load::<Tally>("t").await.unwrap();
        assert_eq!(APPLIED.get(), 25, "a snapshot {what} was used");
        assert_eq!(without.state, with.state, "a snapshot {what}");
        assert_eq!(without.version, with.version);
    }
}

/// Loses a field when serialized, deep inside where no macro can see it.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
struct Forgetful {
    #[serde(skip)]
    total: u64,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(category = "forgetful", events(Counted), snapshot(every = 1))]
struct Hidden {
    inner: Forgetful,
}

impl Apply<Counted> for Hidden {
    fn apply(&mut self, _: Counted) {
        self.inner.total += 1;
    }
}

#[derive(Debug, Clone, Command)]
#[command(aggregate = Hidden, id = key)]
struct CountHidden {
    key: String,
}

impl Handle<CountHidden> for Hidden {
    fn handle(&self, _: CountHidden) -> Decision<Self> {
        emit(Counted { what: self.inner.total.to_string() })
    }
}

#[tokio::test]
async fn g9_state_that_does_not_survive_serialization_is_never_taken_from_a_snapshot() {
    let bus = Bus::builder(MemoryStore::new()).aggregate::<Hidden>().build().unwrap();
    for _ in 0..3 {
        bus.send(CountHidden { key: "k".into() }).await.unwrap();
    }
    assert_eq!(bus.load::<Hidden>("k").await.unwrap().state.inner.total, 3);
}

#[tokio::test]
async fn g9_streams_longer_than_a_page_load_from_a_snapshot_and_without() {
    let store = MemoryStore::new();
    let append = |expected: u64, events: u64| {
        let metadata = Arc::new(Metadata::of(EventId::random().as_uuid()));
        let event = |_| {
            let event = Counted { what: "a".into() };
            NewEvent::of(&event, EventId::random(), metadata.clone()).unwrap()
        };
        let expected = ExpectedVersion::Exact(Version::new(expected));
        Append::new(stream(), expected, (0..events).map(event).collect()).unwrap()
    };
    let bus = Bus::builder(store.clone()).aggregate::<Tally>().build().unwrap();
    store.append(&append(0, 2_499)).await.unwrap();
    bus.send(count("a")).await.unwrap();
    assert_eq!(kept(&store).await.version, Version::new(2_500));
    // 999, 1 000 and 1 001 events after the snapshot stand around the size of a page.
    let mut version = 2_500;
    for (events, total) in [(998, 3_498), (1, 3_499), (1, 3_500), (1, 3_501), (2_000, 5_501)] {
        store.append(&append(version, events)).await.unwrap();
        version = total;
        let loaded = bus.load::<Tally>("t").await.unwrap();
        assert_eq!((loaded.state.total, loaded.version), (total, Version::new(total)));
    }
}

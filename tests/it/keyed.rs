//! Commands with an idempotency key go by themselves: what holds for the others holds for them.

use std::sync::Arc;

use cqrs::prelude::*;
use cqrs::{EventStore as _, MemoryStore, Retry, SnapshotStore as _, StoreErrorKind, StreamId};
use cqrs_testkit::FaultyStore;
use serde::{Deserialize, Serialize};

use crate::domain::{Counter, add};

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(name = "lap.run")]
struct Run;

#[derive(Debug, Default, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(category = "lap", events(Run), snapshot(every = 2))]
struct Laps {
    run: u64,
}

impl Apply<Run> for Laps {
    fn apply(&mut self, _: Run) {
        self.run += 1;
    }
}

#[derive(Debug, Clone, Command)]
#[command(aggregate = Laps, id = runner)]
struct RunLap {
    runner: u32,
}

impl Handle<RunLap> for Laps {
    fn handle(&self, _: RunLap) -> Decision<Self> {
        emit(Run)
    }
}

#[tokio::test]
async fn g4_the_unknown_outcome_of_a_command_with_a_key_is_told_as_such() {
    let store = Arc::new(FaultyStore::new(MemoryStore::new()));
    let bus = Bus::builder(store.clone()).aggregate::<Counter>().build().unwrap();
    store.lose_outcome_of_next_append();
    let error = bus.send(add("a", 1)).idempotency_key("k").await.unwrap_err();
    let DispatchError::OutcomeUnknown(unknown) = error else { panic!("{error}") };
    assert!(store.append(&unknown.append).await.unwrap().replayed);
    assert_eq!(bus.load::<Counter>("a").await.unwrap().state.sum, 1);
}

#[tokio::test]
async fn a_store_that_fails_a_command_with_a_key_is_told_as_such() {
    let store = Arc::new(FaultyStore::new(MemoryStore::new()));
    let bus = Bus::builder(store.clone()).aggregate::<Counter>().build().unwrap();
    store.fail_next_appends(1, StoreErrorKind::Busy);
    let error = bus.send(add("a", 1)).idempotency_key("k").await.unwrap_err();
    let DispatchError::Store(error) = error else { panic!("{error}") };
    assert_eq!(error.kind(), StoreErrorKind::Busy);
    assert!(!bus.load::<Counter>("a").await.unwrap().exists());
}

#[tokio::test]
async fn attempts_of_a_command_with_a_key_are_counted() {
    let store = Arc::new(FaultyStore::new(MemoryStore::new()));
    let builder = Bus::builder(store.clone()).aggregate::<Counter>();
    let bus = builder.retry(Retry::attempts(3)).build().unwrap();
    let done = bus.send(add("a", 1)).idempotency_key("k").await.unwrap();
    assert_eq!(done.attempts, 1);
    store.conflict_next_appends(2);
    let done = bus.send(add("a", 1)).idempotency_key("l").await.unwrap();
    assert_eq!(done.attempts, 3);
    assert!(bus.load::<Counter>("a").await.unwrap().exists());
}

#[tokio::test]
async fn g9_commands_with_keys_take_snapshots() {
    let store = MemoryStore::new();
    let bus = Bus::builder(store.clone()).aggregate::<Laps>().build().unwrap();
    for key in ["k", "l", "m"] {
        bus.send(RunLap { runner: 1 }).idempotency_key(key).await.unwrap();
    }
    let stream = StreamId::new("lap", "1").unwrap();
    let fingerprint = Laps::snapshots().unwrap().fingerprint();
    let (snapshot, _) = store.read_from_snapshot(&stream, fingerprint, 1).await.unwrap();
    assert_eq!(snapshot.unwrap().version.get(), 2);
    assert_eq!(bus.load::<Laps>("1").await.unwrap().state, Laps { run: 3 });
}

//! Aggregates that are taken to be new.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use cqrs::limits::MAX_EVENTS_PER_APPEND;
use cqrs::prelude::*;
use cqrs::{MemoryStore, Retry, StoreErrorKind};
use cqrs_testkit::FaultyStore;
use serde::{Deserialize, Serialize};

use super::watched::Watched;
use super::{NewKeptStock, NewStock, NotEnough, Take, TakeNew, TakeNewKept, bus};

fn taken_to_be_new<A: Aggregate>(store: &Watched) -> Bus {
    Bus::builder(store.clone()).retry(Retry::never()).aggregate::<A>().build().unwrap()
}

/// How many appends there were, and how many reads.
fn calls(store: &Watched) -> (usize, usize) {
    (store.appends.load(Ordering::SeqCst), store.reads.load(Ordering::SeqCst))
}

#[tokio::test]
async fn a_command_to_a_new_aggregate_is_an_append_and_nothing_else() {
    let store = Watched::new(100);
    let bus = taken_to_be_new::<NewStock>(&store);
    let first = bus.send(TakeNew::from(1)).await.unwrap();
    assert_eq!((first.version.get(), calls(&store)), (1, (1, 0)));
    // The next one is wrong about it, is told so by the append, and is no conflict for that.
    let second = bus.send(TakeNew::from(1)).await.unwrap();
    assert_eq!((second.version.get(), second.attempts, calls(&store)), (2, 1, (3, 1)));
}

#[tokio::test]
async fn a_new_aggregate_that_is_kept_is_never_read() {
    let store = Watched::new(100);
    let bus = taken_to_be_new::<NewKeptStock>(&store);
    for version in 1..=5 {
        let done = bus.send(TakeNewKept::from(1)).await.unwrap();
        assert_eq!((done.version.get(), done.attempts), (version, 1));
    }
    assert_eq!(calls(&store), (5, 0));
}

#[tokio::test]
async fn g9_what_was_taken_to_be_new_is_decided_on_as_it_is() {
    let store = Watched::new(100);
    bus(store.clone()).send(Take::from(95)).await.unwrap();
    for round in 0..2 {
        let bus = taken_to_be_new::<NewStock>(&store);
        let kept = taken_to_be_new::<NewKeptStock>(&store);
        // One that a new stock would carry out, one that it would refuse as well, and one that leads to nothing.
        for pieces in [10, 101] {
            let refused = bus.send(TakeNew::from(pieces)).await.unwrap_err();
            assert_eq!(refused.rejection(), Some(&NotEnough(5 - round)), "{refused}");
            let refused = kept.send(TakeNewKept::from(pieces)).await.unwrap_err();
            assert_eq!(refused.rejection(), Some(&NotEnough(5 - round)), "{refused}");
        }
        let version = u64::from(round) + 1;
        assert_eq!(bus.send(TakeNew::from(0)).await.unwrap().version.get(), version);
        assert_eq!(kept.send(TakeNewKept::from(0)).await.unwrap().version.get(), version);
        assert_eq!(bus.send(TakeNew::from(1)).await.unwrap().version.get(), version + 1);
    }
}

#[tokio::test]
async fn g9_a_panic_in_what_was_taken_to_be_new_is_decided_on_again() {
    let store = MemoryStore::new();
    let bus = Bus::builder(store).aggregate::<Lamp>().build().unwrap();
    bus.send(Mount { lamp: 1 }).await.unwrap();
    assert_eq!(bus.send(Light { lamp: 1 }).await.unwrap().version.get(), 2);
    let send = tokio::spawn(async move { bus.send(Light { lamp: 2 }).await });
    assert!(send.await.unwrap_err().is_panic(), "where it is new, it is the caller's");
}

#[tokio::test]
async fn g9_what_is_too_much_for_one_that_is_new_is_decided_on_again() {
    let bus = Bus::builder(MemoryStore::new()).aggregate::<Lamp>().build().unwrap();
    bus.send(Mount { lamp: 1 }).await.unwrap();
    let refused = bus.send(Hang { lamp: 1 }).await.unwrap_err();
    assert_eq!(refused.rejection(), Some(&IsMounted), "{refused}");
    let invalid = bus.send(Hang { lamp: 2 }).await.unwrap_err();
    assert!(matches!(invalid, DispatchError::Invalid(_)), "{invalid}");
}

/// A refusal by the store of what was decided on a state that was only guessed says nothing of the state there is.
#[tokio::test]
async fn g9_what_a_store_refuses_of_one_that_is_new_is_decided_on_again() {
    let store = Arc::new(FaultyStore::new(MemoryStore::new()));
    bus(store.clone()).send(Take::from(95)).await.unwrap();
    let bus = Bus::builder(store.clone()).aggregate::<NewStock>().build().unwrap();
    store.fail_next_appends(1, StoreErrorKind::InvalidInput);
    let refused = bus.send(TakeNew::from(10)).await.unwrap_err();
    assert_eq!(refused.rejection(), Some(&NotEnough(5)), "{refused}");
    store.fail_next_appends(1, StoreErrorKind::InvalidInput);
    assert_eq!(bus.send(TakeNew::from(5)).await.unwrap().version.get(), 2);
    // On the state there is, it is the answer.
    let lamps = Bus::builder(store.clone()).aggregate::<Lamp>().build().unwrap();
    store.fail_next_appends(2, StoreErrorKind::InvalidInput);
    match lamps.send(Fit { lamp: 1 }).await.unwrap_err() {
        DispatchError::Store(error) => assert_eq!(error.kind(), StoreErrorKind::InvalidInput),
        other => panic!("{other}"),
    }
    assert_eq!(lamps.send(Fit { lamp: 1 }).await.unwrap().version.get(), 1);
}

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(prefix = "lamp")]
enum LampEvent {
    Mounted,
    Lit,
}

/// Panics when it is lit before it is mounted.
#[derive(Debug, Default, Aggregate)]
#[aggregate(category = "lamp", events(LampEvent), error = IsMounted)]
struct Lamp {
    is_mounted: bool,
}

impl Apply<LampEvent> for Lamp {
    fn apply(&mut self, _: LampEvent) {
        self.is_mounted = true;
    }
}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("it is mounted")]
struct IsMounted;

/// Leads to more events than an append takes, unless it is refused.
#[derive(Debug, Clone, Command)]
#[command(aggregate = Lamp, id = lamp, likely_new)]
struct Hang {
    lamp: u32,
}

impl Handle<Hang> for Lamp {
    fn handle(&self, _: Hang) -> Decision<Self> {
        ensure(!self.is_mounted, IsMounted)?;
        let parts = std::iter::repeat_with(|| LampEvent::Mounted).take(MAX_EVENTS_PER_APPEND + 1);
        emit(parts.collect::<Vec<_>>())
    }
}

#[derive(Debug, Clone, Command)]
#[command(aggregate = Lamp, id = lamp)]
struct Mount {
    lamp: u32,
}

impl Handle<Mount> for Lamp {
    fn handle(&self, _: Mount) -> Decision<Self> {
        emit(LampEvent::Mounted)
    }
}

/// Mounts it where it is new.
#[derive(Debug, Clone, Command)]
#[command(aggregate = Lamp, id = lamp, likely_new)]
struct Fit {
    lamp: u32,
}

impl Handle<Fit> for Lamp {
    fn handle(&self, _: Fit) -> Decision<Self> {
        emit(LampEvent::Mounted)
    }
}

#[derive(Debug, Clone, Command)]
#[command(aggregate = Lamp, id = lamp, likely_new)]
struct Light {
    lamp: u32,
}

impl Handle<Light> for Lamp {
    fn handle(&self, _: Light) -> Decision<Self> {
        assert!(self.is_mounted, "there is no lamp");
        emit(LampEvent::Lit)
    }
}

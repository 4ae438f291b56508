//! Aggregates that are kept in memory.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use cqrs::prelude::*;
use cqrs::{
    Append, EventId, EventStore as _, ExpectedVersion, MemoryStore, Metadata, NewEvent, Repository,
    Retry, Store, StreamId,
};
use cqrs_testkit::FaultyStore;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use super::watched::Watched;
use super::{
    CachedStock, KeptStock, NewStock, NotEnough, Stock, Take, TakeCached, TakeKept, TakeNew, bus,
};

#[tokio::test]
async fn a_command_on_a_cached_aggregate_is_an_append_and_nothing_else() {
    let store = Watched::new(100);
    let bus = Bus::builder(store.clone()).aggregate::<CachedStock>().build().unwrap();
    for pieces in 1..=5 {
        bus.send(TakeCached::from(pieces)).await.unwrap();
    }
    assert_eq!(store.reads.load(Ordering::SeqCst), 1);
    assert_eq!(store.appends.load(Ordering::SeqCst), 5);
    // Where nothing is appended, it is asked whether the state is still that of the stream.
    let refused = bus.send(TakeCached::from(86)).await.unwrap_err();
    assert_eq!(refused.rejection(), Some(&NotEnough(85)));
    assert_eq!(store.appends.load(Ordering::SeqCst), 5);
    assert_eq!(store.reads.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn g9_a_cache_that_is_left_behind_is_no_conflict() {
    let store = Watched::new(100);
    let builder = Bus::builder(store.clone()).retry(Retry::never());
    let cached = builder.aggregate::<CachedStock>().build().unwrap();
    let elsewhere = bus(store.clone());
    cached.send(TakeCached::from(1)).await.unwrap();
    for pieces in 1..=3 {
        elsewhere.send(Take::from(pieces)).await.unwrap();
        // What was missed is read, and nothing before it.
        let reads = store.reads.load(Ordering::SeqCst);
        let done = cached.send(TakeCached::from(10)).await.unwrap();
        assert_eq!((done.attempts, store.reads.load(Ordering::SeqCst)), (1, reads + 1));
    }
    assert_eq!(elsewhere.load::<Stock>("s").await.unwrap().state.left, 100 - 1 - 6 - 30);
}

/// Two processes with caches, one without, one that takes every aggregate to be new, on one stream.
async fn caches_are_only_caches(store: impl Store + Clone) {
    let build = |store| {
        let builder = Bus::builder(store).retry(Retry::attempts(1_000));
        let builder = builder.aggregate::<KeptStock>();
        builder.build().unwrap()
    };
    let (one, other) = (build(store.clone()), build(store.clone()));
    let plain = Bus::builder(store.clone()).retry(Retry::attempts(1_000));
    let plain = plain.aggregate::<Stock>().build().unwrap();
    let new = Bus::builder(store.clone()).retry(Retry::attempts(1_000));
    let new = new.aggregate::<NewStock>().build().unwrap();
    let mut taken = 0;
    for round in 0..12_u32 {
        // One after the other: each finds a cache that the others have left behind.
        match round % 4 {
            0 => one.send(TakeKept::from(1)).await.map(drop).unwrap(),
            1 => other.send(TakeKept::from(1)).await.map(drop).unwrap(),
            2 => new.send(TakeNew::from(1)).await.map(drop).unwrap(),
            _ => plain.send(Take::from(1)).await.map(drop).unwrap(),
        }
        taken += 1;
        for bus in [&one, &other] {
            let refused = bus.send(TakeKept::from(100)).await.unwrap_err();
            assert_eq!(refused.rejection(), Some(&NotEnough(100 - taken)));
        }
    }
    // All at once.
    let send = |number: u32| {
        let (one, other, plain, new) = (one.clone(), other.clone(), plain.clone(), new.clone());
        tokio::spawn(async move {
            match number % 4 {
                0 => one.send(TakeKept::from(2)).await.map_err(|error| error.to_string()),
                1 => other.send(TakeKept::from(2)).await.map_err(|error| error.to_string()),
                2 => new.send(TakeNew::from(2)).await.map_err(|error| error.to_string()),
                _ => plain.send(Take::from(2)).await.map_err(|error| error.to_string()),
            }
        })
    };
    let outcomes = join_all((0..60).map(send)).await;
    let done = outcomes.iter().filter(|outcome| outcome.as_ref().unwrap().is_ok()).count();
    let stock = Repository::new(store).load::<Stock>("s").await.unwrap();
    // 88 were left: two at a time, 44 are carried out and 16 refused, whoever was asked.
    assert_eq!((done, stock.state.left, stock.version.get()), (44, 0, 12 + 44));
    for outcome in outcomes {
        if let Err(error) = outcome.unwrap() {
            assert!(error.contains("are left"), "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g9_caches_are_only_caches_in_memory() {
    caches_are_only_caches(MemoryStore::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g9_caches_are_only_caches_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let store = crate::stores::sqlite(directory.path().join("stock.db")).await;
    caches_are_only_caches(store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g9_caches_are_only_caches_on_postgres() {
    let database = cqrs_test_harness::postgres().unwrap().database("lanes").await.unwrap();
    let store = crate::stores::postgres(&database.url()).await;
    caches_are_only_caches(store).await;
}

#[tokio::test]
async fn g4_a_store_that_fails_fails_all_of_them_and_the_cache_is_had_anew() {
    let store = Arc::new(FaultyStore::new(MemoryStore::new()));
    let bus = Bus::builder(store.clone()).aggregate::<CachedStock>().build().unwrap();
    bus.send(TakeCached::from(1)).await.unwrap();
    store.lose_outcome_of_next_append();
    let failed = bus.send(TakeCached::from(2)).await.unwrap_err();
    assert!(matches!(failed, DispatchError::OutcomeUnknown(_)), "{failed}");
    // It was stored for all that; nothing is decided on in a state without it.
    bus.send(TakeCached::from(3)).await.unwrap();
    assert_eq!(bus.load::<CachedStock>("s").await.unwrap().state.left, 94);
}

/// What a handler or an `apply` made of a state that is not that of the stream says nothing.
#[tokio::test]
async fn g9_a_panic_in_a_stale_cached_state_is_decided_on_again() {
    let store = MemoryStore::new();
    let bus = Bus::builder(store.clone()).aggregate::<Brittle>().build().unwrap();
    bus.send(Use { brittle: "b".into() }).await.unwrap();
    let id = EventId::random();
    let mended = NewEvent::of(&Mended, id, Arc::new(Metadata::of(id.as_uuid()))).unwrap();
    let stream = StreamId::new("brittle", "b").unwrap();
    let append = Append::new(stream, ExpectedVersion::Any, vec![mended]).unwrap();
    store.append(&append).await.unwrap();
    assert_eq!(bus.send(Use { brittle: "b".into() }).await.unwrap().version.get(), 3);
}

/// Panics when it is used a second time, unless it was mended.
#[derive(Debug, Clone, Default, Aggregate)]
#[aggregate(category = "brittle", events(Used, Mended), error = std::convert::Infallible, cache = 10)]
struct Brittle {
    is_used: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(name = "brittle.used")]
struct Used;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(name = "brittle.mended")]
struct Mended;

impl Apply<Used> for Brittle {
    fn apply(&mut self, _: Used) {
        assert!(!self.is_used, "broken");
        self.is_used = true;
    }
}

impl Apply<Mended> for Brittle {
    fn apply(&mut self, _: Mended) {
        self.is_used = false;
    }
}

#[derive(Debug, Clone, Command)]
#[command(aggregate = Brittle, id = brittle)]
struct Use {
    brittle: String,
}

impl Handle<Use> for Brittle {
    fn handle(&self, _: Use) -> Decision<Self> {
        emit(Used)
    }
}

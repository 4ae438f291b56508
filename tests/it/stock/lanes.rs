//! Commands to one aggregate at the same time, and aggregates that are kept in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use cqrs::prelude::*;
use cqrs::{
    Append, AppendError, Appended, EventId, EventStore, ExpectedVersion, Head, LogFilter, LogPage,
    MemoryStore, Metadata, NewEvent, News, Position, PostgresStore, RecordedEvent, Repository,
    Retry, Snapshot, SnapshotStore, SqliteStore, Store, StoreError, StreamId, Version,
};
use cqrs_testkit::FaultyStore;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "stock.taken")]
struct Taken {
    pieces: u32,
}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("only {0} are left")]
struct NotEnough(u32);

/// What is taken from a stock of a hundred pieces.
macro_rules! stock {
    ($stock:ident, $take:ident $(, $option:meta)*) => {
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
        #[aggregate(category = "stock", events(Taken), error = NotEnough $(, $option)*)]
        struct $stock {
            left: u32,
        }

        impl Default for $stock {
            fn default() -> Self {
                Self { left: 100 }
            }
        }

        impl Apply<Taken> for $stock {
            fn apply(&mut self, Taken { pieces }: Taken) {
                assert_ne!(pieces, 13, "an apply with a mistake");
                self.left -= pieces;
            }
        }

        #[derive(Debug, Clone, Command)]
        #[command(aggregate = $stock, id = stock)]
        struct $take {
            stock: String,
            pieces: u32,
        }

        impl Handle<$take> for $stock {
            fn handle(&self, $take { pieces, .. }: $take) -> Decision<Self> {
                assert_ne!(pieces, 99, "a handler with a mistake");
                ensure(self.left >= pieces, NotEnough(self.left))?;
                emit((pieces > 0).then_some(Taken { pieces }))
            }
        }

        impl From<u32> for $take {
            fn from(pieces: u32) -> Self {
                Self { stock: "s".into(), pieces }
            }
        }
    };
}

stock!(Stock, Take);
stock!(CachedStock, TakeCached, cache = 10);
stock!(KeptStock, TakeKept, cache = 10, snapshot(every = 3));

/// Counts what a store is asked for, and reads streams and appends only when it is let to.
#[derive(Debug, Clone)]
struct Watched {
    store: MemoryStore,
    lets: Arc<Semaphore>,
    read_lets: Arc<Semaphore>,
    appends: Arc<AtomicUsize>,
    reads: Arc<AtomicUsize>,
}

impl Watched {
    fn new(lets: usize) -> Self {
        let lets = Arc::new(Semaphore::new(lets));
        let read_lets = Arc::new(Semaphore::new(1));
        let (store, appends, reads) = (MemoryStore::new(), Arc::default(), Arc::default());
        Self { store, lets, read_lets, appends, reads }
    }
}

#[async_trait]
impl EventStore for Watched {
    async fn append(&self, append: &Append) -> Result<Appended, AppendError> {
        self.appends.fetch_add(1, Ordering::SeqCst);
        self.lets.acquire().await.unwrap().forget();
        self.store.append(append).await
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let _let = self.read_lets.acquire().await.unwrap();
        self.store.read_stream(stream, after, limit).await
    }

    async fn read_log(
        &self,
        filter: &LogFilter,
        after: Position,
        limit: usize,
    ) -> Result<LogPage, StoreError> {
        self.store.read_log(filter, after, limit).await
    }

    async fn head(&self) -> Result<Head, StoreError> {
        self.store.head().await
    }

    async fn find(&self, id: EventId) -> Result<Option<RecordedEvent>, StoreError> {
        self.store.find(id).await
    }

    fn news(&self) -> News {
        self.store.news()
    }
}

#[async_trait]
impl SnapshotStore for Watched {
    async fn read_from_snapshot(
        &self,
        stream: &StreamId,
        fingerprint: u64,
        limit: usize,
    ) -> Result<(Option<Snapshot>, Vec<RecordedEvent>), StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.store.read_from_snapshot(stream, fingerprint, limit).await
    }

    async fn save_snapshot(&self, stream: &StreamId, snapshot: Snapshot) -> Result<(), StoreError> {
        self.store.save_snapshot(stream, snapshot).await
    }
}

fn bus(store: impl Store) -> Bus {
    let bus = Bus::builder(store).aggregate::<Stock>();
    bus.build().unwrap()
}

async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn commands_that_arrive_meanwhile_share_an_append_and_build_on_each_other() {
    let store = Watched::new(0);
    let bus = bus(store.clone());
    let send = |pieces: u32| {
        let sent = bus.send(Take::from(pieces));
        tokio::spawn(async move { sent.await })
    };
    let all: Vec<_> = [10, 20, 60, 20, 5, 0].into_iter().map(send).collect();
    settle().await;
    assert_eq!(store.appends.load(Ordering::SeqCst), 1, "the first is stored by itself");
    store.lets.add_permits(2);
    let outcomes = join_all(all).await.into_iter().map(Result::unwrap).collect::<Vec<_>>();
    assert_eq!(store.appends.load(Ordering::SeqCst), 2, "and all others together");
    assert_eq!(store.reads.load(Ordering::SeqCst), 1, "nothing is read again");
    let versions = |index: usize| outcomes[index].as_ref().unwrap().version.get();
    assert_eq!([versions(0), versions(1), versions(2), versions(4)], [1, 2, 3, 4]);
    let refused = outcomes[3].as_ref().unwrap_err();
    assert_eq!(refused.rejection(), Some(&NotEnough(10)), "{refused}");
    // One that leads to nothing is at the version it was decided at.
    assert_eq!((versions(5), outcomes[5].as_ref().unwrap().events), (4, 0));
    assert_eq!(bus.load::<Stock>("s").await.unwrap().state.left, 5);
}

#[tokio::test]
async fn a_busy_aggregate_does_not_hold_up_others() {
    let store = Watched::new(0);
    let bus = bus(store.clone());
    let send = |stock: String, pieces| {
        let sent = bus.send(Take { stock, pieces });
        tokio::spawn(async move { sent.await })
    };
    let busy: Vec<_> = (0..90).map(|_| send("s".into(), 1)).collect();
    settle().await;
    let others: Vec<_> = (0..3).map(|number| send(number.to_string(), 1)).collect();
    settle().await;
    // One append of the busy one, and one of each of the others: whatever waits there, they are in the next four.
    store.lets.add_permits(4);
    for other in others {
        assert_eq!(other.await.unwrap().unwrap().version.get(), 1);
    }
    store.lets.add_permits(90);
    for sent in busy {
        sent.await.unwrap().unwrap();
    }
    assert_eq!(bus.load::<Stock>("s").await.unwrap().version.get(), 90);
}

#[tokio::test]
async fn g2_after_a_conflict_all_are_decided_on_again() {
    let store = Watched::new(0);
    let bus = bus(store.clone());
    let send = |pieces: u32| {
        let sent = bus.send(Take::from(pieces));
        tokio::spawn(async move { sent.await })
    };
    let first = send(10);
    settle().await;
    let (second, third, fourth) = (send(50), send(40), send(7));
    settle().await;
    // Another process takes what two of them want.
    let event = |pieces| {
        let id = EventId::random();
        NewEvent::of(&Taken { pieces }, id, Arc::new(Metadata::of(id.as_uuid()))).unwrap()
    };
    let stream = StreamId::new("stock", "s").unwrap();
    let other = Append::new(stream, ExpectedVersion::Any, vec![event(45)]).unwrap();
    store.store.append(&other).await.unwrap();
    store.lets.add_permits(10);
    assert_eq!(first.await.unwrap().unwrap().version.get(), 2);
    assert_eq!(second.await.unwrap().unwrap_err().rejection(), Some(&NotEnough(45)));
    assert_eq!(third.await.unwrap().unwrap().version.get(), 3);
    assert_eq!(fourth.await.unwrap().unwrap_err().rejection(), Some(&NotEnough(5)));
}

#[tokio::test]
async fn g14_a_command_that_is_given_up_or_panics_takes_nobody_with_it() {
    let store = Watched::new(0);
    let bus = bus(store.clone());
    let send = |pieces: u32| {
        let sent = bus.send(Take::from(pieces));
        tokio::spawn(async move { sent.await })
    };
    let (first, second, given_up) = (send(1), send(2), send(50));
    settle().await;
    let (handler, apply, last) = (send(99), send(13), send(4));
    settle().await;
    given_up.abort();
    // The one that is being stored passes its turn on.
    first.abort();
    settle().await;
    store.lets.add_permits(10);
    assert!(second.await.unwrap().is_ok());
    for panicked in [handler, apply] {
        let panic = panicked.await.unwrap_err().into_panic();
        let said = panic.downcast_ref::<String>().unwrap();
        assert!(said.contains("with a mistake"), "{said}");
    }
    assert!(last.await.unwrap().is_ok());
    let stock = bus.load::<Stock>("s").await.unwrap();
    assert_eq!((stock.version.get(), stock.state.left), (2, 94));
}

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

/// Two processes with caches, one without, and appends from elsewhere, on one stream.
async fn caches_are_only_caches(store: impl Store + Clone) {
    let build = |store| {
        let builder = Bus::builder(store).retry(Retry::attempts(1_000));
        let builder = builder.aggregate::<KeptStock>();
        builder.build().unwrap()
    };
    let (one, other) = (build(store.clone()), build(store.clone()));
    let plain = Bus::builder(store.clone()).retry(Retry::attempts(1_000));
    let plain = plain.aggregate::<Stock>().build().unwrap();
    let mut taken = 0;
    for round in 0..12_u32 {
        // One after the other: each finds a cache that the others have left behind.
        match round % 3 {
            0 => one.send(TakeKept::from(1)).await.map(drop).unwrap(),
            1 => other.send(TakeKept::from(1)).await.map(drop).unwrap(),
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
        let (one, other, plain) = (one.clone(), other.clone(), plain.clone());
        tokio::spawn(async move {
            match number % 3 {
                0 => one.send(TakeKept::from(2)).await.map_err(|error| error.to_string()),
                1 => other.send(TakeKept::from(2)).await.map_err(|error| error.to_string()),
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
    let store = SqliteStore::open(directory.path().join("stock.db")).await.unwrap();
    caches_are_only_caches(store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g9_caches_are_only_caches_on_postgres() {
    let database = cqrs_test_harness::postgres().unwrap().database("lanes").await.unwrap();
    let store = PostgresStore::connect(&database.url()).await.unwrap();
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

/// The caller of the first attempt is gone; nobody knows that it still gets through.
#[tokio::test]
async fn g4_a_command_that_is_carried_out_elsewhere_meanwhile_is_not_refused() {
    for (pieces, expected) in [(60, None), (10, Some(Version::NONE))] {
        let store = Watched::new(10);
        let bus = bus(store.clone());
        let send = |bus: &Bus| {
            let sent = bus.send(Take::from(pieces)).idempotency_key("k");
            if let Some(version) = expected { sent.expected_version(version) } else { sent }
        };
        let held = store.read_lets.clone().acquire_owned().await.unwrap();
        let second = send(&bus);
        let second = tokio::spawn(async move { second.await });
        settle().await;
        let elsewhere = Bus::builder(store.store.clone()).aggregate::<Stock>().build().unwrap();
        let first = send(&elsewhere).await.unwrap();
        drop(held);
        let second = second.await.unwrap().unwrap();
        assert_eq!((second.version, second.replayed), (first.version, true));
        assert_eq!(bus.load::<Stock>("s").await.unwrap().state.left, 100 - pieces);
    }
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

//! Dispatch: routing, wiring, conflicts, idempotency, and where events come from.

use std::sync::{Arc, Mutex};

use cqrs::prelude::*;
use cqrs::{
    Append, AppendError, Appended, DispatchContext, EventId, EventStore, LogFilter, LogPage,
    MemoryStore, News, Position, RecordedEvent, Retry, Snapshot, SnapshotStore, StoreError,
    StreamId, Version,
};
use cqrs_testkit::FaultyStore;

use crate::domain::{Add, AddAll, Counter, CounterError, add};

fn bus(store: impl cqrs::Store) -> Bus {
    Bus::builder(store).aggregate::<Counter>().build().unwrap()
}

#[tokio::test]
async fn a_command_result_carries_version_and_position() {
    let bus = bus(MemoryStore::new());
    let first = bus.send(add("a", 5)).await.unwrap();
    assert_eq!((first.version, first.position), (Version::new(1), Position::new(1)));
    bus.send(add("b", 1)).await.unwrap();
    let amounts = vec![1, 2, 3];
    let all = AddAll { counter: "a".into(), amounts, name: Some("six".into()) };
    let done = bus.send(all).await.unwrap();
    assert_eq!((done.version, done.position), (Version::new(5), Position::new(6)));
    assert_eq!((done.events, done.attempts, done.replayed), (4, 1, false));
    let loaded = bus.load::<Counter>("a").await.unwrap();
    assert_eq!((loaded.state.sum, &*loaded.state.name), (11, "six"));
    assert_eq!(loaded.version, done.version);
}

#[tokio::test]
async fn a_command_without_events_stores_nothing_and_tells_where_the_stream_is() {
    let bus = bus(MemoryStore::new());
    bus.send(add("a", 5)).await.unwrap();
    let nothing = AddAll { counter: "a".into(), amounts: vec![], name: None };
    let done = bus.send(nothing).await.unwrap();
    assert_eq!((done.version, done.position, done.events), (Version::new(1), Position::new(1), 0));
}

#[tokio::test]
async fn a_refusal_is_the_domains_own_error_and_stores_nothing() {
    let bus = bus(MemoryStore::new());
    let refused = bus.send(add("a", -1)).await.unwrap_err();
    assert_eq!(refused.rejection(), Some(&CounterError::Negative));
    assert!(!bus.load::<Counter>("a").await.unwrap().exists());
}

#[tokio::test]
async fn what_is_not_registered_is_an_error_that_says_what_to_write() {
    let bus = Bus::builder(MemoryStore::new()).build().unwrap();
    let error = bus.send(add("a", 1)).await.unwrap_err().to_string();
    assert!(error.contains("`Add`") && error.contains(".aggregate::<…>()"), "{error}");
    let error = bus.ask(Sum { counter: "a".into() }).await.unwrap_err().to_string();
    assert!(error.contains("`Sum`") && error.contains(".query_handler(…)"), "{error}");
    let error = bus.send(Move::new("a", "b", 1)).await.unwrap_err().to_string();
    assert!(error.contains("`Move`") && error.contains(".command_handler(…)"), "{error}");
}

#[derive(Debug, Clone, Query)]
#[query(output = i64, error = cqrs::LoadError)]
struct Sum {
    counter: String,
}

/// Moves an amount from one counter to another.
#[derive(Debug, Clone, Command)]
#[command(error = CounterError)]
struct Move {
    from: String,
    to: String,
    amount: i64,
}

impl Move {
    fn new(from: &str, to: &str, amount: i64) -> Self {
        Self { from: from.into(), to: to.into(), amount }
    }
}

struct Mover;

impl CommandHandler<Move> for Mover {
    async fn handle(
        &self,
        command: Move,
        context: &CommandContext,
    ) -> Result<(), DispatchError<CounterError>> {
        let from =
            context.load::<Counter>(&command.from).await.map_err(cqrs::LoadError::into_dispatch)?;
        ensure(from.state.sum >= command.amount, CounterError::Negative)?;
        context.send(add(&command.from, -command.amount)).await?;
        context.send(add(&command.to, command.amount)).await?;
        Ok(())
    }
}

#[tokio::test]
async fn a_command_handler_spans_aggregates_and_queries_are_answered() {
    let store = MemoryStore::new();
    let counters = cqrs::Repository::new(store.clone());
    let bus = Bus::builder(store)
        .aggregate::<Counter>()
        .command_handler(Mover)
        .query_handler(move |query: Sum| {
            let counters = counters.clone();
            async move { Ok(counters.load::<Counter>(&query.counter).await?.state.sum) }
        })
        .build()
        .unwrap();
    bus.send(add("a", 5)).await.unwrap();
    bus.send(Move::new("a", "b", 3)).await.unwrap();
    assert_eq!(bus.ask(Sum { counter: "b".into() }).await.unwrap(), 3);
    let refused = bus.send(Move::new("a", "b", 3)).await.unwrap_err();
    assert_eq!(refused.rejection(), Some(&CounterError::Negative));
}

#[tokio::test]
async fn correlation_and_causation_run_from_dispatch_to_events() {
    let store = MemoryStore::new();
    let bus =
        Bus::builder(store.clone()).aggregate::<Counter>().command_handler(Mover).build().unwrap();
    let first = DispatchContext::new().actor("ada").tenant("north").extra("request", "7");
    let (id, correlation) = (first.id(), first.correlation_id());
    bus.send(add("a", 5)).context(first.clone()).await.unwrap();
    let second = DispatchContext::new().correlation(correlation).actor("ada");
    let second_id = second.id();
    bus.send(Move::new("a", "b", 2)).context(second).await.unwrap();

    let events = store.read_log(&LogFilter::all(), Position::START, 10).await.unwrap().events;
    assert_eq!(events.len(), 3);
    let metadata = &events[0].metadata;
    assert_eq!((metadata.correlation_id, metadata.causation_id), (correlation, id));
    assert_eq!(&metadata.details, first.details());
    for event in &events[1..] {
        // Each was caused by a command that `Move` sent, under the same correlation and actor.
        assert_eq!(event.metadata.correlation_id, correlation);
        assert_ne!(event.metadata.causation_id, second_id);
        assert_eq!(event.metadata.details.actor.as_deref(), Some("ada"));
    }
}

#[test]
fn wiring_mistakes_are_reported_together_with_their_lines() {
    #[derive(Debug, Default, Aggregate)]
    #[aggregate(category = "counter", events(crate::domain::Renamed))]
    struct Other;
    impl Apply<crate::domain::Renamed> for Other {
        fn apply(&mut self, _: crate::domain::Renamed) {}
    }

    let error = Bus::builder(MemoryStore::new())
        .aggregate::<Counter>()
        .aggregate::<Counter>()
        .aggregate::<Other>()
        .command_handler(Mover)
        .command_handler(Mover)
        .build()
        .unwrap_err()
        .to_string();
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines.len(), 4, "{error}");
    assert!(lines[1].contains("bus.rs:") && lines[1].contains("Counter"), "{error}");
    assert!(lines[2].contains("category `counter`"), "{error}");
    assert!(lines[3].contains("handler of command `Move`"), "{error}");
}

#[tokio::test]
async fn g2_a_conflict_is_decided_on_again_with_the_new_state() {
    let store = MemoryStore::new();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let bus = Bus::builder(store.clone())
                .aggregate::<Counter>()
                .retry(Retry::attempts(1_000))
                .build()
                .unwrap();
            tokio::spawn(async move {
                for _ in 0..20 {
                    bus.send(add("a", 1)).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let loaded = bus(store).load::<Counter>("a").await.unwrap();
    assert_eq!((loaded.state.sum, loaded.version), (160, Version::new(160)));
}

#[tokio::test]
async fn conflicts_are_retried_as_often_as_the_policy_says() {
    let store = Arc::new(FaultyStore::new(MemoryStore::new()));
    let bus = Bus::builder(store.clone())
        .aggregate::<Counter>()
        .retry(Retry::attempts(3))
        .build()
        .unwrap();
    store.conflict_next_appends(2);
    assert_eq!(bus.send(add("a", 1)).await.unwrap().attempts, 3);
    store.conflict_next_appends(3);
    let error = bus.send(add("a", 1)).await.unwrap_err();
    assert!(matches!(error, DispatchError::Conflict(_)) && error.may_retry(), "{error}");
}

#[tokio::test]
async fn g2_a_command_for_a_version_seen_before_conflicts_at_once() {
    let bus = bus(MemoryStore::new());
    let seen = bus.send(add("a", 1)).await.unwrap().version;
    bus.send(add("a", 1)).expected_version(seen).await.unwrap();
    let error = bus.send(add("a", 1)).expected_version(seen).await.unwrap_err();
    let DispatchError::Stale(conflict) = error else { panic!("{error}") };
    assert_eq!((conflict.expected, conflict.actual), (seen.into(), Version::new(2)));
}

#[tokio::test]
async fn a_command_with_a_key_is_carried_out_once() {
    let bus = bus(MemoryStore::new());
    let all = |amounts: Vec<i64>| AddAll { counter: "a".into(), amounts, name: None };
    let first = bus.send(all(vec![1; 40])).idempotency_key("k").await.unwrap();
    bus.send(add("a", 1)).await.unwrap();
    let again = bus.send(all(vec![1; 40])).idempotency_key("k").await.unwrap();
    assert!(again.replayed && !first.replayed);
    assert_eq!((again.version, again.position), (first.version, first.position));
    assert_eq!(again.events, 40);
    // The key belongs to commands of one type to one aggregate.
    bus.send(add("a", 1)).idempotency_key("k").await.unwrap();
    bus.send(add("b", 1)).idempotency_key("k").await.unwrap();
    assert_eq!(bus.load::<Counter>("a").await.unwrap().state.sum, 42);
}

#[tokio::test]
async fn a_key_used_by_many_at_once_is_carried_out_once() {
    let store = MemoryStore::new();
    let bus = bus(store.clone());
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let bus = bus.clone();
            tokio::spawn(async move { bus.send(add("a", 1)).idempotency_key("k").await.unwrap() })
        })
        .collect();
    let mut first = 0;
    for task in tasks {
        first += usize::from(!task.await.unwrap().replayed);
    }
    assert_eq!(first, 1);
    let stream = StreamId::new("counter", "a").unwrap();
    assert_eq!(store.read_stream(&stream, Version::NONE, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn g4_an_unknown_outcome_is_safe_to_append_again() {
    let store = Arc::new(FaultyStore::new(MemoryStore::new()));
    let bus = bus(store.clone());
    store.lose_outcome_of_next_append();
    let error = bus.send(add("a", 1)).await.unwrap_err();
    let DispatchError::OutcomeUnknown(unknown) = error else { panic!("{error}") };
    let appended = store.append(&unknown.append).await.unwrap();
    assert!(appended.replayed);
    assert_eq!(bus.load::<Counter>("a").await.unwrap().version, Version::new(1));
}

#[tokio::test]
async fn g14_a_send_that_is_dropped_before_it_is_polled_does_nothing() {
    let bus = bus(MemoryStore::new());
    drop(bus.send(Add { counter: "a".into(), amount: 1 }).into_future());
    assert!(!bus.load::<Counter>("a").await.unwrap().exists());
}

/// Lets another bus carry a command out between the look at the receipt and the load.
#[derive(Debug)]
struct Overtaken {
    inner: MemoryStore,
    other: Mutex<Option<Bus>>,
}

#[async_trait::async_trait]
impl EventStore for Overtaken {
    async fn append(&self, append: &Append) -> Result<Appended, AppendError> {
        self.inner.append(append).await
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let other = self.other.lock().unwrap().take();
        if let Some(other) = other {
            let all = AddAll { counter: "a".into(), amounts: vec![5], name: None };
            other.send(all).idempotency_key("k").await.unwrap();
        }
        self.inner.read_stream(stream, after, limit).await
    }

    async fn read_log(
        &self,
        filter: &LogFilter,
        after: Position,
        limit: usize,
    ) -> Result<LogPage, StoreError> {
        self.inner.read_log(filter, after, limit).await
    }

    async fn head(&self) -> Result<cqrs::Head, StoreError> {
        self.inner.head().await
    }

    async fn find(&self, id: EventId) -> Result<Option<RecordedEvent>, StoreError> {
        self.inner.find(id).await
    }

    fn news(&self) -> News {
        self.inner.news()
    }
}

#[async_trait::async_trait]
impl SnapshotStore for Overtaken {
    async fn read_from_snapshot(
        &self,
        stream: &StreamId,
        fingerprint: u64,
        limit: usize,
    ) -> Result<(Option<Snapshot>, Vec<RecordedEvent>), StoreError> {
        self.inner.read_from_snapshot(stream, fingerprint, limit).await
    }

    async fn save_snapshot(&self, stream: &StreamId, snapshot: Snapshot) -> Result<(), StoreError> {
        self.inner.save_snapshot(stream, snapshot).await
    }
}

#[tokio::test]
async fn a_command_overtaken_by_another_with_its_key_returns_the_others_outcome() {
    let inner = MemoryStore::new();
    let other = Mutex::new(Some(bus(inner.clone())));
    let bus = bus(Overtaken { inner, other });
    let all = AddAll { counter: "a".into(), amounts: vec![1, 2], name: None };
    let done = bus.send(all).idempotency_key("k").await.unwrap();
    assert_eq!((done.replayed, done.events), (true, 1));
    assert_eq!(bus.load::<Counter>("a").await.unwrap().state.sum, 5);
}

/// Moves an amount in steps that may be repeated; fails where it is told to.
#[derive(Debug, Clone, Command)]
#[command(error = CounterError)]
struct MoveSafely {
    inner: Move,
    fail: bool,
}

struct SafeMover;

impl CommandHandler<MoveSafely> for SafeMover {
    const IDEMPOTENT: bool = true;

    async fn handle(
        &self,
        command: MoveSafely,
        context: &CommandContext,
    ) -> Result<(), DispatchError<CounterError>> {
        let Move { from, to, amount } = command.inner;
        context.send(add(&from, -amount)).idempotency_key(context.step_key("out")).await?;
        if command.fail {
            return Err(DispatchError::failed("the line is cut"));
        }
        context.send(add(&to, amount)).idempotency_key(context.step_key("in")).await?;
        Ok(())
    }
}

#[tokio::test]
async fn an_idempotent_handler_goes_on_where_it_failed() {
    let bus = Bus::builder(MemoryStore::new())
        .aggregate::<Counter>()
        .command_handler(SafeMover)
        .build()
        .unwrap();
    bus.send(add("a", 5)).await.unwrap();
    for fail in [true, true, false, false] {
        let inner = Move::new("a", "b", 3);
        let result = bus.send(MoveSafely { inner, fail }).idempotency_key("k").await;
        assert_eq!(result.is_err(), fail, "{result:?}");
    }
    let sum = async |key| bus.load::<Counter>(key).await.unwrap().state.sum;
    assert_eq!((sum("a").await, sum("b").await), (2, 3));
    // Without a key its steps have none that another dispatch would have.
    let without_key = bus.send(MoveSafely { inner: Move::new("a", "b", 1), fail: true }).await;
    assert!(matches!(without_key, Err(DispatchError::Partial(_))), "{without_key:?}");
}

#[tokio::test]
async fn keys_and_versions_are_refused_where_they_are_not_honoured() {
    let bus = Bus::builder(MemoryStore::new())
        .aggregate::<Counter>()
        .command_handler(Mover)
        .build()
        .unwrap();
    bus.send(add("a", 5)).await.unwrap();
    let key = bus.send(Move::new("a", "b", 1)).idempotency_key("k").await.unwrap_err();
    assert!(key.to_string().contains("const IDEMPOTENT"), "{key}");
    let version = bus.send(Move::new("a", "b", 1)).expected_version(Version::new(1)).await;
    assert!(matches!(version, Err(DispatchError::Invalid(_))), "{version:?}");
    let empty = bus.send(add("a", 1)).idempotency_key("").await;
    assert!(matches!(empty, Err(DispatchError::Invalid(_))), "{empty:?}");
    assert_eq!(bus.load::<Counter>("a").await.unwrap().state.sum, 5);
}

#[tokio::test]
async fn a_context_given_last_keeps_the_key_given_first() {
    let bus = bus(MemoryStore::new());
    for _ in 0..2 {
        let context = DispatchContext::new().actor("ada");
        bus.send(add("a", 1)).idempotency_key("k").context(context).await.unwrap();
    }
    assert_eq!(bus.load::<Counter>("a").await.unwrap().state.sum, 1);
}

#[tokio::test]
async fn a_handler_that_fails_half_way_does_not_ask_to_be_sent_again() {
    let store = Arc::new(FaultyStore::new(MemoryStore::new()));
    let bus = Bus::builder(store.clone())
        .aggregate::<Counter>()
        .command_handler(Mover)
        .retry(Retry::never())
        .build()
        .unwrap();
    bus.send(add("a", 5)).await.unwrap();
    // Nothing was sent yet: the same error as that of the command it sent.
    store.conflict_next_appends(1);
    let error = bus.send(Move::new("a", "b", 1)).await.unwrap_err();
    assert!(error.may_retry(), "{error}");
    // The first of two commands is carried out, the second is not: its stream can't be one.
    let error = bus.send(Move::new("a", "", 1)).await.unwrap_err();
    assert!(matches!(error, DispatchError::Partial(_)) && !error.may_retry(), "{error}");
}

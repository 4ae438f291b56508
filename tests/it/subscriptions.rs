//! Subscriptions, as an application follows events on each store.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cqrs::{
    Append, AppendError, Appended, Event as _, EventId, EventStore, ExpectedVersion, FollowError,
    LogFilter, LogPage, MemoryStore, Metadata, NewEvent, News, Payload, Position, RecordedEvent,
    SqliteStore, Store, StoreError, StoreErrorKind, StreamId, Subscription, Version,
};
use cqrs_testkit::FaultyStore;
use futures_util::StreamExt as _;
use tokio::time::timeout;

use crate::domain::{CounterEvent, Renamed};

/// Two handles on one database: to read from, and to write to as another process would.
struct Place {
    reader: Arc<FaultyStore<Arc<dyn Store>>>,
    writer: Arc<dyn Store>,
    _database: Box<dyn Any + Send + Sync>,
}

impl Place {
    fn of(reader: impl Store, writer: impl Store, database: impl Any + Send + Sync) -> Self {
        let reader: Arc<dyn Store> = Arc::new(reader);
        let reader = Arc::new(FaultyStore::new(reader));
        Self { reader, writer: Arc::new(writer), _database: Box::new(database) }
    }

    fn log(&self) -> Subscription {
        Subscription::of_log(self.reader.clone(), LogFilter::all())
    }

    fn stream(&self, key: &str) -> Subscription {
        Subscription::of_stream(self.reader.clone(), counter(key))
    }

    async fn add(&self, key: &str, amounts: impl IntoIterator<Item = i64>) {
        add(&*self.writer, key, amounts).await;
    }
}

async fn memory() -> Place {
    let store = MemoryStore::new();
    Place::of(store.clone(), store, ())
}

async fn sqlite() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let open = || SqliteStore::open(directory.path().join("test.db"));
    Place::of(open().await.unwrap(), open().await.unwrap(), directory)
}

async fn postgres() -> Place {
    let database = cqrs_test_harness::postgres().unwrap().database("subscriptions").await.unwrap();
    let connect = || async { crate::stores::postgres(&database.url()).await };
    Place::of(connect().await, connect().await, database)
}

macro_rules! on_every_store {
    ($($test:ident)+) => {
        on_every_store! { @on memory: $($test)+ }
        on_every_store! { @on sqlite: $($test)+ }
        on_every_store! { @on postgres: $($test)+ }
    };
    (@on $store:ident: $($test:ident)+) => {
        mod $store {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let test = super::$test(super::$store().await);
                super::soon(test).await;
            })+
        }
    };
}

on_every_store! {
    events_come_from_the_place_asked_for
    g5_events_come_once_and_in_order_while_writers_append
    one_stream_is_followed_alone
    g11_an_event_that_cannot_be_decoded_is_an_error_and_the_next_one_comes
    subscriptions_are_streams
    g14_dropped_calls_lose_nothing
    a_store_that_fails_is_asked_again
    events_are_read_by_the_page_when_they_are_asked_for
}

/// What never comes fails the test instead of stopping it for ever.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_mins(2), what).await.expect("what is waited for comes")
}

fn counter(key: &str) -> StreamId {
    StreamId::new("counter", key).unwrap()
}

async fn append(store: &dyn Store, stream: StreamId, events: Vec<NewEvent>) {
    let append = Append::new(stream, ExpectedVersion::Any, events).unwrap();
    store.append(&append).await.unwrap();
}

fn event(event_type: &'static str, payload: Payload) -> NewEvent {
    let id = EventId::random();
    let metadata = Arc::new(Metadata::of(id.as_uuid()));
    NewEvent::from_parts(id, event_type, 1, payload, metadata).unwrap()
}

fn added(amount: i64) -> NewEvent {
    event("counter.added", CounterEvent::Added { amount }.encode().unwrap())
}

async fn add(store: &dyn Store, key: &str, amounts: impl IntoIterator<Item = i64>) {
    append(store, counter(key), amounts.into_iter().map(added).collect()).await;
}

fn amount(event: &RecordedEvent) -> i64 {
    match CounterEvent::decode(event).unwrap().as_slice() {
        [CounterEvent::Added { amount }] => *amount,
        other => panic!("{other:?}"),
    }
}

async fn amounts(subscription: &mut Subscription, count: usize) -> Vec<i64> {
    let mut amounts = Vec::new();
    while amounts.len() < count {
        amounts.push(amount(&subscription.next().await.unwrap()));
    }
    amounts
}

async fn events_come_from_the_place_asked_for(place: Place) {
    place.add("a", 1..=5).await;
    place.add("b", 6..=9).await;
    let mut all = place.log().page(2);
    assert_eq!(amounts(&mut all, 3).await, [1, 2, 3]);
    let third = place.reader.read_log(&LogFilter::all(), Position::START, 3).await.unwrap().through;
    let mut behind = place.log().after(third);
    assert_eq!(amounts(&mut behind, 6).await, [4, 5, 6, 7, 8, 9]);
    let mut stream = place.stream("b").after_version(Version::new(2));
    assert_eq!(amounts(&mut stream, 2).await, [8, 9]);
    // All of them go on with what is appended from now on.
    place.add("b", [10]).await;
    assert_eq!(amounts(&mut all, 7).await, [4, 5, 6, 7, 8, 9, 10]);
    assert_eq!(amounts(&mut behind, 1).await, [10]);
    assert_eq!(amounts(&mut stream, 1).await, [10]);
}

async fn g5_events_come_once_and_in_order_while_writers_append(place: Place) {
    const WRITERS: i64 = 6;
    const ROUNDS: i64 = 20;
    let writers = (0..WRITERS).map(|writer| {
        let store = place.writer.clone();
        tokio::spawn(async move {
            for round in 0..ROUNDS {
                let other = StreamId::new("other", "1").unwrap();
                append(&*store, other, vec![event("other.noted", Payload::of(&()).unwrap())]).await;
                add(&*store, &writer.to_string(), [2 * round, 2 * round + 1]).await;
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let counters = LogFilter::all().category("counter").events_of::<CounterEvent>();
    let mut subscription = Subscription::of_log(place.reader.clone(), counters).page(7);
    let (mut last, mut next) = (Position::START, HashMap::new());
    for _ in 0..WRITERS * ROUNDS * 2 {
        let event = subscription.next().await.unwrap();
        assert!(event.position > last, "{event:?} comes after {last}");
        last = event.position;
        let next = next.entry(event.stream.clone()).or_insert(0);
        assert_eq!(amount(&event), *next, "{event:?}");
        *next += 1;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    // Nothing comes a second time: this is next.
    place.add("end", [-1]).await;
    assert_eq!(amounts(&mut subscription, 1).await, [-1]);
}

async fn one_stream_is_followed_alone(place: Place) {
    let mut stream = place.stream("a").page(2);
    let following = async { amounts(&mut stream, 60).await };
    let writing = async {
        for round in 0..20 {
            place.add("b", [-1]).await;
            place.add("a", 3 * round..3 * round + 3).await;
        }
    };
    let (seen, ()) = tokio::join!(following, writing);
    assert_eq!(seen, (0..60).collect::<Vec<_>>());
}

async fn g11_an_event_that_cannot_be_decoded_is_an_error_and_the_next_one_comes(place: Place) {
    let payload = |json| Payload::from_json(json).unwrap();
    let renamed = event("counter.renamed", Renamed { name: "b".into() }.encode().unwrap());
    let bad = event("counter.added", payload(r#"{"amount":"many"}"#));
    append(&*place.writer, counter("a"), vec![added(1), renamed, bad, added(2)]).await;
    let filter = LogFilter::all().events_of::<CounterEvent>();
    let subscription = Subscription::of_log(place.reader.clone(), filter);
    let mut events = subscription.typed::<CounterEvent>();
    let (first, recorded) = events.next().await.unwrap();
    assert_eq!(
        (first, recorded.version),
        (CounterEvent::Added { amount: 1 }.into(), Version::FIRST)
    );
    let error = events.next().await.unwrap_err();
    assert!(matches!(&error, FollowError::Decode(_)), "{error}");
    assert!(error.to_string().contains("counter/a"), "{error}");
    place.reader.fail_next_reads(1, StoreErrorKind::Unavailable);
    let (last, recorded) = events.next().await.unwrap();
    assert_eq!(
        (last, recorded.version),
        (CounterEvent::Added { amount: 2 }.into(), Version::new(4))
    );
    let error = events.next().await.unwrap_err();
    assert!(matches!(&error, FollowError::Store(_)), "{error}");
    place.add("a", [3]).await;
    assert_eq!(events.next().await.unwrap().0, CounterEvent::Added { amount: 3 }.into());
}

async fn subscriptions_are_streams(place: Place) {
    place.add("a", 1..=5).await;
    let even = |amount: &i64| std::future::ready(amount % 2 == 0);
    let amounts = place.log().into_stream().map(|event| amount(&event.unwrap()));
    let even = amounts.filter(even).take(5).collect::<Vec<i64>>();
    let typed = place.stream("a").typed::<CounterEvent>().into_stream();
    let typed = typed.map(|event| event.unwrap().0).take(10).collect::<Vec<_>>();
    let (even, typed, ()) = tokio::join!(even, typed, place.add("a", 6..=10));
    assert_eq!(even, [2, 4, 6, 8, 10]);
    let all = (1..=10).map(|amount| CounterEvent::Added { amount }.into());
    assert_eq!(typed, all.collect::<Vec<_>>());
}

async fn g14_dropped_calls_lose_nothing(place: Place) {
    let writer = place.writer.clone();
    let writing = tokio::spawn(async move {
        for amount in 0..60 {
            add(&*writer, "a", [amount]).await;
        }
    });
    let mut subscription = place.log().page(3);
    let mut seen = Vec::new();
    let mut dropped = 0;
    for wait in (0..5).cycle() {
        // Some are dropped before they read, some while they read, some while they wait for news; later and later, where a
        // read takes longer.
        let wait = Duration::from_micros(wait * wait * 250) * (1 + dropped / 10);
        match timeout(wait, subscription.next()).await {
            Ok(event) => {
                dropped = 0;
                seen.push(amount(&event.unwrap()));
            }
            Err(_) => dropped += 1,
        }
        if seen.len() == 60 {
            break;
        }
    }
    assert_eq!(seen, (0..60).collect::<Vec<_>>());
    writing.await.unwrap();
}

async fn a_store_that_fails_is_asked_again(place: Place) {
    place.add("a", 1..=3).await;
    for mut subscription in [place.log().page(2), place.stream("a").page(2)] {
        place.reader.fail_next_reads(2, StoreErrorKind::Unavailable);
        for _ in 0..2 {
            let error = subscription.next().await.unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        }
        assert_eq!(amounts(&mut subscription, 2).await, [1, 2]);
        place.reader.fail_next_reads(1, StoreErrorKind::Busy);
        assert!(subscription.next().await.is_err());
        assert_eq!(amounts(&mut subscription, 1).await, [3]);
    }
}

async fn events_are_read_by_the_page_when_they_are_asked_for(place: Place) {
    place.add("a", 1..=7).await;
    for mut subscription in [place.log().page(3), place.stream("a").page(3)] {
        let before = place.reader.reads();
        // Nothing is read ahead: another page only when the one before is used up.
        for (amount, reads) in (1..=7).zip([1, 1, 1, 2, 2, 2, 3]) {
            assert_eq!(amounts(&mut subscription, 1).await, [amount]);
            assert_eq!(place.reader.reads() - before, reads, "at event {amount}");
        }
    }
}

/// Others may hold the log up; they do not hold up a stream.
#[tokio::test]
async fn a_stream_is_followed_while_an_append_elsewhere_is_held_open() {
    let database = cqrs_test_harness::postgres().unwrap().database("subscriptions").await.unwrap();
    let store = crate::stores::postgres(&database.url()).await;
    let mut held = store.pool().begin().await.unwrap();
    let elsewhere = Append::new(counter("held"), ExpectedVersion::Any, vec![added(1)]).unwrap();
    store.append_in(&mut held, &elsewhere).await.unwrap();
    add(&store, "a", [2]).await;
    let mut stream = Subscription::of_stream(store.clone(), counter("a"));
    assert_eq!(soon(amounts(&mut stream, 1)).await, [2]);
    assert_eq!(store.read_log(&LogFilter::all(), Position::START, 1).await.unwrap().events, []);
    held.commit().await.unwrap();
    let mut log = Subscription::of_log(store, LogFilter::all());
    assert_eq!(soon(amounts(&mut log, 2)).await, [1, 2]);
}

/// A store to which somebody appends just when a read found nothing.
#[derive(Debug)]
struct LateAppends(MemoryStore);

#[async_trait]
impl EventStore for LateAppends {
    async fn append(&self, append: &Append) -> Result<Appended, AppendError> {
        self.0.append(append).await
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let read = self.0.read_stream(stream, after, limit).await;
        if read.as_ref().is_ok_and(Vec::is_empty) {
            add(&self.0, "a", [1]).await;
        }
        read
    }

    async fn read_log(
        &self,
        filter: &LogFilter,
        after: Position,
        limit: usize,
    ) -> Result<LogPage, StoreError> {
        let read = self.0.read_log(filter, after, limit).await;
        if read.as_ref().is_ok_and(|page| page.events.is_empty()) {
            add(&self.0, "a", [1]).await;
        }
        read
    }

    async fn head(&self) -> Result<cqrs::Head, StoreError> {
        self.0.head().await
    }

    async fn find(&self, id: EventId) -> Result<Option<RecordedEvent>, StoreError> {
        self.0.find(id).await
    }

    fn news(&self) -> News {
        self.0.news()
    }
}

#[tokio::test]
async fn g5_what_is_appended_between_reading_and_waiting_comes() {
    let mut log = Subscription::of_log(LateAppends(MemoryStore::new()), LogFilter::all());
    assert_eq!(soon(amounts(&mut log, 3)).await, [1, 1, 1]);
    let mut stream = Subscription::of_stream(LateAppends(MemoryStore::new()), counter("a"));
    assert_eq!(soon(amounts(&mut stream, 3)).await, [1, 1, 1]);
}

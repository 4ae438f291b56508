//! Guarantees as an application sees them, on whatever store.

use std::future::IntoFuture as _;
use std::sync::Arc;

use cqrs::prelude::*;
use cqrs::{
    Append, DecodeReason, EventId, EventStore as _, ExpectedVersion, LoadError, LogFilter,
    MemoryStore, Metadata, NewEvent, Payload, StreamId, limits,
};

use serde::{Deserialize, Serialize};

use crate::domain::{AddAll, Counter, Measure, Renamed, add};

async fn bus_with(event_type: &'static str, schema_version: u32, payload: &str) -> Bus {
    let store = MemoryStore::new();
    let bus = Bus::builder(store.clone()).aggregate::<Counter>().build().unwrap();
    bus.send(add("a", 1)).await.unwrap();
    let metadata = Arc::new(Metadata::of(EventId::random().as_uuid()));
    let payload = Payload::from_json(payload).unwrap();
    let event =
        NewEvent::from_parts(EventId::random(), event_type, schema_version, payload, metadata);
    let stream = StreamId::new("counter", "a").unwrap();
    let append = Append::new(stream, ExpectedVersion::Exists, vec![event.unwrap()]).unwrap();
    store.append(&append).await.unwrap();
    bus
}

#[tokio::test]
async fn g11_an_unknown_event_type_is_an_error_that_tells_where() {
    let bus = bus_with("counter.multiplied", 1, "{}").await;
    let Err(LoadError::Decode(error)) = bus.load::<Counter>("a").await else {
        panic!("the event was guessed at")
    };
    assert!(matches!(error.reason, DecodeReason::UnknownType { .. }));
    let text = error.to_string();
    for part in ["counter.multiplied", "version 2", "counter/a", "position 2", "counter.added"] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    let command = bus.send(add("a", 1)).await.unwrap_err();
    assert!(matches!(command, DispatchError::Decode(_)), "{command}");
}

#[tokio::test]
async fn g11_another_schema_version_is_an_error() {
    let bus = bus_with("counter.added", 2, r#"{"amount": 1}"#).await;
    let error = bus.load::<Counter>("a").await.unwrap_err();
    let LoadError::Decode(error) = error else { panic!("{error}") };
    assert!(matches!(error.reason, DecodeReason::Newer { newest: 1 }), "{error}");
}

#[tokio::test]
async fn g11_a_payload_of_another_shape_is_an_error() {
    for payload in [r#"{"amount": "one"}"#, "{}", "null", "[]", "7", r#""Added""#] {
        let bus = bus_with("counter.added", 1, payload).await;
        let error = bus.load::<Counter>("a").await.unwrap_err();
        let LoadError::Decode(error) = error else { panic!("{error}") };
        assert!(matches!(error.reason, DecodeReason::Payload(_)), "{payload}: {error}");
    }
}

#[tokio::test]
async fn g13_what_no_store_can_keep_is_refused_before_anything_is_stored() {
    let store = MemoryStore::new();
    let bus = Bus::builder(store.clone()).aggregate::<Counter>().build().unwrap();
    let all = |amounts, name: Option<String>| AddAll { counter: "a".into(), amounts, name };
    let measure = |value| Measure { counter: "a".into(), value };
    let refused = [
        bus.send(add("", 1)).await,
        bus.send(add("a\0b", 1)).await,
        bus.send(add(&"k".repeat(10_000), 1)).await,
        bus.send(measure(f64::NAN)).await,
        bus.send(measure(f64::INFINITY)).await,
        bus.send(all(vec![], Some("a\0b".into()))).await,
        bus.send(all(vec![], Some("x".repeat(limits::MAX_PAYLOAD_BYTES)))).await,
        bus.send(all(vec![1; limits::MAX_EVENTS_PER_APPEND + 1], None)).await,
        bus.send(add("a", 1)).actor("a\0b").await,
        bus.send(add("a", 1)).tenant("x".repeat(limits::MAX_METADATA_BYTES + 1)).await,
    ];
    for (case, result) in refused.into_iter().enumerate() {
        assert!(matches!(result, Err(DispatchError::Invalid(_))), "case {case}: {result:?}");
    }
    let log = store.read_log(&LogFilter::all(), cqrs::Position::START, 10).await.unwrap();
    assert_eq!(log.events, []);
    // What is just within the limits is stored.
    bus.send(all(vec![1; limits::MAX_EVENTS_PER_APPEND], None)).await.unwrap();
    let name = "x".repeat(limits::MAX_PAYLOAD_BYTES - r#"{"name":""}"#.len());
    bus.send(all(vec![], Some(name.clone()))).await.unwrap();
    assert_eq!(bus.load::<Counter>("a").await.unwrap().state.name, name);
}

#[test]
fn events_are_stored_as_their_content_under_their_names() {
    assert_eq!(Renamed::TYPES[0].to_string(), "counter.renamed v1");
    let names: Vec<&str> =
        <Counter as Aggregate>::Event::TYPES.iter().map(|event_type| event_type.name).collect();
    assert_eq!(names, ["counter.added", "counter.measured", "counter.renamed"]);
    let event = crate::domain::CounterEvent::Added { amount: 7 };
    assert_eq!(event.encode().unwrap().as_str(), r#"{"amount":7}"#);
}

#[tokio::test]
async fn a_hole_in_a_stream_is_an_error_and_not_another_state() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.db");
    let store = crate::stores::sqlite(&path).await;
    let bus = Bus::builder(store).aggregate::<Counter>().build().unwrap();
    for _ in 0..3 {
        bus.send(add("a", 1)).await.unwrap();
    }
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::query("DELETE FROM cqrs_events WHERE version = 2").execute(&pool).await.unwrap();
    let error = bus.send(add("a", 1)).await.unwrap_err();
    let DispatchError::Store(error) = error else { panic!("{error}") };
    assert_eq!(error.kind(), cqrs::StoreErrorKind::Corrupt);
    assert!(error.to_string().contains("from version 1 to 3"), "{error}");
}

/// Leaves a field out that it can't be read back without, and can't be applied to more than once.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(name = "fragile.touched")]
struct Touched {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    by: Vec<String>,
}

#[derive(Debug, Default, Aggregate)]
#[aggregate(category = "fragile", events(Touched))]
struct Fragile {
    times: u8,
}

impl Apply<Touched> for Fragile {
    fn apply(&mut self, _: Touched) {
        self.times += 255;
    }
}

#[derive(Debug, Clone, Command)]
#[command(aggregate = Fragile, id = key)]
struct Touch {
    key: String,
    by: Vec<String>,
}

impl Handle<Touch> for Fragile {
    fn handle(&self, command: Touch) -> Decision<Self> {
        emit(Touched { by: command.by })
    }
}

#[tokio::test]
async fn g13_an_event_that_could_not_be_read_back_or_applied_is_not_stored() {
    let bus = Bus::builder(MemoryStore::new()).aggregate::<Fragile>().build().unwrap();
    let touch = |by: &[&str]| {
        let by = by.iter().map(ToString::to_string).collect();
        bus.send(Touch { key: "f".into(), by }).into_future()
    };
    let unreadable = touch(&[]).await.unwrap_err();
    assert!(unreadable.to_string().contains("read back"), "{unreadable}");
    touch(&["ada"]).await.unwrap();
    // The state would overflow, which panics in the builds that tests are made of.
    assert!(tokio::spawn(touch(&["ada"])).await.unwrap_err().is_panic());
    assert_eq!(bus.load::<Fragile>("f").await.unwrap().state.times, 255);
}

//! Rows of events that someone has changed by hand: whoever meets one is told, and everything else goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use cqrs::prelude::*;
use cqrs::{
    Append, BoxError, Catalogue, EventStore, ExpectedVersion, LoadError, LogFilter, MemoryView,
    Payload, Position, Projector, Rows as _, Store, Version,
};
use sqlx::{AssertSqlSafe, query};
use tokio::time::timeout;

use super::rows::{Kept, Said};
use super::{OnPostgres, OnSqlite, add, bombs, new_event, stream};
use crate::domain::{Counter, CounterEvent, add as add_to};
use crate::projections::LONG;

#[derive(Debug, Default, Aggregate)]
#[aggregate(category = "hostile", events(Said))]
struct Talk {
    said: Vec<String>,
}

impl Apply<Said> for Talk {
    fn apply(&mut self, event: Said) {
        self.said.push(event.text);
    }
}

#[derive(Debug, Clone, Command)]
#[command(aggregate = Talk, id = talk)]
struct Say {
    talk: String,
}

impl Handle<Say> for Talk {
    fn handle(&self, command: Say) -> Decision<Self> {
        emit(Said { text: command.talk })
    }
}

/// Two events each in one stream for each of the payloads, and one more stream; then the first events are exchanged for
/// the payloads. What must not change is told by how many events there are.
async fn talks(store: &dyn EventStore, many: usize) {
    let said = || Payload::of(&Said { text: "word".into() }).unwrap();
    for number in 0..=many {
        let events =
            vec![new_event("hostile.kept", 1, said()), new_event("hostile.kept", 1, said())];
        add(store, &stream("hostile", &number.to_string()), events).await;
    }
}

/// Every reader of these payloads, each in the stream of its number: a typed error, or the event.
async fn every_reader_is_told(store: impl Store + Clone, payloads: &[(String, String)]) {
    let bus = Bus::builder(store.clone()).aggregate::<Talk>().build().unwrap();
    let (mut unreadable, mut unkept) = (0, 0);
    for (number, (what, text)) in payloads.iter().enumerate() {
        let key = number.to_string();
        let events = store.read_stream(&stream("hostile", &key), Version::NONE, 10).await.unwrap();
        assert!(events[0].payload.as_str() == text, "{what:.60}");
        match bus.load::<Talk>(&key).await {
            Ok(talk) => {
                assert_eq!(talk.state.said.len(), 2);
                unkept += u64::from(talk.state.said[0].contains('\0'));
            }
            Err(LoadError::Decode(error)) => {
                let error = error.to_string();
                assert!(error.contains(&format!("hostile/{key}")), "{what:.60}: {error}");
                unreadable += 1;
                let refused = bus.send(Say { talk: key }).await.unwrap_err();
                assert!(matches!(refused, DispatchError::Decode(_)), "{what:.60}: {refused}");
            }
            Err(error) => panic!("{what:.60}: {error}"),
        }
    }
    let last = payloads.len().to_string();
    assert_eq!(bus.load::<Talk>(&last).await.unwrap().state.said.len(), 2);

    // A dry run ends with a report of all of them.
    let mut pages = 0;
    let catalogue = Catalogue::new().aggregate::<Talk>();
    let run = catalogue.dry_run(&store, usize::MAX, |_| pages += 1).await.unwrap();
    assert_eq!((run.failures(), run.stored), (unreadable, 2 * (payloads.len() as u64 + 1)));
    assert!(pages > 0 && run.position == run.end);
    assert!(run.to_string().contains(&format!("{unreadable} of {} stored events", run.stored)));

    // A projection parks the streams of these, and of those whose rows could not be kept; it takes all others.
    let model = MemoryView::<Kept>::new(BTreeMap::new());
    let projector = Projector::new(store.clone()).attempts(1).max_parked(1_000);
    let running = projector.start_view::<Kept>(model.clone());
    running.wait_for(run.end, LONG).await.unwrap();
    assert_eq!(running.status().parked.len() as u64, unreadable + unkept);
    let others = 2 * (payloads.len() as u64 + 1 - unreadable - unkept);
    let row = model.row(&"word".to_owned()).await.unwrap().unwrap();
    assert!(row.count.unsigned_abs() >= others / 2, "{row:?}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g8_g11_payloads_edited_by_hand_are_told_to_every_reader_on_sqlite() {
    let place = OnSqlite::new().await;
    let mut payloads = bombs::values();
    let fields: Vec<_> = payloads
        .iter()
        .flat_map(|(what, value)| {
            let known = format!(r#"{{"text":{value}}}"#);
            let more = format!(r#"{{"text":"a","more":{value}}}"#);
            [(format!("{what}, known"), known), (format!("{what}, more"), more)]
        })
        .collect();
    payloads.extend(fields);
    talks(&place.store, payloads.len()).await;
    for (number, (_, text)) in payloads.iter().enumerate() {
        let edit = "UPDATE cqrs_events SET payload = $1 WHERE key = $2 AND version = 1";
        let edit = query(edit).bind(text).bind(number.to_string());
        assert_eq!(edit.execute(&place.operator).await.unwrap().rows_affected(), 1);
    }
    every_reader_is_told(place.store.clone(), &payloads).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g8_g11_payloads_edited_by_hand_are_told_to_every_reader_on_postgres() {
    let place = OnPostgres::new().await;
    let payloads = bombs::values();
    talks(&place.store, payloads.len()).await;
    // What is no JSON to the server, or too deep, can't be put in there by anyone.
    let mut kept = Vec::new();
    for (number, (what, text)) in payloads.into_iter().enumerate() {
        let edit = "UPDATE cqrs.events SET payload = $1::json WHERE key = $2 AND version = 1";
        let edit = query(edit).bind(format!(r#"{{"text":{text}}}"#)).bind(number.to_string());
        let text = match edit.execute(&place.operator).await {
            Ok(_) => format!(r#"{{"text":{text}}}"#),
            Err(_) => r#"{"text":"word"}"#.to_owned(),
        };
        kept.push((what, text));
    }
    assert!(kept.iter().filter(|(_, text)| text.len() != r#"{"text":"word"}"#.len()).count() > 20);
    every_reader_is_told(place.store.clone(), &kept).await;
}

const EXTREMES: [&str; 12] = [
    "version = 9223372036854775807 WHERE version = 2",
    "version = 9223372036854775806 WHERE version = 2",
    "version = 4294967296 WHERE version = 2",
    "position = 9223372036854775807 WHERE position = 2",
    "position = 281474976710655 WHERE position = 2",
    "position = 281474976710656 WHERE position = 2",
    "schema_version = 2147483648 WHERE version = 2",
    "schema_version = 4294967295 WHERE version = 2",
    "schema_version = 9223372036854775807 WHERE version = 2",
    "category = 'Counter' WHERE version = 2",
    "event_type = 'counter.added''; --' WHERE version = 2",
    "correlation_id = '00000000-0000-0000-0000-000000000000' WHERE version = 2",
];

/// Everything an application does with a stream, none of which may panic. What is read or told is tested elsewhere.
async fn nothing_panics(store: impl Store + Clone, edit: &str) {
    let (read, model) = (store.clone(), MemoryView::<Sums>::new(BTreeMap::new()));
    let work = tokio::spawn(async move {
        let bus = Bus::builder(read.clone()).aggregate::<Counter>().build().unwrap();
        let mut told = Vec::new();
        told.push(bus.load::<Counter>("a").await.map(drop).map_err(|error| error.to_string()));
        let sent = timeout(LONG, async { bus.send(add_to("a", 1)).await }).await.unwrap();
        told.push(sent.map(drop).map_err(|error| error.to_string()));
        let sent = timeout(LONG, async { bus.send(add_to("other", 1)).await }).await.unwrap();
        told.push(sent.map(drop).map_err(|error| error.to_string()));
        for expected in [ExpectedVersion::Any, ExpectedVersion::Exists, ExpectedVersion::NoStream] {
            let payload = Payload::from_json(r#"{"amount":1}"#).unwrap();
            let events = vec![new_event("counter.added", 1, payload)];
            let append = Append::new(stream("counter", "a"), expected, events).unwrap();
            let appended = timeout(LONG, read.append(&append)).await.unwrap();
            told.push(appended.map(drop).map_err(|error| error.to_string()));
        }
        for filter in [LogFilter::all(), LogFilter::all().event_type("counter.added")] {
            for after in [0, 1, 2, 1 << 48, u64::MAX >> 1, u64::MAX] {
                let page = timeout(LONG, read.read_log(&filter, Position::new(after), 10)).await;
                told.push(page.unwrap().map(drop).map_err(|error| error.to_string()));
            }
        }
        for after in [0, 1, u64::MAX >> 1, u64::MAX] {
            let page = read.read_stream(&stream("counter", "a"), Version::new(after), 10).await;
            told.push(page.map(drop).map_err(|error| error.to_string()));
        }
        told.push(read.head().await.map(drop).map_err(|error| error.to_string()));
        let catalogue = Catalogue::new().aggregate::<Counter>();
        let run = timeout(LONG, catalogue.dry_run(&read, 3, |_| ())).await.unwrap();
        told.push(run.map(|run| drop(run.to_string())).map_err(|error| error.to_string()));
        told
    });
    let told = work.await.unwrap_or_else(|error| panic!("{edit}: {error}"));
    for error in told.iter().filter_map(|told| told.as_ref().err()) {
        assert!(error.len() > 20, "{edit}: {error}");
    }
    // A projection goes on, or says what keeps it from that.
    let running = Projector::new(store.clone()).attempts(1).start_view::<Sums>(model);
    let end = store.head().await.map(|head| head.last);
    let settled = timeout(LONG, async {
        loop {
            let status = running.status();
            let is_there = end.as_ref().is_ok_and(|end| status.position >= *end);
            if is_there || status.last_error.is_some() || !status.parked.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    assert!(settled.await.is_ok(), "{edit}: {:?}", running.status());
    let stopped = running.stop().await.to_string();
    assert!(!stopped.contains("panicked"), "{edit}: {stopped}");
}

/// Sums of counters, as a view.
#[derive(Debug, Clone, PartialEq, View)]
#[view(name = "hostile_sums", key(counter), events(CounterEvent))]
struct Sums {
    counter: String,
    sum: i64,
}

impl Fold<CounterEvent> for Sums {
    fn rows(_: &CounterEvent, received: &Received<'_>) -> impl IntoIterator<Item = String> {
        Some(received.stream.key().to_owned())
    }

    fn fold(
        row: &mut Option<Self>,
        counter: &String,
        event: &CounterEvent,
        _: &Received<'_>,
    ) -> Result<(), BoxError> {
        let row = row.get_or_insert(Self { counter: counter.clone(), sum: 0 });
        if let CounterEvent::Added { amount } = event {
            row.sum += amount;
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_at_their_ends_make_nothing_panic_on_sqlite() {
    let more = [
        "recorded_at = 9223372036854775807 WHERE version = 2",
        "recorded_at = -9223372036854775808 WHERE version = 2",
        "version = 0 WHERE version = 2",
        "version = -9223372036854775808 WHERE version = 2",
        "position = -9223372036854775808 WHERE version = 2",
        "position = 0 WHERE version = 2",
        "payload = CAST(x'fffe' AS TEXT) WHERE version = 2",
        "payload = 'a' || CAST(x'00' AS TEXT) || 'b' WHERE version = 2",
        "details = '{\"actor\":1}' WHERE version = 2",
        "details = '{\"actor\":\"a\",\"actor\":\"b\"}' WHERE version = 2",
        "event_id = event_id || ' ' WHERE version = 2",
    ];
    for edit in EXTREMES.iter().chain(&more) {
        let place = OnSqlite::new().await;
        let bus = Bus::builder(place.store.clone()).aggregate::<Counter>().build().unwrap();
        for _ in 0..2 {
            bus.send(add_to("a", 1)).await.unwrap();
        }
        place.edit(&format!("UPDATE cqrs_events SET {edit}")).await;
        nothing_panics(place.store.clone(), edit).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_at_their_ends_make_nothing_panic_on_postgres() {
    let more = [
        "recorded_at = 'infinity' WHERE version = 2",
        "recorded_at = '-infinity' WHERE version = 2",
        "recorded_at = '4713-01-01 00:00:00 BC' WHERE version = 2",
        "recorded_at = '294276-12-31' WHERE version = 2",
        "details = '{\"actor\":1}' WHERE version = 2",
        "details = '{\"actor\":\"a\",\"actor\":\"b\"}' WHERE version = 2",
        "details = '{\"a\":\"\\u0000\"}' WHERE version = 2",
        "details = '{\"a\":\"\\ud800\"}' WHERE version = 2",
        "details = 'null' WHERE version = 2",
    ];
    let place = OnPostgres::new().await;
    let bus = Bus::builder(place.store.clone()).aggregate::<Counter>().build().unwrap();
    for _ in 0..2 {
        bus.send(add_to("a", 1)).await.unwrap();
    }
    place.edit("CREATE TABLE sound AS SELECT * FROM cqrs.events").await;
    for edit in EXTREMES.iter().chain(&more) {
        let sql = format!("UPDATE cqrs.events SET {edit}");
        // What a constraint of the schema refuses can't be there.
        if sqlx::raw_sql(AssertSqlSafe(sql)).execute(&place.operator).await.is_ok() {
            nothing_panics(place.store.clone(), edit).await;
        }
        place.edit("DELETE FROM cqrs.events; INSERT INTO cqrs.events SELECT * FROM sound").await;
    }
}

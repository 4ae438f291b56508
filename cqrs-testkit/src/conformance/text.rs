//! What an event carries: payload, type, ids and metadata come back byte for byte.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cqrs_core::{Details, EventId, Metadata, NewEvent};
use uuid::Uuid;

use super::Fixture;
use super::support::{
    account, add, event, event_with_id, events, holds, is_kept, json, named, read, same,
    typed_event,
};

/// Texts that get lost where text is escaped, quoted, trimmed, normalised or cut on its way.
pub(super) const TEXTS: &[&str] = &[
    "",
    " ",
    "  a  ",
    "\t\n\r\n",
    "'",
    "\"",
    "\\",
    "\\n",
    "\\u0041",
    "'; DROP TABLE events; --",
    "%s %d %",
    "$1 ?1 :a",
    "NULL",
    "null",
    "true",
    "1",
    "1.0",
    "{\"a\":1}",
    "[",
    "<b>&amp;</b>",
    "\u{e9}",
    "e\u{301}",
    "\u{1f980}",
    "\u{202e}abc",
    "\u{5e9}\u{5dc}\u{5d5}\u{5dd}",
    "\u{feff}a",
    "\u{200b}",
    "\u{1}\u{8}\u{c}\u{1b}\u{1f}\u{7f}",
    "\u{2028}\u{2029}",
    "\u{fffd}\u{ffff}\u{10ffff}",
    "a/b",
    "日本語",
];

pub(super) async fn payloads_are_kept_byte_for_byte(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let documents = [
        r#" { "a" : 1.0e3, "ü":"\u00e9" } "#,
        r#"{"ü":"é","u":"e\u0301"}"#,
        "\r\n\t{ }\n",
        "{}",
        "[]",
        "null",
        "true",
        "0",
        "\"\"",
        "\"text\"",
        r#"{"b":1,"a":2}"#,
        r#"{"a":1,"a":2}"#,
        r#"{"":{"":[]}}"#,
        "[1,1.0,1.00,1e0,1E0,10e-1,-0,-0.0]",
        "[0.1,0.30000000000000004,1e-300,1.7976931348623157e308,5e-324]",
        "[9007199254740993,18446744073709551615,-9223372036854775808,123456789012345678901234567890]",
        r#"{"slash":"\/","tab":"\t","quote":"\"","back":"\\","crab":"\ud83e\udd80"}"#,
    ];
    let mut batch: Vec<NewEvent> = Vec::new();
    for document in documents {
        batch.push(typed_event(EventId::random(), "suite.written", 1, json(document)));
    }
    for text in TEXTS {
        let payload = cqrs_core::Payload::of(&BTreeMap::from([(text, text)]));
        let payload = payload.unwrap_or_else(|error| panic!("bad text in the suite: {error}"));
        batch.push(typed_event(EventId::random(), "suite.written", 1, payload));
    }
    // Alone and together: stores may write one event by another statement than many.
    for (key, event) in batch.iter().enumerate() {
        let alone = event_with_payload(event);
        add(&*store, &account(key), vec![alone.clone()]).await;
        holds(&*store, &account(key), &[alone]).await;
    }
    add(&*store, &account("together"), batch.clone()).await;
    holds(&*store, &account("together"), &batch).await;
}

fn event_with_payload(event: &NewEvent) -> NewEvent {
    typed_event(EventId::random(), event.event_type(), 1, event.payload().clone())
}

pub(super) async fn event_types_are_kept_byte_for_byte(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let batch: Vec<NewEvent> = TEXTS
        .iter()
        .filter(|name| !name.is_empty())
        .map(|name| typed_event(EventId::random(), name, 1, json("{}")))
        .collect();
    add(&*store, &account("together"), batch.clone()).await;
    holds(&*store, &account("together"), &batch).await;
    // The same name again may come from what the store remembers of it.
    holds(&*fixture.open().await, &account("together"), &batch).await;
}

pub(super) async fn metadata_is_kept_byte_for_byte(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let mut described: Vec<Details> = TEXTS
        .iter()
        .flat_map(|text| {
            let text = || Some((*text).to_owned());
            let extra = text().map(|text| ("entry".to_owned(), text)).into_iter().collect();
            [
                Details { actor: text(), ..Details::default() },
                Details { tenant: text(), ..Details::default() },
                Details { actor: text(), tenant: text(), extra },
            ]
        })
        .collect();
    described.push(Details::default());
    let entries = TEXTS.iter().map(|text| ((*text).to_owned(), text.repeat(2)));
    described.push(Details { extra: entries.collect(), ..Details::default() });
    let batch: Vec<NewEvent> = described
        .into_iter()
        .map(|details| {
            let id = || EventId::random().as_uuid();
            let metadata = Metadata { correlation_id: id(), causation_id: id(), details };
            with_metadata(metadata)
        })
        .collect();
    // In one append events may share their metadata or have each their own.
    add(&*store, &account("together"), batch.clone()).await;
    holds(&*store, &account("together"), &batch).await;
    for (key, event) in batch.iter().enumerate() {
        let shared = event.metadata();
        let pair = [with_metadata(shared.clone()), with_metadata(shared.clone())];
        add(&*store, &account(key), pair.to_vec()).await;
        holds(&*store, &account(key), &pair).await;
    }
}

fn with_metadata(metadata: Metadata) -> NewEvent {
    let payload = json("{}");
    NewEvent::from_parts(EventId::random(), "suite.described", 1, payload, Arc::new(metadata))
        .unwrap_or_else(|error| panic!("bad event in the suite: {error}"))
}

pub(super) async fn ids_of_any_form_are_kept(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let ids = [
        Uuid::nil(),
        Uuid::max(),
        Uuid::from_u128(1),
        Uuid::from_u128(1 << 127),
        // Text in bytes, and bytes that end a text.
        Uuid::from_bytes(*b"0123456789abcdef"),
        Uuid::from_bytes([
            b'\'', b'"', b'\\', 0, 1, 0xff, 0xc3, 0x28, b'%', b'_', b';', b'-', b'-', 10, 13, 26,
        ]),
        EventId::random().as_uuid(),
        EventId::of_command(&account(1), "command", "key", 0).as_uuid(),
    ];
    let batch: Vec<NewEvent> =
        ids.into_iter().map(|id| event_with_id(EventId::from(id), id)).collect();
    add(&*store, &account(1), batch.clone()).await;
    holds(&*store, &account(1), &batch).await;
    for event in &batch {
        let found = store.find(event.id()).await.ok().flatten();
        let Some(found) = found else {
            panic!("event {} is stored, but not found by its id", event.id());
        };
        is_kept(&found, event);
    }
    let traced = ids.into_iter().map(|id| {
        with_metadata(Metadata { causation_id: Uuid::from_u128(!id.as_u128()), ..Metadata::of(id) })
    });
    let traced: Vec<NewEvent> = traced.collect();
    add(&*store, &account("traced"), traced.clone()).await;
    holds(&*store, &account("traced"), &traced).await;
}

pub(super) async fn events_are_recorded_at_the_time_of_their_append(fixture: Arc<dyn Fixture>) {
    // The clock of a database may be another one. It is not hours off: that is a time zone gone wrong.
    const OFF: Duration = Duration::from_mins(10);
    let store = fixture.open().await;
    let before = SystemTime::now() - OFF;
    add(&*store, &account(1), vec![event("first")]).await;
    add(&*store, &account(1), events("more", 3)).await;
    let after = SystemTime::now() + OFF;
    let stored = read(&*store, &account(1)).await;
    for event in &stored {
        assert!(
            (before..=after).contains(&event.recorded_at),
            "the time of {} is {:?}, but it was appended {:?} after 1970 by this machine's clock, give or take 10 minutes",
            named(event),
            event.recorded_at,
            before.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default() + OFF,
        );
    }
    same("the events read again", read(&*fixture.open().await, &account(1)).await, stored);
}

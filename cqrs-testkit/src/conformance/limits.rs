//! The documented limits (G13): what is within them is kept, whole. What is beyond them no store gets to see: the types
//! of the ports refuse it.

use std::sync::Arc;

use cqrs_core::limits::{
    MAX_APPEND_BYTES, MAX_CATEGORY_BYTES, MAX_EVENT_TYPE_BYTES, MAX_EVENTS_PER_APPEND,
    MAX_KEY_BYTES, MAX_METADATA_BYTES, MAX_PAYLOAD_BYTES,
};
use cqrs_core::{
    AppendError, Details, EventId, ExpectedVersion, Metadata, NewEvent, Payload, StoreErrorKind,
    StreamId, Version,
};

use super::Fixture;
use super::support::{
    Follower, account, add, append, append_of, events, holds, json, log, same, stream, typed_event,
};

/// A payload of exactly this size, of characters of several sizes and without repetition: what is cut or lost shows.
fn payload_of(bytes: usize) -> Payload {
    let mut text = String::with_capacity(bytes);
    text.push_str("{\"t\":\"");
    while text.len() + 16 < bytes {
        text.push_str("é€ß");
        text.push_str(&(text.len() % 997).to_string());
    }
    while text.len() + 2 < bytes {
        text.push('.');
    }
    text.push_str("\"}");
    json(&text)
}

pub(super) async fn g13_the_largest_payload_is_kept(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    for (key, bytes) in [(1, MAX_PAYLOAD_BYTES), (2, MAX_PAYLOAD_BYTES - 1), (3, 1 << 16)] {
        let event = typed_event(EventId::random(), "suite.large", 1, payload_of(bytes));
        same("the size of the payload", event.payload().len(), bytes);
        add(&*store, &account(key), vec![event.clone()]).await;
        holds(&*store, &account(key), std::slice::from_ref(&event)).await;
    }
    same("the number of events in the log", log(&store).await.len(), 3);
}

pub(super) async fn g13_the_largest_append_is_kept(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let large = payload_of(MAX_PAYLOAD_BYTES);
    let batch: Vec<NewEvent> = (0..MAX_APPEND_BYTES / MAX_PAYLOAD_BYTES)
        .map(|_| typed_event(EventId::random(), "suite.large", 1, large.clone()))
        .collect();
    let stream = account(1);
    let outcome = add(&*store, &stream, batch.clone()).await;
    same("the version", outcome.version, Version::new(batch.len() as u64));
    holds(&*store, &stream, &batch).await;
}

pub(super) async fn g13_as_many_events_as_are_allowed_are_kept(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let stream = account(1);
    let batch = events("one of many", MAX_EVENTS_PER_APPEND);
    let most = append_of(&stream, ExpectedVersion::NoStream, batch.clone());
    let outcome = append(&*store, &most).await;
    same("the version", outcome.version, Version::new(MAX_EVENTS_PER_APPEND as u64));
    holds(&*store, &stream, &batch).await;
    let mut follower = Follower::new(&store, usize::MAX);
    follower.catch_up().await;
    same("the number of events in the log", follower.seen.len(), MAX_EVENTS_PER_APPEND);
    let again = append(&*store, &most).await;
    same(
        "the outcome of the same append again",
        (again.version, again.position, again.replayed),
        (outcome.version, outcome.position, true),
    );
}

pub(super) async fn g13_the_longest_names_are_kept_apart(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let category = "c".repeat(MAX_CATEGORY_BYTES);
    // The last byte tells the streams apart; so does the last character but one where characters are longer.
    let ascii = "k".repeat(MAX_KEY_BYTES - 1);
    let wide = "\u{1F980}".repeat(MAX_KEY_BYTES / 4 - 1);
    let streams: Vec<StreamId> = [
        (&*category, format!("{ascii}1")),
        (&*category, format!("{ascii}2")),
        (&*category, ascii.clone()),
        (&category[1..], format!("{ascii}1")),
        (&*category, format!("{wide}\u{1F980}")),
        (&*category, format!("{wide}\u{1F981}")),
    ]
    .iter()
    .map(|(category, key)| stream(category, key))
    .collect();
    let mut batches = Vec::new();
    for stream in &streams {
        let name = "é".repeat(MAX_EVENT_TYPE_BYTES / 2);
        let id = EventId::random();
        let batch = vec![typed_event(id, &name, 1, Payload::from_stored("{}"))];
        let first = append_of(stream, ExpectedVersion::NoStream, batch.clone());
        append(&*store, &first).await;
        batches.push(batch);
    }
    for (stream, batch) in streams.iter().zip(&batches) {
        holds(&*store, stream, batch).await;
    }
}

pub(super) async fn g13_the_largest_metadata_is_kept(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let one_large =
        Details { actor: Some("€".repeat(MAX_METADATA_BYTES / 3)), ..Details::default() };
    let many_small = Details {
        extra: (0..MAX_METADATA_BYTES / 8)
            .map(|number| (format!("{number:04}"), format!("{:04}", number * 3 % 1_000)))
            .collect(),
        ..Details::default()
    };
    for (key, details) in [one_large, many_small].into_iter().enumerate() {
        let metadata = Metadata { details, ..Metadata::of(EventId::random().as_uuid()) };
        let event = NewEvent::from_parts(
            EventId::random(),
            "suite.described",
            1,
            Payload::from_stored("{}"),
            Arc::new(metadata),
        );
        let event = event.unwrap_or_else(|error| panic!("bad event in the suite: {error}"));
        add(&*store, &account(key), vec![event.clone()]).await;
        holds(&*store, &account(key), &[event]).await;
    }
}

pub(super) async fn g13_schema_versions_are_kept_or_refused(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let largest = i32::MAX.unsigned_abs();
    for (key, schema) in
        [1, 2, 255, 256, 65_536, largest, largest + 1, u32::MAX].into_iter().enumerate()
    {
        let stream = account(key);
        let event = typed_event(EventId::random(), "suite.evolved", schema, json("{}"));
        let attempt = append_of(&stream, ExpectedVersion::Any, vec![event.clone()]);
        match store.append(&attempt).await {
            Ok(_) => holds(&*store, &stream, &[event]).await,
            // Databases without unsigned numbers may refuse what they can't hold.
            Err(AppendError::Store(error))
                if schema > largest && error.kind() == StoreErrorKind::InvalidInput =>
            {
                holds(&*store, &stream, &[]).await;
            }
            Err(error) => panic!("an event of schema version {schema} can't be stored: {error:?}"),
        }
    }
}

//! Appending (G1): all events of an append are stored, with consecutive versions, or none.

use std::sync::Arc;

use cqrs_core::{ExpectedVersion, Version};

use super::Fixture;
use super::support::{
    account, add, append, append_of, conflict, duplicate, event, event_with_id, events, handles,
    holds, log, read, same,
};

pub(super) async fn g1_an_append_gets_consecutive_versions(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let stream = account(1);
    let mut stored = Vec::new();
    for count in [1, 3, 1, 7, 2] {
        let batch = events("batch", count);
        let expected = ExpectedVersion::Exact(Version::new(stored.len() as u64));
        stored.extend(batch.clone());
        let outcome = append(&*store, &append_of(&stream, expected, batch)).await;
        let log = log(&store).await;
        let last = log.last().expect("an append was acknowledged, but the log is empty");
        same(
            "the version, position and replay mark the append returned",
            (outcome.version, outcome.position, outcome.replayed),
            (Version::new(stored.len() as u64), last.position, false),
        );
        holds(&*store, &stream, &stored).await;
    }
}

pub(super) async fn g1_an_id_in_use_elsewhere_stores_nothing(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let (other, stream) = (account("other"), account("stream"));
    let taken = event("taken");
    add(&*store, &other, vec![taken.clone()]).await;
    let first = event("first");
    add(&*store, &stream, vec![first.clone()]).await;

    for at in 0..3 {
        let mut batch = events("batch", 3);
        batch[at] = event_with_id(taken.id(), "the same id");
        for expected in [ExpectedVersion::Any, Version::FIRST.into()] {
            let attempt = append_of(&stream, expected, batch.clone());
            let why = format!("the id of its event {at} is stored in stream `{other}`");
            duplicate(&attempt, &why, store.append(&attempt).await);
            holds(&*store, &stream, std::slice::from_ref(&first)).await;
        }
    }
    same("the number of events in the log", log(&store).await.len(), 2);
    // Nothing of the failed appends may be left that is in the way of the next.
    let outcome = add(&*store, &stream, events("next", 2)).await;
    same("the version after", outcome.version, Version::new(3));
}

pub(super) async fn g1_a_conflict_stores_nothing(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let stream = account(1);
    let first = events("first", 2);
    add(&*store, &stream, first.clone()).await;

    let batch = events("too early", 3);
    for expected in [ExpectedVersion::NoStream, Version::new(1).into(), Version::new(4).into()] {
        let attempt = append_of(&stream, expected, batch.clone());
        conflict(&attempt, store.append(&attempt).await);
        holds(&*store, &stream, &first).await;
        same("the number of events in the log", log(&store).await.len(), 2);
        for event in &batch {
            let found = store.find(event.id()).await;
            same("an event of an append that met a conflict", found.ok().flatten(), None);
        }
    }

    // The events are as new as before.
    let outcome = append(&*store, &append_of(&stream, Version::new(2).into(), batch.clone())).await;
    same(
        "the outcome of the same events at the right version",
        (outcome.version, outcome.replayed),
        (Version::new(5), false),
    );
    holds(&*store, &stream, &[first, batch].concat()).await;
}

pub(super) async fn g3_what_is_acknowledged_is_seen_through_every_handle(
    fixture: Arc<dyn Fixture>,
) {
    let [writer, reader] = handles(&fixture).await;
    let stream = account(1);
    let mut all = Vec::new();
    for round in 0..20_u64 {
        // Handles take turns, so that none may rely on what it knows from its own last append.
        let (writer, reader) = match round % 2 {
            0 => (&writer, &reader),
            _ => (&reader, &writer),
        };
        let batch = events(round, 2);
        all.extend(batch.clone());
        let expected = ExpectedVersion::Exact(Version::new(round * 2));
        append(&**writer, &append_of(&stream, expected, batch.clone())).await;
        holds(&**reader, &stream, &all).await;
        same("the log of the other handle", log(reader).await, log(writer).await);
        let found = reader.find(batch[1].id()).await;
        let last = read(&**writer, &stream).await.pop();
        same("the event looked up by the other handle", found.ok().flatten(), last);
    }
    drop((writer, reader));
    holds(&*fixture.open().await, &stream, &all).await;
}

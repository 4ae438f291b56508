//! Appending the same events again (G4): stored once, with the first outcome; ids that are in use are refused.

use std::sync::Arc;

use cqrs_core::{Append, AppendError, Appended, ExpectedVersion, StoreErrorKind, Version};

use super::Fixture;
use super::support::{
    account, add, append, append_of, at_once, duplicate, event, event_with_id, events, handles,
    holds, log, same,
};

fn replay_of(first: Appended) -> Appended {
    Appended { replayed: true, ..first }
}

pub(super) async fn g4_the_same_append_again_stores_nothing(fixture: Arc<dyn Fixture>) {
    let [store, other] = handles(&fixture).await;
    let stream = account(1);
    let mut appends = Vec::new();
    let mut all = Vec::new();
    for count in [1, 3, 2] {
        let batch = events("batch", count);
        let expected = ExpectedVersion::Exact(Version::new(all.len() as u64));
        all.extend(batch.clone());
        let attempt = append_of(&stream, expected, batch);
        let outcome = append(&*store, &attempt).await;
        appends.push((attempt, outcome));
        // Also those before: later events change nothing about an outcome.
        for (attempt, outcome) in &appends {
            for store in [&store, &other] {
                same(
                    "the outcome of the same append again",
                    append(&**store, attempt).await,
                    replay_of(*outcome),
                );
            }
        }
        holds(&*store, &stream, &all).await;
    }
    add(&*store, &account(2), events("elsewhere", 1)).await;
    for (attempt, outcome) in appends {
        let anywhere = append_of(&stream, ExpectedVersion::Any, attempt.events().to_vec());
        same(
            "the outcome of the same events appended again, expecting any version",
            append(&*store, &anywhere).await,
            replay_of(outcome),
        );
    }
    same("the number of events in the log", log(&store).await.len(), 7);
}

pub(super) async fn g4_ids_tell_what_is_the_same(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let stream = account(1);
    let batch = events("first", 2);
    let first = append_of(&stream, ExpectedVersion::NoStream, batch.clone());
    let outcome = append(&*store, &first).await;
    let told_otherwise = batch.iter().map(|event| event_with_id(event.id(), "told otherwise"));
    let again = append_of(&stream, ExpectedVersion::NoStream, told_otherwise.collect());
    same(
        "the outcome of the same ids with another content",
        append(&*store, &again).await,
        replay_of(outcome),
    );
    holds(&*store, &stream, &batch).await;
}

pub(super) async fn g4_ids_that_are_stored_elsewhere_are_refused(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let (stream, other, empty) = (account(1), account(2), account(3));
    let [one, two, three] = ["one", "two", "three"].map(event);
    let stored = [one.clone(), two.clone(), three.clone()];
    add(&*store, &stream, stored.to_vec()).await;
    let there = events("other", 1);
    add(&*store, &other, there.clone()).await;
    let new = || event("new");
    let refused = [
        (&other, vec![one.clone()], "its event is stored in another stream"),
        (&empty, stored.to_vec(), "its events are stored in another stream"),
        (&stream, vec![three.clone(), new()], "its first event is stored already"),
        (&stream, vec![new(), three.clone()], "its last event is stored already"),
        (
            &stream,
            vec![one.clone(), new(), two.clone()],
            "all but one of its events are stored already",
        ),
        (&stream, vec![two.clone(), one.clone()], "its events are stored in another order"),
        (
            &stream,
            vec![one.clone(), three.clone()],
            "its events are stored with another between them",
        ),
        (&stream, vec![three, there[0].clone()], "its last event is stored in another stream"),
    ];
    for (stream_of_attempt, batch, why) in refused {
        let attempt = append_of(stream_of_attempt, ExpectedVersion::Any, batch);
        duplicate(&attempt, why, store.append(&attempt).await);
        holds(&*store, &stream, &stored).await;
        holds(&*store, &other, &there).await;
        holds(&*store, &empty, &[]).await;
    }
    same("the number of events in the log", log(&store).await.len(), 4);
}

async fn at_the_same_time(
    fixture: &Arc<dyn Fixture>,
    appends: Vec<Append>,
) -> Vec<Result<Appended, AppendError>> {
    let stores = handles::<3>(fixture).await;
    let tasks = appends.into_iter().zip(stores.into_iter().cycle());
    at_once(tasks.map(|(append, store)| async move { store.append(&append).await })).await
}

pub(super) async fn g4_the_same_append_many_times_at_once_is_stored_once(
    fixture: Arc<dyn Fixture>,
) {
    let store = fixture.open().await;
    for round in 0..10 {
        let expected = match round % 2 {
            0 => ExpectedVersion::NoStream,
            _ => ExpectedVersion::Any,
        };
        let (stream, batch) = (account(round), events(round, 1 + round % 3));
        let appends = vec![append_of(&stream, expected, batch.clone()); 16];
        let mut first = Vec::new();
        let mut replays = Vec::new();
        for outcome in at_the_same_time(&fixture, appends).await {
            let outcome = outcome.unwrap_or_else(|error| {
                panic!(
                    "16 times the same append at once, expecting {expected}: one failed: {error}"
                )
            });
            if outcome.replayed { &mut replays } else { &mut first }.push(outcome);
        }
        holds(&*store, &stream, &batch).await;
        let [first] = first[..] else {
            panic!("16 times the same append at once: {} say that they stored it", first.len());
        };
        same("the outcome of the others", replays, vec![replay_of(first); 15]);
    }
}

pub(super) async fn g4_one_id_raced_to_many_streams_is_stored_once(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    for round in 0..10 {
        let shared = event("shared");
        let stream_of = |writer| account(format!("{round} {writer}"));
        let appends: Vec<Append> = (0..16)
            .map(|writer| {
                let batch = [events(writer, 1), vec![shared.clone()]].concat();
                append_of(&stream_of(writer), ExpectedVersion::NoStream, batch)
            })
            .collect();
        let outcomes = at_the_same_time(&fixture, appends.clone()).await;
        let mut stored = 0;
        for (attempt, outcome) in appends.iter().zip(outcomes) {
            match outcome {
                Ok(_) => {
                    stored += 1;
                    holds(&*store, attempt.stream(), attempt.events()).await;
                }
                Err(AppendError::Store(error))
                    if error.kind() == StoreErrorKind::DuplicateEvent =>
                {
                    holds(&*store, attempt.stream(), &[]).await;
                }
                Err(error) => panic!(
                    "an id raced to 16 streams must be refused with the kind DuplicateEvent where it comes too late; \
                     the store answers: {error:?}"
                ),
            }
        }
        same("in how many streams an id is stored", stored, 1);
    }
}

//! Writers that meet (G2): one winner, typed conflicts for the others, nobody harmed who is not in the race.

use std::sync::Arc;

use cqrs_core::{Append, AppendError, Appended, Conflict, ExpectedVersion, Store, Version};
use tokio::sync::Barrier;

use super::Fixture;
use super::support::{
    account, add, append, append_of, at_once, conflict, described, duplicate, events, handles,
    holds, log, named, read, same,
};

const WRITERS: usize = 24;

/// Lets all appends go at the same moment, spread over the handles.
async fn race(
    handles: &[Arc<dyn Store>],
    appends: &[Append],
) -> Vec<Result<Appended, AppendError>> {
    let start = Arc::new(Barrier::new(appends.len()));
    let tasks = appends.iter().zip(handles.iter().cycle()).map(|(append, store)| {
        let (append, store, start) = (append.clone(), store.clone(), start.clone());
        async move {
            start.wait().await;
            store.append(&append).await
        }
    });
    at_once(tasks).await
}

/// The index of the only append that may have succeeded; all others must have met a conflict that tells its version.
fn only_winner(appends: &[Append], outcomes: Vec<Result<Appended, AppendError>>) -> usize {
    let winners = outcomes.iter().enumerate();
    let mut winners = winners.filter_map(|(index, outcome)| Some((index, outcome.as_ref().ok()?)));
    let Some((winner, won)) = winners.next() else {
        let first = outcomes.into_iter().find_map(Result::err);
        panic!(
            "{} writers raced to one version and none succeeded; the first was told: {first:?}",
            appends.len()
        );
    };
    if let Some((_, second)) = winners.next() {
        panic!(
            "{} writers raced to one version and several succeeded, at {won} and {second}: {}",
            appends.len(),
            described(&appends[winner])
        );
    }
    let actual = won.version;
    for (attempt, outcome) in appends.iter().zip(outcomes) {
        if outcome.is_err() {
            let (stream, expected) = (attempt.stream().clone(), attempt.expected());
            same(
                "what the conflict says to the loser of a race",
                conflict(attempt, outcome),
                Conflict { stream, expected, actual },
            );
        }
    }
    winner
}

pub(super) async fn g2_one_of_many_writers_wins(fixture: Arc<dyn Fixture>) {
    let handles = handles::<3>(&fixture).await;
    let stream = account("contended");
    let mut stored = events("before", 1);
    add(&*handles[0], &stream, stored.clone()).await;
    for round in 0..10 {
        let expected = ExpectedVersion::Exact(Version::new(stored.len() as u64));
        let appends: Vec<Append> = (0..WRITERS)
            .map(|writer| {
                let batch = events(format!("{round} {writer}"), 1 + writer % 3);
                append_of(&stream, expected, batch)
            })
            .collect();
        let winner = only_winner(&appends, race(&handles, &appends).await);
        stored.extend_from_slice(appends[winner].events());
        holds(&*handles[0], &stream, &stored).await;
    }
}

pub(super) async fn g2_one_of_many_first_events_wins(fixture: Arc<dyn Fixture>) {
    let handles = handles::<3>(&fixture).await;
    for round in 0..10 {
        let stream = account(round);
        let appends: Vec<Append> = (0..WRITERS)
            .map(|writer| {
                let expected = match writer % 2 {
                    0 => ExpectedVersion::NoStream,
                    _ => ExpectedVersion::Exact(Version::NONE),
                };
                append_of(&stream, expected, events(writer, 1 + writer % 3))
            })
            .collect();
        let winner = only_winner(&appends, race(&handles, &appends).await);
        holds(&*handles[0], &stream, appends[winner].events()).await;
    }
}

pub(super) async fn g2_appends_that_expect_no_version_all_succeed(fixture: Arc<dyn Fixture>) {
    let handles = handles::<3>(&fixture).await;
    let stream = account("busy");
    let mut appends = Vec::new();
    for round in 0..5 {
        let batch: Vec<Append> = (0..WRITERS)
            .map(|writer| {
                let events = events(format!("{round} {writer}"), 1 + writer % 3);
                append_of(&stream, ExpectedVersion::Any, events)
            })
            .collect();
        let outcomes = race(&handles, &batch).await;
        appends.extend(batch.into_iter().zip(outcomes));
    }
    let stored = read(&*handles[0], &stream).await;
    let total: usize = appends.iter().map(|(append, _)| append.events().len()).sum();
    same("the number of events after the race", stored.len(), total);
    for (append, outcome) in appends {
        let outcome = outcome.unwrap_or_else(|error| {
            panic!("{} failed beside others of its kind: {error}", described(&append))
        });
        let end = usize::try_from(outcome.version.get()).unwrap_or(usize::MAX);
        let own = end
            .checked_sub(append.events().len())
            .and_then(|begin| stored.get(begin..end))
            .unwrap_or_else(|| panic!("the stream has no version {}", outcome.version));
        for (stored, event) in own.iter().zip(append.events()) {
            assert!(
                stored.id == event.id(),
                "an append was told it ends at {outcome}, but among its versions there is the {} of another append",
                named(stored)
            );
        }
        same(
            "the position an append was told",
            own.last().map(|event| event.position),
            Some(outcome.position),
        );
    }
}

pub(super) async fn g1_conflicts_and_duplicates_do_not_harm_their_neighbours(
    fixture: Arc<dyn Fixture>,
) {
    let handles = handles::<3>(&fixture).await;
    let store = &handles[0];
    let taken = events("taken", 1);
    add(&**store, &account("elsewhere"), taken.clone()).await;
    for writer in 0..WRITERS {
        add(&**store, &account(writer), events("before", 1)).await;
    }
    for round in 0..5_u64 {
        let appends: Vec<Append> = (0..WRITERS)
            .map(|writer| {
                let stream = account(writer);
                let good = events(format!("{round} {writer}"), 2);
                match writer % 4 {
                    0 => append_of(&stream, Version::new(99).into(), good),
                    1 => {
                        let bad = [good, taken.clone()].concat();
                        append_of(&stream, Version::FIRST.into(), bad)
                    }
                    _ => append_of(&stream, Version::new(1 + round * 2).into(), good),
                }
            })
            .collect();
        for (writer, outcome) in race(&handles, &appends).await.into_iter().enumerate() {
            let attempt = &appends[writer];
            match (writer % 4, outcome) {
                (0, outcome) => drop(conflict(attempt, outcome)),
                (1, outcome) => {
                    duplicate(attempt, "its last id is stored elsewhere", outcome);
                }
                (_, Ok(outcome)) => {
                    same("the version", outcome.version, Version::new(3 + round * 2));
                }
                (_, Err(error)) => panic!(
                    "{} failed, though only its neighbours were wrong: {error}",
                    described(attempt)
                ),
            }
        }
    }
    let good = WRITERS - 2 * WRITERS / 4;
    same("the number of events in the log", log(store).await.len(), 1 + WRITERS + good * 5 * 2);
    // And the store goes on.
    let more = append_of(&account(0), Version::FIRST.into(), events("more", 1));
    append(&**store, &more).await;
}

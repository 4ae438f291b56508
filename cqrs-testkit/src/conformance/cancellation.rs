//! Dropped futures (G14): an append is stored whole or not at all, and whatever was dropped harms nobody.

use std::future::Future;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cqrs_core::{Append, ExpectedVersion, LogFilter, Position, Store, Version};

use super::Fixture;
use super::support::{
    account, add, append, append_of, at_once, described, events, handles, holds, log, named, read,
    same,
};

const ROUNDS: u32 = 40;

/// How far into an operation it is dropped.
#[derive(Clone, Copy)]
enum Cut {
    AfterPolls(u32),
    After(Duration),
}

/// Polls the future for a while and drops it; whether it finished before.
async fn dropped_after<T>(cut: Cut, future: impl Future<Output = T>) -> Option<T> {
    let patience = async {
        let began = Instant::now();
        let mut polls = 0;
        // Timers are too coarse for what takes microseconds.
        while match cut {
            Cut::AfterPolls(count) => polls < count,
            Cut::After(time) => began.elapsed() < time,
        } {
            polls += 1;
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        outcome = future => Some(outcome),
        () = patience => None,
    }
}

/// Places to cut an operation that takes about this long: all along its time and beyond, and after each of its first
/// polls often enough to use up what a dropped one may not give back.
fn cuts(time: Duration) -> impl Iterator<Item = Cut> {
    let polls = (0..ROUNDS).map(|round| Cut::AfterPolls(round % 5));
    let times = (0..ROUNDS).map(move |round| Cut::After(time * round / (ROUNDS * 4 / 5)));
    polls.chain(times)
}

/// How long an append takes here.
async fn usual_time(store: &dyn Store) -> Duration {
    let mut longest = Duration::ZERO;
    for _ in 0..5 {
        let began = Instant::now();
        add(store, &account("measured"), events("measured", 5)).await;
        longest = longest.max(began.elapsed());
    }
    longest
}

/// Appends that are dropped at every stage leave all of their events or none, and can be repeated.
pub(super) async fn g14_a_dropped_append_is_stored_whole_or_not_at_all(fixture: Arc<dyn Fixture>) {
    let [store, other] = handles(&fixture).await;
    let stream = account("cut");
    let mut appends: Vec<Append> = Vec::new();
    for cut in cuts(usual_time(&*store).await) {
        let attempt = append_of(&stream, ExpectedVersion::Any, events(appends.len(), 5));
        let outcome = dropped_after(cut, store.append(&attempt)).await;
        if let Some(Err(error)) = outcome {
            panic!("{} failed beside others that were dropped: {error}", described(&attempt));
        }
        appends.push(attempt);
        is_whole(&*other, &appends).await;
    }
    for attempt in &appends {
        append(&*store, attempt).await;
    }
    is_whole(&*other, &appends).await;
    let stored = read(&*store, &stream).await;
    same(
        "the number of events after every dropped append was repeated",
        stored.len(),
        appends.len() * 5,
    );
    // The log is checked for gaps in versions as it is read.
    let in_log = log(&store).await.into_iter().filter(|event| event.stream == stream);
    same("the stream as the log tells it", in_log.collect::<Vec<_>>(), stored);
}

/// Each append must have all its events in the stream, side by side, or none.
async fn is_whole(store: &dyn Store, appends: &[Append]) {
    let Some(first) = appends.first() else {
        return;
    };
    let stored = read(store, first.stream()).await;
    let mut rest = &stored[..];
    let mut stored_appends = 0;
    while let Some(event) = rest.first() {
        let whole = appends.iter().find(|append| append.events()[0].id() == event.id);
        let whole = whole.map(Append::events).filter(|whole| {
            rest.len() >= whole.len()
                && rest.iter().zip(*whole).all(|(stored, event)| stored.id == event.id())
        });
        let Some(whole) = whole else {
            panic!(
                "an append of {} events was dropped and left only a part of them, among them {}",
                first.events().len(),
                named(event)
            );
        };
        rest = &rest[whole.len()..];
        stored_appends += 1;
    }
    assert!(stored_appends <= appends.len(), "appends that were dropped are stored more than once");
}

pub(super) async fn g14_a_dropped_append_does_not_harm_others(fixture: Arc<dyn Fixture>) {
    let handles = handles::<2>(&fixture).await;
    let time = usual_time(&*handles[0]).await;
    let tasks = (0..6_usize).map(|task| {
        let store = handles[task % 2].clone();
        async move {
            let stream = account(task);
            for (round, cut) in (0_u64..).zip(cuts(time)) {
                if task < 3 {
                    let expected = ExpectedVersion::Exact(Version::new(round));
                    append(&*store, &append_of(&stream, expected, events(round, 1))).await;
                } else {
                    let attempt = append_of(&stream, ExpectedVersion::Any, events(round, 2));
                    let outcome = dropped_after(cut, store.append(&attempt)).await;
                    if let Some(Err(error)) = outcome {
                        panic!(
                            "{} failed beside others that were dropped: {error}",
                            described(&attempt)
                        );
                    }
                }
            }
        }
    });
    at_once(tasks).await;
    for task in 0..6 {
        let stored = read(&*handles[0], &account(task)).await;
        if task < 3 {
            same("the events of a writer beside dropped ones", stored.len(), cuts(time).count());
        }
        let next = events("next", 1);
        add(&*handles[1], &account(task), next).await;
    }
}

pub(super) async fn g14_dropped_reads_harm_nobody(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let stream = account(1);
    let all = events("stored", 500);
    add(&*store, &stream, all.clone()).await;
    let began = Instant::now();
    read(&*store, &stream).await;
    let time = began.elapsed();
    for cut in cuts(time) {
        let _ = dropped_after(cut, store.read_stream(&stream, Version::NONE, 1_000)).await;
        let _ = dropped_after(cut, store.read_log(&LogFilter::all(), Position::START, 1_000)).await;
        let mut take = |_| ControlFlow::Continue(());
        let _ = dropped_after(cut, store.replay(&stream, Version::NONE, &mut take)).await;
        let _ = dropped_after(cut, store.find(all[7].id())).await;
        let _ = dropped_after(cut, store.read_from_snapshot(&stream, 1, 1_000)).await;
    }
    holds(&*store, &stream, &all).await;
    same("the number of events in the log", log(&store).await.len(), all.len());
    add(&*store, &stream, events("next", 1)).await;
}

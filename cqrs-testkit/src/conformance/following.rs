//! Following the log while others append (G5, G6): every committed event exactly once, in order of position.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cqrs_core::{EventId, ExpectedVersion, Head, LogFilter, NewEvent, Store, Version};

use super::Fixture;
use super::support::{
    Follower, account, add, append_of, at_once, conflict, event, events, handles, log, named, same,
    stream,
};

const WRITERS: usize = 8;
const ROUNDS: usize = 25;

pub(super) async fn g5_followers_see_every_event_once_while_writers_commit(
    fixture: Arc<dyn Fixture>,
) {
    let followers = [1, 3, 50, 1_000].map(|page| (page, LogFilter::all()));
    follow_while_writers_commit(&fixture, followers).await;
}

pub(super) async fn g5_followers_with_filters_see_every_event_once_while_writers_commit(
    fixture: Arc<dyn Fixture>,
) {
    let small = LogFilter::all().category("small").event_type("suite.happened");
    let followers = [
        (1, LogFilter::all().category("shared")),
        (3, small),
        (50, LogFilter::all().category("shared").category("large")),
        (1_000, LogFilter::all().category("missing")),
    ];
    follow_while_writers_commit(&fixture, followers).await;
}

async fn follow_while_writers_commit(
    fixture: &Arc<dyn Fixture>,
    followers: [(usize, LogFilter); 4],
) {
    let handles = handles::<4>(fixture).await;
    let writing = Arc::new(AtomicUsize::new(WRITERS));
    let writers = (0..WRITERS).map(|writer| {
        let (store, writing) = (handles[writer % 2].clone(), writing.clone());
        async move {
            let stored = write(&*store, writer).await;
            writing.fetch_sub(1, Ordering::SeqCst);
            stored
        }
    });
    let followers = followers.into_iter().zip(&handles);
    let followers = followers.map(|((page, filter), store)| {
        let (mut follower, writing) = (Follower::with_filter(store, page, filter), writing.clone());
        async move {
            while writing.load(Ordering::SeqCst) > 0 {
                if !follower.turn().await {
                    tokio::task::yield_now().await;
                }
            }
            // Everything is acknowledged now, so what is read from here on must be complete.
            follower.catch_up().await;
            follower
        }
    });
    let (stored, followers) = tokio::join!(at_once(writers), at_once(followers));

    let log = log(&handles[0]).await;
    for follower in followers {
        follower.has_seen(&log);
    }
    let mut times: HashMap<EventId, usize> = HashMap::new();
    for event in &log {
        *times.entry(event.id).or_default() += 1;
    }
    for id in stored.into_iter().flatten() {
        same(format!("how often event {id} is in the log"), times.remove(&id), Some(1));
    }
    same("events in the log that nobody appended", times, HashMap::new());
}

/// Appends much and little side by side, which commit in another order than they begin in, to streams of its own and
/// to one that others append to; conflicts between them leave gaps.
async fn write(store: &dyn Store, writer: usize) -> Vec<EventId> {
    let mut stored = Vec::new();
    for round in 0..ROUNDS {
        let (stream, count) = match round % 5 {
            0 => (stream("shared", "by all"), 1),
            1 => (stream("large", &writer.to_string()), 120),
            _ => (stream("small", &format!("{writer} {round}")), 1 + round % 3),
        };
        let batch = events(format!("{writer} {round}"), count);
        if round % 4 == writer % 4 {
            let expected = Version::new(1_000_000).into();
            let refused = append_of(&stream, expected, batch.clone());
            conflict(&refused, store.append(&refused).await);
        }
        stored.extend(batch.iter().map(NewEvent::id));
        add(store, &stream, batch).await;
    }
    stored
}

pub(super) async fn g5_what_a_page_went_through_is_final(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let mut followers: Vec<Follower> =
        [1, 2, 100].into_iter().map(|page| Follower::new(&store, page)).collect();
    for round in 0..20 {
        let stream = account(round % 3);
        if round % 4 == 3 {
            // An append that fails may draw positions and leave them unused.
            let refused = append_of(&stream, Version::new(99).into(), events("refused", 5));
            conflict(&refused, store.append(&refused).await);
        }
        let outcome = add(&*store, &stream, events(round, 1 + round % 3)).await;
        let log = log(&store).await;
        for follower in &mut followers {
            // Not all the way at first: a page that is cut short by its limit is final as well.
            follower.turn().await;
            follower.catch_up().await;
            follower.has_seen(&log);
            assert!(
                follower.seen.last().map(|event| event.position) == Some(outcome.position),
                "an append ended at {outcome}, but a follower of the log ends with {}",
                follower.seen.last().map_or("nothing".to_owned(), named)
            );
        }
    }
}

pub(super) async fn g5_an_append_held_open_is_not_skipped(fixture: Arc<dyn Fixture>) {
    let [store, other] = handles(&fixture).await;
    let mut followers = [Follower::new(&store, 1), Follower::new(&other, 100)];
    // The first round meets a log that nothing was ever appended to.
    for round in 0..4 {
        let mut held = Vec::new();
        for number in 0..3 {
            let stream = account(format!("held {round} {number}"));
            let batch = events("held", 1 + number);
            let append = append_of(&stream, ExpectedVersion::Any, batch);
            let Some(append) = fixture.hold(&append).await else {
                return;
            };
            held.push(append);
            add(&*other, &account(format!("quick {round}")), vec![event(number)]).await;
            for follower in &mut followers {
                follower.catch_up().await;
            }
        }
        // The last to begin commits first; one of them never does.
        while let Some(append) = held.pop() {
            if held.len() == 1 {
                append.roll_back().await;
            } else {
                append.commit().await;
            }
            for follower in &mut followers {
                follower.catch_up().await;
            }
            add(&*store, &account(format!("quick {round}")), vec![event("after")]).await;
        }
        let log = log(&store).await;
        same("the number of events in the log", log.len(), (round + 1) * (6 + 1 + 3));
        for follower in &mut followers {
            follower.catch_up().await;
            follower.has_seen(&log);
        }
    }
}

pub(super) async fn g5_an_append_given_up_holds_nobody_up(fixture: Arc<dyn Fixture>) {
    let [store, other] = handles(&fixture).await;
    for round in 0..3 {
        let gone = account(format!("gone {round}"));
        let held = append_of(&gone, ExpectedVersion::NoStream, events("gone", 3));
        let Some(held) = fixture.hold(&held).await else {
            return;
        };
        let outcome = add(&*other, &account("kept"), vec![event(round)]).await;
        held.roll_back().await;
        for store in [&store, &other] {
            let log = log(store).await;
            let last = log.last().map(|event| event.position);
            assert!(
                last == Some(outcome.position),
                "an append ended at {outcome}; another that began before it was given up; \
                 but the log ends at {last:?}, as if that could still come"
            );
        }
    }
}

pub(super) async fn g5_an_append_held_open_is_told_by_the_head(fixture: Arc<dyn Fixture>) {
    let [store, other] = handles(&fixture).await;
    // The first round meets a log that nothing was ever appended to.
    for round in 0..4 {
        let stream = account(format!("held {round}"));
        let append = append_of(&stream, ExpectedVersion::Any, events("held", 2));
        let Some(open) = fixture.hold(&append).await else {
            return;
        };
        let outcome = add(&*other, &account("quick"), vec![event(round)]).await;
        let head = store.head().await.unwrap_or_else(|error| panic!("no head: {error}"));
        assert!(
            head.last >= outcome.position && head.visible < outcome.position,
            "an append ended at {outcome}; another that began before it is open, but the head is {head:?}"
        );
        let [named] = &head.open_appends[..] else {
            panic!("one append is open, but the head is {head:?}");
        };
        assert!(
            named.after == head.visible && !named.session.is_empty(),
            "readers see the log up to {} because of {named:?}",
            head.visible
        );
        if round % 2 == 0 {
            open.commit().await;
        } else {
            open.roll_back().await;
        }
        let head = store.head().await.unwrap_or_else(|error| panic!("no head: {error}"));
        assert!(
            head == Head::decided(head.last) && head.last >= outcome.position,
            "the last append has ended at {outcome} and none is open, but the head is {head:?}"
        );
    }
}

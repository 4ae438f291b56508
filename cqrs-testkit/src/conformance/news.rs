//! Waiting for news: who waits is woken when there is more to read, however the store finds out.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use cqrs_core::{ExpectedVersion, News, Store};
use tokio::task::yield_now;
use tokio::time::{Instant, timeout};

use super::Fixture;
use super::support::{
    Follower, account, add, append_of, at_once, event, events, handles, log, same,
};

/// How long news may take before it counts as never: no measure of a good store, which takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for news, and fails where none comes.
async fn woken(news: &mut News, why: &str) {
    let woken = timeout(PATIENCE, news.wait()).await.is_ok();
    assert!(woken, "{why}, but who waits for news is not woken within {PATIENCE:?}");
}

/// Appends one event after a while, in which others begin to wait.
async fn add_later(store: &dyn Store) {
    for _ in 0..100 {
        yield_now().await;
    }
    add(store, &account(1), vec![event("news")]).await;
}

pub(super) async fn news_wakes_everyone_who_waits(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let mut waiters: Vec<News> = (0..20).map(|_| store.news()).collect();
    for _ in 0..3 {
        let waiting = waiters.into_iter().map(|mut news| async move {
            woken(&mut news, "an event was appended").await;
            news
        });
        let ((), woken) = tokio::join!(add_later(&*store), at_once(waiting));
        waiters = woken;
    }
}

pub(super) async fn news_reaches_every_handle(fixture: Arc<dyn Fixture>) {
    let [store, other] = handles(&fixture).await;
    let (mut here, mut there) = (store.news(), other.news());
    for handle in [&store, &other, &store] {
        tokio::join!(
            add_later(&**handle),
            woken(&mut here, "an event was appended through one of two handles"),
            woken(&mut there, "an event was appended through one of two handles"),
        );
    }
}

pub(super) async fn news_between_waits_is_not_missed(fixture: Arc<dyn Fixture>) {
    let [store, other] = handles(&fixture).await;
    let mut news = [store.news(), other.news()];
    for _ in 0..3 {
        // Nobody waits at this moment.
        add(&*store, &account(1), vec![event("missed")]).await;
        for news in &mut news {
            woken(news, "an event was appended between two waits").await;
        }
    }
}

pub(super) async fn g14_dropped_waits_miss_no_news(fixture: Arc<dyn Fixture>) {
    let [store, other] = handles(&fixture).await;
    let mut news = [store.news(), other.news()];
    for _ in 0..3 {
        for news in &mut news {
            polled_and_dropped(news.wait(), async {
                add(&*store, &account(1), vec![event("missed")]).await;
            })
            .await;
            // Nor does dropping put off what the store does to find out: these waits are shorter than any of its own.
            let began = Instant::now();
            while timeout(Duration::from_millis(1), news.wait()).await.is_err() {
                assert!(
                    began.elapsed() < PATIENCE,
                    "an event was appended, but who waits for news again and again is not woken within {PATIENCE:?}"
                );
            }
        }
    }
}

/// Begins to wait, lets something happen, and drops the wait without looking at it again.
async fn polled_and_dropped(wait: impl Future, something: impl Future) {
    let mut wait = Box::pin(wait);
    tokio::select! {
        biased;
        _ = &mut wait => {}
        () = std::future::ready(()) => {}
    }
    something.await;
}

pub(super) async fn g5_who_reads_when_there_is_news_sees_every_event(fixture: Arc<dyn Fixture>) {
    const EVENTS: usize = 120;
    let handles = handles::<2>(&fixture).await;
    let readers = (0..4).map(|reader| {
        let store = handles[reader % 2].clone();
        // Before the first read, as what is appended between the two would be missed.
        let mut news = store.news();
        let mut follower = Follower::new(&store, 1 + reader * 10);
        async move {
            while follower.seen.len() < EVENTS {
                if !follower.turn().await {
                    woken(&mut news, "not every event was read that is being appended").await;
                }
            }
        }
    });
    let writers = (0..4).map(|writer| {
        let store = handles[writer % 2].clone();
        async move {
            for round in 0..EVENTS / 4 / 3 {
                add(&*store, &account(writer), events(round, 3)).await;
            }
        }
    });
    let (_, _) = tokio::join!(at_once(readers), at_once(writers));
    same("the number of events in the log", log(&handles[0]).await.len(), EVENTS);
}

pub(super) async fn g5_there_is_news_when_an_append_held_open_ends(fixture: Arc<dyn Fixture>) {
    let handles = handles::<2>(&fixture).await;
    let mut readers = handles.clone().map(|store| (store.news(), Follower::new(&store, 100)));
    let mut readable = 0;
    for commits in [true, false, true] {
        let held = append_of(&account("held"), ExpectedVersion::Any, events("held", 2));
        let Some(held) = fixture.hold(&held).await else {
            return;
        };
        add(&*handles[1], &account("quick"), vec![event("behind")]).await;
        readable += if commits { 3 } else { 1 };
        // They take the news of the append that is through, before they can read it.
        for (news, follower) in &mut readers {
            woken(news, "an event was appended").await;
            follower.catch_up().await;
        }
        let reading = readers.into_iter().map(|(mut news, mut follower)| async move {
            while follower.seen.len() < readable {
                woken(&mut news, "an append that was held open has ended").await;
                follower.catch_up().await;
            }
            (news, follower)
        });
        let ending = async {
            for _ in 0..100 {
                yield_now().await;
            }
            if commits {
                held.commit().await;
            } else {
                held.roll_back().await;
            }
        };
        let (read, ()) = tokio::join!(at_once(reading), ending);
        readers = read.try_into().unwrap_or_else(|_| unreachable!("as many as before"));
    }
}

//! Answers that are given again when they change.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use cqrs::prelude::*;
use cqrs::{Concern, LogFilter, Projector, QueryError, Updates, slot_of};

use super::{History, LONG, OUTAGE, Setting, stream};
use crate::domain::{Counter, CounterEvent, add};

#[derive(Debug, Clone, Query)]
#[query(output = String)]
struct Show(&'static str);

struct Shown {
    setting: Setting,
    bus: Bus,
    running: cqrs::Running,
    /// What the view can't take.
    refused: Arc<AtomicI64>,
    /// How often the query was asked.
    asked: Arc<AtomicU64>,
}

impl Shown {
    fn new() -> Self {
        Self::of(|projector| projector)
    }

    /// A view that is run in some way.
    fn of(run: impl FnOnce(Projector) -> Projector) -> Self {
        let setting = Setting::new();
        let (projection, refused) = History::new();
        let running = run(setting.projector()).start(projection, setting.model.clone());
        let model = setting.model.clone();
        let asked = Arc::new(AtomicU64::new(0));
        let count = asked.clone();
        let bus = Bus::builder(setting.store.clone())
            .aggregate::<Counter>()
            .view(running.progress())
            .query_handler(move |Show(counter)| {
                count.fetch_add(1, Ordering::SeqCst);
                let shown =
                    model.read(|all| all.get(counter).cloned().unwrap_or_default().join(" "));
                async move { Ok(shown) }
            })
            .build()
            .unwrap();
        Self { setting, bus, running, refused, asked }
    }

    /// The history of counter `a`, whenever something happens that concerns it.
    fn updates(&self, concern: impl Into<Concern>) -> Updates<Show> {
        self.bus.ask(Show("a")).patience(LONG).updates(concern)
    }

    async fn add(&self, counter: &str, amount: i64) {
        self.bus.send(add(counter, amount)).await.unwrap();
    }
}

async fn next(updates: &mut Updates<Show>) -> String {
    tokio::time::timeout(LONG, updates.next()).await.unwrap().unwrap()
}

async fn has_nothing(updates: &mut Updates<Show>) -> bool {
    tokio::time::timeout(Duration::from_millis(100), updates.next()).await.is_err()
}

#[tokio::test]
async fn an_answer_is_given_again_when_its_stream_changes() {
    let shown = Shown::new();
    shown.add("a", 1).await;
    let mut updates = shown.updates(stream("a"));
    // The view may not have seen the first command yet.
    while next(&mut updates).await != "1" {}
    for amount in 10..30 {
        shown.add("a", amount).await;
        assert!(next(&mut updates).await.ends_with(&amount.to_string()));
    }
    // Others are not its concern.
    shown.add("b", 1).await;
    assert!(has_nothing(&mut updates).await);
    // One who is slow gets the latest answer; a future that was dropped has lost nothing.
    for amount in 40..45 {
        shown.add("a", amount).await;
    }
    while !next(&mut updates).await.ends_with("44") {}
    assert!(has_nothing(&mut updates).await);
}

/// Nothing is appended any more that would tell of it.
#[tokio::test]
async fn what_a_view_had_not_seen_at_first_is_told_when_it_has() {
    let shown = Shown::new();
    shown.refused.store(OUTAGE, Ordering::SeqCst);
    shown.add("a", 1).await;
    // One who begins to follow the log, and one who joins in.
    let mut all = [shown.updates(stream("a")), shown.updates(stream("a"))];
    for updates in &mut all {
        assert_eq!(next(updates).await, "");
    }
    shown.refused.store(0, Ordering::SeqCst);
    for updates in &mut all {
        assert_eq!(next(updates).await, "1");
        assert!(has_nothing(updates).await);
    }
}

/// Nothing of it concerns the answer.
#[tokio::test]
async fn what_holds_up_other_slots_of_a_view_is_not_waited_for() {
    let shown = Shown::of(|projector| projector.slots(2).workers(2).attempts(u32::MAX));
    let of_slot = |slot| {
        (0..100)
            .map(|number| format!("c{number}"))
            .find(|counter| slot_of(&stream(counter), 2) == slot)
    };
    let other = of_slot(1 - slot_of(&stream("a"), 2)).unwrap();
    shown.refused.store(13, Ordering::SeqCst);
    shown.add(&other, 13).await;
    let mut updates = shown.updates(stream("a"));
    assert_eq!(next(&mut updates).await, "");
    for amount in 1..=3 {
        shown.add("a", amount).await;
        assert!(next(&mut updates).await.ends_with(&amount.to_string()));
    }
    assert!(has_nothing(&mut updates).await);
}

#[tokio::test]
async fn what_a_view_has_seen_already_is_asked_for_once() {
    let shown = Shown::new();
    let last = shown.setting.add("a", &[1]).await;
    shown.running.wait_for(last, LONG).await.unwrap();
    let mut updates = shown.updates(stream("a"));
    assert_eq!(next(&mut updates).await, "1 named");
    assert!(has_nothing(&mut updates).await);
    assert_eq!(shown.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_answer_that_is_the_same_is_not_given_again() {
    let shown = Shown::new();
    let mut all = shown.updates(LogFilter::all().events_of::<CounterEvent>());
    assert_eq!(next(&mut all).await, "");
    shown.add("b", 1).await;
    assert!(has_nothing(&mut all).await);
    shown.add("a", 7).await;
    assert_eq!(next(&mut all).await, "7");
}

#[tokio::test]
async fn who_has_missed_too_many_changes_asks_once_more() {
    let shown = Shown::new();
    let mut updates = shown.updates(stream("a"));
    assert_eq!(next(&mut updates).await, "");
    shown.add("a", 1).await;
    // More than are kept for one who does not listen.
    for _ in 0..30 {
        shown.setting.add("b", &[0; 50]).await;
    }
    assert_eq!(next(&mut updates).await, "1");
    assert!(has_nothing(&mut updates).await);
}

#[tokio::test]
async fn updates_begin_anew_after_all_have_gone() {
    let shown = Shown::new();
    for round in 1..=3 {
        let mut updates = shown.updates(stream("a"));
        let before = next(&mut updates).await;
        shown.add("a", round).await;
        let after = next(&mut updates).await;
        assert!(after.len() > before.len() && after.ends_with(&round.to_string()), "{after}");
        drop(updates);
    }
}

#[tokio::test]
async fn updates_tell_of_a_query_that_fails_and_go_on() {
    let shown = Shown::new();
    let bus = Bus::builder(shown.setting.store.clone()).build().unwrap();
    let mut updates = bus.ask(Show("a")).updates(stream("a"));
    let missing = updates.next().await.unwrap_err();
    assert!(matches!(missing, QueryError::Unregistered { .. }), "{missing}");
    assert!(updates.next().await.is_err());
}

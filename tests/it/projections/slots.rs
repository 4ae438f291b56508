//! Workers share the slots of a projection, and their number is changed while they run.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cqrs::{Phase, Position, Projections, Running, StoreErrorKind, slot_of};

use super::renamed::until;
use super::{History, LONG, Setting, stream};
use crate::domain::add;

/// What each counter goes through is in order and complete.
async fn add_everywhere(setting: &Setting, rounds: i64) -> Position {
    let mut last = Position::START;
    for round in 0..rounds {
        for counter in 0..20 {
            let add = add(&format!("c{counter}"), round);
            last = setting.bus.send(add).await.unwrap().position;
        }
    }
    last
}

fn assert_all(setting: &Setting, rounds: i64) {
    let wanted: Vec<String> = (0..rounds).map(|round| round.to_string()).collect();
    for counter in 0..20 {
        assert_eq!(setting.history(&format!("c{counter}")), wanted.join(" "), "c{counter}");
    }
}

fn start(setting: &Setting, workers: usize) -> Running {
    let projector = setting.projector().slots(8).workers(workers);
    projector.start(History::new().0, setting.model.clone())
}

/// Waits until the processes, each with so many workers, have all the slots, and none too many.
async fn until_shared(slots: usize, processes: &[(&Running, usize)]) {
    let workers: usize = processes.iter().map(|(_, workers)| workers).sum();
    let most = slots.div_ceil(workers);
    let shared = async {
        loop {
            let shares = || processes.iter().map(|(each, workers)| (each.status().slots, workers));
            let all: BTreeSet<u32> = shares().flat_map(|(slots, _)| slots.into_keys()).collect();
            let count: usize = shares().map(|(slots, _)| slots.len()).sum();
            let is_fair = shares().all(|(slots, workers)| slots.len() <= most * workers);
            if is_fair && (all.len(), count) == (slots, slots) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, shared).await.unwrap();
}

#[tokio::test]
async fn g7_processes_share_the_slots_and_each_event_counts_once() {
    let setting = Setting::new();
    let writer = add_everywhere(&setting, 30);
    let running = async {
        let first = start(&setting, 1);
        until_shared(8, &[(&first, 1)]).await;
        let second = start(&setting, 2);
        until_shared(8, &[(&first, 1), (&second, 2)]).await;
        first.stop().await;
        until_shared(8, &[(&second, 2)]).await;
        let third = start(&setting, 1);
        until_shared(8, &[(&second, 2), (&third, 1)]).await;
        drop(second);
        until_shared(8, &[(&third, 1)]).await;
        third
    };
    let (last, running) = tokio::join!(writer, running);
    running.wait_for(last, LONG).await.unwrap();
    assert_all(&setting, 30);
}

#[tokio::test]
async fn slots_are_divided_anew_while_they_are_moved() {
    let setting = Setting::new();
    let projections = Projections::new(setting.store.clone(), setting.model.clone());
    let first = start(&setting, 2);
    let second = start(&setting, 1);
    until_shared(8, &[(&first, 2), (&second, 1)]).await;
    let rescale = async {
        for slots in [3, 16, 1, 5] {
            assert!(projections.rescale("histories", 1, slots).await.unwrap());
            let done = async {
                loop {
                    let status = projections.status().await.unwrap();
                    if status[0].rescaling.is_none() {
                        return status[0].slots.len();
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            let count = tokio::time::timeout(LONG, done).await.unwrap();
            assert_eq!(count, slots as usize);
        }
    };
    let (last, ()) = tokio::join!(add_everywhere(&setting, 30), rescale);
    first.wait_for(last, LONG).await.unwrap();
    assert_all(&setting, 30);
    assert!(!projections.rescale("unknown", 1, 2).await.unwrap());
    let error = projections.rescale("histories", 1, 0).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::InvalidInput);
}

#[tokio::test]
async fn g7_slots_that_are_divided_anew_end_the_batch_in_which_an_event_is_tried_again() {
    let setting = Setting::new();
    let (projection, refused) = History::new();
    refused.store(13, Ordering::SeqCst);
    let projector = setting.projector().attempts(u32::MAX);
    let running = projector.start(projection, setting.model.clone());
    // In another slot than the first, which is all there is when the batch begins.
    let mut counters = (0..).map(|number| format!("c{number}"));
    let counter = counters.find(|counter| slot_of(&stream(counter), 2) == 1).unwrap();
    let last = setting.add(&counter, &[13, 1]).await;
    until(async || running.status().phase == Phase::Retrying).await;
    let projections = Projections::new(setting.store.clone(), setting.model.clone());
    assert!(projections.rescale("histories", 1, 2).await.unwrap());
    until_shared(2, &[(&running, 1)]).await;
    refused.store(0, Ordering::SeqCst);
    running.wait_for(last, LONG).await.unwrap();
    assert_eq!(setting.history(&counter), "13 1 named");
}

/// Whoever has the one slot has nothing to do but to pass what is in the other.
#[tokio::test]
async fn a_slot_passes_the_events_of_others_without_a_rest() {
    let setting = Setting::new();
    let projector = setting.projector().slots(2).batch(1).lease(Duration::from_secs(1));
    let start = || projector.start(History::new().0, setting.model.clone());
    let (first, second) = (start(), start());
    until_shared(2, &[(&first, 1), (&second, 1)]).await;
    // One append, one piece of news.
    let last = setting.add("a", &[1; 200]).await;
    for running in [&first, &second] {
        running.wait_for(last, LONG).await.unwrap();
    }
    assert_eq!(setting.history("a"), format!("{}named", "1 ".repeat(200)));
}

#[tokio::test]
async fn g8_a_parked_stream_is_replayed_by_whoever_has_its_slot() {
    let setting = Setting::new();
    let (projection, refused) = History::new();
    refused.store(13, Ordering::SeqCst);
    let first = setting.projector().slots(4).start(projection, setting.model.clone());
    let last = setting.add("a", &[13, 1]).await;
    first.wait_for(last, LONG).await.unwrap();
    let second = setting.projector().start(History::new().0, setting.model.clone());
    until_shared(4, &[(&first, 1), (&second, 1)]).await;
    // Whichever of them has the slot: one of the two refuses, until the other has taken it over.
    let slot = slot_of(&stream("a"), 4);
    let is_first = first.status().slots.contains_key(&slot);
    let replayed = second.replay(stream("a")).await;
    assert_eq!(replayed.is_err(), is_first, "{replayed:?}");
    first.stop().await;
    until_shared(4, &[(&second, 1)]).await;
    let again = second.replay(stream("a")).await;
    assert_eq!(again.is_ok(), is_first, "{again:?}");
    assert_eq!(setting.history("a"), "13 1 named");
}

#[tokio::test]
async fn one_of_more_workers_than_slots_stands_by() {
    let setting = Setting::new();
    let running = setting.projector().workers(3).start(History::new().0, setting.model.clone());
    until_shared(1, &[(&running, 3)]).await;
    let projections = Projections::new(setting.store.clone(), setting.model.clone());
    let members = async {
        while projections.status().await.unwrap()[0].members.len() < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, members).await.unwrap();
    running.wait_for(setting.add("a", &[1]).await, LONG).await.unwrap();
    until(async || running.status().phase == Phase::Live).await;
}

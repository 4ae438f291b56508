//! Several processes on one file.

use std::collections::BTreeSet;

use cqrs_core::{EventId, EventStore, LogFilter, Position};
use cqrs_sqlite::SqliteStore;

use crate::child::{Task, Worker};
use crate::support::{assert_all_or_nothing, assert_sound, ids, log, place};

const PROCESSES: usize = 6;

/// Lets the processes race on a file that does not exist when they begin. Gives the store and what they stored.
async fn race(task: Task, path: &std::path::Path) -> (SqliteStore, BTreeSet<EventId>) {
    let mut workers: Vec<Worker> =
        std::iter::repeat_with(|| Worker::start(task, path)).take(PROCESSES).collect();
    workers.iter_mut().for_each(Worker::go);
    let mut stored = Vec::new();
    for worker in &mut workers {
        stored.extend(worker.all_stored());
        worker.assert_succeeded();
    }
    let all: BTreeSet<EventId> = stored.iter().copied().collect();
    assert_eq!(all.len(), stored.len(), "an id was acknowledged twice");
    (SqliteStore::open(path).await.unwrap(), all)
}

#[tokio::test]
async fn g2_racers_on_one_stream_lose_and_double_nothing() {
    let place = place();
    let (store, stored) = race(Task::RaceOnOneStream, &place.path).await;
    let log = log(&store).await;
    assert_eq!(log.len(), PROCESSES * 100 * 2);
    assert_eq!(BTreeSet::from_iter(ids(&log)), stored);
    assert_all_or_nothing(&log);
    assert_sound(&place.path).await;
}

#[tokio::test]
async fn g1_racers_on_many_streams_lose_and_double_nothing() {
    let place = place();
    let (store, stored) = race(Task::RaceOnManyStreams, &place.path).await;
    let log = log(&store).await;
    assert_eq!(log.len(), stored.len());
    assert_eq!(BTreeSet::from_iter(ids(&log)), stored);
    assert_all_or_nothing(&log);
    assert_sound(&place.path).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g5_a_reader_that_follows_the_log_skips_nothing() {
    let place = place();
    let store = SqliteStore::open(&place.path).await.unwrap();
    let racing = {
        let path = place.path.clone();
        tokio::spawn(async move { race(Task::RaceOnManyStreams, &path).await })
    };
    let mut followed = Vec::new();
    let mut after = Position::START;
    loop {
        // Whether the writers are done must be known before the page is read that is to be the last one.
        let done = racing.is_finished();
        let page = store.read_log(&LogFilter::all(), after, 7).await.unwrap();
        assert!(page.events.iter().all(|event| event.position > after));
        after = page.through;
        if done && page.events.is_empty() {
            break;
        }
        followed.extend(page.events);
    }
    let (_, stored) = racing.await.unwrap();
    assert_eq!(followed, log(&store).await);
    assert_eq!(followed.len(), stored.len());
}

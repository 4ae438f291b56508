//! Projections that stand still although there is nothing to wait for.

use cqrs::{
    ExpectedVersion, MemoryModel, MemoryStore, Phase, Position, Projections, Projector, Stopped,
    Store,
};
use futures_util::future::join_all;

use super::{add, append_of};
use crate::projections::{Histories, History, LONG};

/// Thousands of events that nobody wants: a checkpoint that only moves with events that are wanted never comes to the
/// end, and who waits for the end waits for ever.
async fn the_end_is_reached(store: impl Store + Clone) {
    let model = MemoryModel::new(Histories::new());
    add(&store, "a", "counter.added", 1).await;
    for _ in 0..3 {
        add(&store, "b", "other.happened", 1_500).await;
    }
    let end = store.head().await.unwrap().last;
    let projector = Projector::new(store.clone()).batch(10);
    let running = projector.start(History::new().0, model.clone());
    running.wait_for(end, LONG).await.unwrap();
    running.stop().await;
    // That is kept: whoever comes next begins there.
    let status = Projections::new(store.clone(), model.clone()).status().await.unwrap();
    assert_eq!(status[0].slots[0].position, end);
    assert_eq!((status[0].events, status[0].lag.positions), (1, 0));
}

#[tokio::test]
async fn a_long_stretch_of_events_nobody_wants_is_passed_in_memory() {
    the_end_is_reached(MemoryStore::new()).await;
}

#[tokio::test]
async fn a_long_stretch_of_events_nobody_wants_is_passed_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("stretch.db");
    the_end_is_reached(crate::stores::sqlite(&path).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_stretch_of_events_nobody_wants_is_passed_on_postgres() {
    let database = cqrs_test_harness::postgres().unwrap().database("stretch").await.unwrap();
    the_end_is_reached(crate::stores::postgres(&database.url()).await).await;
}

#[tokio::test]
async fn a_projection_of_an_empty_log_is_live_and_ends_when_it_is_asked_to() {
    let store = MemoryStore::new();
    let model = MemoryModel::new(Histories::new());
    let running = Projector::new(store.clone()).start(History::new().0, model.clone());
    running.wait_for(Position::START, LONG).await.unwrap();
    let live = async {
        while running.status().phase != Phase::Live {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, live).await.unwrap();
    let projections = Projections::new(store.clone(), model.clone());
    assert_eq!(projections.status().await.unwrap()[0].lag.positions, 0);
    // Resetting what has seen nothing is no trouble either.
    assert!(projections.reset("histories", 1).await.unwrap());
    let last = add(&store, "a", "counter.added", 1).await.position;
    running.wait_for(last, LONG).await.unwrap();
    assert!(matches!(running.stop().await, Stopped::Asked));
}

/// Appends that conflict have drawn positions. Nobody waits for these.
#[tokio::test(flavor = "multi_thread")]
async fn g2_g5_appends_that_conflict_hold_no_reader_up() {
    let database = cqrs_test_harness::postgres().unwrap().database("conflicts").await.unwrap();
    let store = crate::stores::postgres(&database.url()).await;
    let model = MemoryModel::new(Histories::new());
    let running = Projector::new(store.clone()).start(History::new().0, model.clone());
    for round in 0..20 {
        let key = format!("k{round}");
        let racers = (0..8).map(|_| {
            let append = append_of(&key, ExpectedVersion::NoStream, "counter.added", 2);
            let store = store.clone();
            tokio::spawn(async move { cqrs::EventStore::append(&store, &append).await })
        });
        let outcomes = join_all(racers.collect::<Vec<_>>()).await;
        let won = outcomes.into_iter().filter(|outcome| outcome.as_ref().unwrap().is_ok());
        assert_eq!(won.count(), 1);
    }
    let last = add(&store, "last", "counter.added", 1).await.position;
    running.wait_for(last, LONG).await.unwrap();
    assert_eq!(model.read(|all| all.values().map(Vec::len).sum::<usize>()), 41);
}

//! Another version of a projection: refused, built beside the one in service, put into its place, and back.

use std::time::Duration;

use cqrs::prelude::*;
use cqrs::{
    BoxError, MemoryModel, MemoryTransaction, OnChange, ParkedError, Phase, ProjectionStatus,
    Projections, PutInService, Received, Running, Stopped,
};

use super::{Histories, History, LONG, Setting, stream};
use crate::domain::Renamed;

/// Another version of the same projection, which wants fewer events, and writes them in another way.
#[derive(Projection)]
#[projection(
    name = "histories",
    version = 2,
    tables = "histories",
    model = MemoryModel<Histories>,
    events(Renamed),
)]
struct Names;

impl Project<Renamed> for Names {
    async fn project(
        &self,
        event: Renamed,
        received: &Received<'_>,
        transaction: &mut MemoryTransaction<Histories>,
    ) -> Result<(), BoxError> {
        let is_replay = if received.is_replay() { " (again)" } else { "" };
        History::note(received, transaction, format!("v2 {}{is_replay}", event.name));
        Ok(())
    }
}

fn projections(setting: &Setting) -> Projections {
    Projections::new(setting.store.clone(), setting.model.clone())
}

async fn versions(setting: &Setting) -> Vec<(u32, bool)> {
    let all = projections(setting).status().await.unwrap();
    all.into_iter()
        .map(|ProjectionStatus { version, in_service, .. }| (version, in_service))
        .collect()
}

async fn until(condition: impl AsyncFn() -> bool) {
    let met = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, met).await.unwrap();
}

async fn started(setting: &Setting) -> Running {
    let (running, _) = setting.start();
    let last = setting.add("a", &[1]).await;
    running.wait_for(last, LONG).await.unwrap();
    running
}

#[tokio::test]
async fn a_changed_projection_is_refused_with_both_versions() {
    let setting = Setting::new();
    started(&setting).await.stop().await;
    let stopped = setting.projector().start(Names, setting.model.clone()).stopped().await;
    let text = stopped.to_string();
    assert!(matches!(stopped, Stopped::Changed { versions: (2, 1), .. }), "{text}");
    assert!(text.contains("`counter.added counter.measured counter.renamed`"), "{text}");
    assert!(text.contains("OnChange::Build"), "{text}");
}

#[tokio::test]
async fn a_new_version_is_built_beside_the_old_one_and_takes_its_place() {
    let setting = Setting::new();
    let old = started(&setting).await;
    let builder = setting.projector().on_change(OnChange::BuildAndWait);
    let new = builder.start(Names, setting.model.clone());
    let last = setting.add("b", &[2]).await;
    old.wait_for(last, LONG).await.unwrap();
    until(async || new.status().position >= last).await;
    // The old one is still what queries see.
    assert_eq!((setting.history("a"), setting.history("b")), ("1 named".into(), "2 named".into()));
    assert!(!new.status().in_service);
    assert_eq!(versions(&setting).await, [(1, true), (2, false)]);

    let put = projections(&setting).promote("histories", 2).await.unwrap();
    assert_eq!(put, PutInService::Done);
    assert_eq!(setting.history("a"), "v2 named (again)");
    assert!(matches!(old.stopped().await, Stopped::Replaced { version: 1, .. }));
    until(async || new.status().in_service).await;
    let last = setting.add("b", &[3]).await;
    new.wait_for(last, LONG).await.unwrap();
    assert!(setting.history("b").ends_with("v2 named"), "{}", setting.history("b"));
    // A program of the old version does not take the new one's place.
    let old = builder.start(History::new().0, setting.model.clone());
    let stopped = old.stopped().await;
    assert!(matches!(stopped, Stopped::Changed { versions: (1, 2), .. }), "{stopped}");

    // Rolled back, the old version is as it was left, and goes on from there.
    let put = projections(&setting).roll_back("histories", 1).await.unwrap();
    assert_eq!(put, PutInService::Done);
    assert_eq!(setting.history("b"), "2 named");
    assert!(matches!(new.stopped().await, Stopped::Replaced { version: 2, .. }));
    let (old, _) = setting.start();
    old.wait_for(last, LONG).await.unwrap();
    assert_eq!(setting.history("b"), "2 named 3 named");
    assert!(projections(&setting).remove("histories", 2).await.unwrap());
    assert_eq!(versions(&setting).await, [(1, true)]);
}

#[tokio::test]
async fn a_build_takes_the_place_by_itself_while_events_come() {
    let setting = Setting::new();
    let old = started(&setting).await;
    let write = async {
        for _ in 0..100 {
            setting.add("a", &[2, 3]).await;
            tokio::task::yield_now().await;
        }
        setting.add("a", &[4]).await
    };
    let builder = setting.projector().slots(4).workers(2).on_change(OnChange::Build);
    let new = builder.start(Names, setting.model.clone());
    let last = write.await;
    until(async || new.status().in_service).await;
    new.wait_for(last, LONG).await.unwrap();
    assert!(matches!(old.stopped().await, Stopped::Replaced { .. }));
    let count = setting.model.read(|all| all["a"].len());
    assert_eq!(count, 102);
}

#[tokio::test]
async fn what_was_rolled_back_does_not_step_in_by_itself() {
    let setting = Setting::new();
    let old = started(&setting).await;
    let builder = setting.projector().on_change(OnChange::Build);
    let new = builder.start(Names, setting.model.clone());
    until(async || new.status().in_service).await;
    new.stop().await;
    let put = projections(&setting).roll_back("histories", 1).await.unwrap();
    assert_eq!(put, PutInService::Done);
    // It may have noticed that it was replaced, or not.
    old.stop().await;
    let (old, _) = setting.start();
    // Started again, the program builds nothing anew, and goes on beside.
    let new = builder.start(Names, setting.model.clone());
    let last = setting.add("a", &[5]).await;
    old.wait_for(last, LONG).await.unwrap();
    until(async || new.status().phase == Phase::Live && new.status().position >= last).await;
    // Again and again it has had the occasion.
    for _ in 0..3 {
        let nudged = new.replay(stream("a")).await;
        assert!(matches!(nudged, Err(ParkedError::NotParked { .. })), "{nudged:?}");
        let last = setting.add("a", &[6]).await;
        until(async || new.status().position >= last).await;
    }
    assert_eq!(versions(&setting).await, [(1, true), (2, false)]);
    let put = projections(&setting).promote("histories", 2).await.unwrap();
    assert!(matches!(put, PutInService::Done | PutInService::Behind(..)), "{put:?}");
}

#[tokio::test]
async fn a_build_that_is_removed_stops() {
    let setting = Setting::new();
    let old = started(&setting).await;
    let builder = setting.projector().on_change(OnChange::BuildAndWait);
    let new = builder.start(Names, setting.model.clone());
    until(async || versions(&setting).await.len() == 2).await;
    assert!(projections(&setting).remove("histories", 2).await.unwrap());
    setting.add("a", &[5]).await;
    assert!(matches!(new.stopped().await, Stopped::Replaced { version: 2, .. }));
    assert_eq!(versions(&setting).await, [(1, true)]);
    // What is in service is not removed.
    assert!(!projections(&setting).remove("histories", 1).await.unwrap());
    let last = setting.add("a", &[6]).await;
    old.wait_for(last, LONG).await.unwrap();
    assert_eq!(setting.history("a"), "1 named 5 named 6 named");
}

#[tokio::test]
async fn a_projection_takes_everything_again_when_it_is_reset() {
    let setting = Setting::new();
    let running = started(&setting).await;
    let last = setting.add("b", &[2]).await;
    running.wait_for(last, LONG).await.unwrap();
    assert!(projections(&setting).reset("histories", 1).await.unwrap());
    assert!(!projections(&setting).reset("histories", 7).await.unwrap());
    let last = setting.add("b", &[3]).await;
    running.wait_for(last, LONG).await.unwrap();
    assert_eq!(
        (setting.history("a"), setting.history("b")),
        ("1 named".into(), "2 named 3 named".into())
    );
}

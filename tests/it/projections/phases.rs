//! What a projection tells of what it is at, and of what keeps it from going on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use cqrs::prelude::*;
use cqrs::{
    BoxError, Maintain as _, MemoryModel, MemoryTransaction, Phase, Received, Stopped,
    StoreErrorKind,
};
use tokio::sync::Semaphore;

use super::renamed::until;
use super::{LONG, Setting};
use crate::domain::CounterEvent;

/// Takes an event when it is let through.
#[derive(Projection)]
#[projection(name = "gated", model = MemoryModel<()>, events(CounterEvent))]
struct Gated {
    gate: Arc<Semaphore>,
    come: Arc<AtomicUsize>,
}

impl Project<CounterEvent> for Gated {
    async fn project(
        &self,
        _: CounterEvent,
        _: &Received<'_>,
        _: &mut MemoryTransaction<()>,
    ) -> Result<(), BoxError> {
        self.come.fetch_add(1, Ordering::SeqCst);
        self.gate.acquire().await?.forget();
        Ok(())
    }
}

#[tokio::test]
async fn who_works_through_old_events_catches_up_and_who_takes_new_ones_is_live() {
    let setting = Setting::new();
    setting.add("a", &[1, 2]).await;
    let (gate, come) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let projection = Gated { gate: gate.clone(), come: come.clone() };
    let running = setting.projector().start(projection, MemoryModel::new(()));
    until(async || running.status().phase == Phase::CatchingUp).await;
    gate.add_permits(2);
    until(async || running.status().phase == Phase::Live).await;
    setting.add("a", &[3]).await;
    until(async || come.load(Ordering::SeqCst) == 3).await;
    assert_eq!(running.status().phase, Phase::Live);
}

#[tokio::test]
async fn what_keeps_a_projection_from_going_on_is_seen_by_others() {
    let setting = Setting::new();
    let (running, _) = setting.start();
    running.wait_for(setting.add("a", &[1]).await, LONG).await.unwrap();
    setting.store.fail_next_reads(1_000, StoreErrorKind::Unavailable);
    setting.add("a", &[2]).await;
    let error = async || {
        let states = setting.model.projections(Some("histories")).await.unwrap();
        states[0].slots[0].error.clone()
    };
    until(async || error().await.is_some()).await;
    assert_eq!(error().await, running.status().last_error);
}

#[tokio::test]
async fn a_store_that_refuses_for_good_stops_a_projection_which_says_where() {
    let setting = Setting::new();
    let (running, _) = setting.start();
    let place = setting.add("a", &[1]).await;
    running.wait_for(place, LONG).await.unwrap();
    setting.store.fail_next_reads(1_000, StoreErrorKind::Corrupt);
    setting.add("a", &[2]).await;
    let stopped = tokio::time::timeout(LONG, running.stopped()).await.unwrap();
    let Stopped::Store { slots, position, error, .. } = stopped else { panic!("{stopped}") };
    assert_eq!((slots, position, error.kind()), (vec![0], place, StoreErrorKind::Corrupt));
}

/// A state that can't be copied when it is told so.
#[derive(Debug, Default)]
struct Brittle(Arc<AtomicBool>);

impl Clone for Brittle {
    fn clone(&self) -> Self {
        assert!(!self.0.load(Ordering::SeqCst), "no copy can be made");
        Self(self.0.clone())
    }
}

#[derive(Projection)]
#[projection(name = "brittle", model = MemoryModel<Brittle>, events(CounterEvent))]
struct OnBrittle;

impl Project<CounterEvent> for OnBrittle {
    async fn project(
        &self,
        _: CounterEvent,
        _: &Received<'_>,
        _: &mut MemoryTransaction<Brittle>,
    ) -> Result<(), BoxError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_read_model_that_panics_stops_a_projection_which_says_so() {
    let setting = Setting::new();
    let is_broken = Arc::<AtomicBool>::default();
    let running =
        setting.projector().start(OnBrittle, MemoryModel::new(Brittle(is_broken.clone())));
    running.wait_for(setting.add("a", &[1]).await, LONG).await.unwrap();
    is_broken.store(true, Ordering::SeqCst);
    setting.add("a", &[2]).await;
    until(async || running.status().phase == Phase::Stopped).await;
    let said = running.status().last_error.unwrap();
    let stopped = running.stopped().await;
    assert!(matches!(stopped, Stopped::Aborted { .. }), "{stopped}");
    assert_eq!(said, stopped.to_string());
    assert!(said.contains("panicked: no copy can be made"), "{said}");
}

#[tokio::test]
async fn who_has_seen_everything_does_nothing() {
    let setting = Setting::new();
    let (running, _) = setting.start();
    running.wait_for(setting.add("a", &[1]).await, LONG).await.unwrap();
    until(async || running.status().phase == Phase::Live).await;
    let before = setting.store.reads();
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    // Now and then its share is settled, after which it looks once more.
    let reads = setting.store.reads() - before;
    assert!(reads < 20, "{reads}");
}

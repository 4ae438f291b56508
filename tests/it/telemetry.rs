//! What operators see: counters and histograms through the `metrics` facade.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use cqrs::prelude::*;
use cqrs::{MemoryStore, Retry};
use cqrs_testkit::FaultyStore;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};

use crate::domain::{Counter, add};
use crate::projections::{History, LONG, Setting, stream};

/// Runs `work` and returns the counters it left, by name and labels.
fn counters(work: impl Future<Output = ()>) -> BTreeMap<String, u64> {
    let counter = |(name, value)| match value {
        DebugValue::Counter(count) => Some((name, count)),
        _ => None,
    };
    measured(work).into_iter().filter_map(counter).collect()
}

/// Runs `work` and returns all it has measured, by name and labels.
fn measured(work: impl Future<Output = ()>) -> Vec<(String, DebugValue)> {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    metrics::with_local_recorder(&recorder, || runtime.block_on(work));
    let measured = snapshotter.snapshot().into_vec().into_iter();
    let named = measured.map(|(key, _, _, value)| {
        let labels: Vec<_> = key.key().labels().map(metrics::Label::value).collect();
        (format!("{} {}", key.key().name(), labels.join(" ")), value)
    });
    named.collect()
}

#[test]
fn commands_and_conflicts_are_counted() {
    let counters = counters(async {
        let store = Arc::new(FaultyStore::new(MemoryStore::new()));
        let bus = Bus::builder(store.clone())
            .aggregate::<Counter>()
            .retry(Retry::attempts(3))
            .build()
            .unwrap();
        store.conflict_next_appends(2);
        bus.send(add("a", 1)).await.unwrap();
        bus.send(add("a", 1)).await.unwrap();
        bus.send(add("a", -7)).await.unwrap_err();
        store.conflict_next_appends(3);
        bus.send(add("a", 1)).await.unwrap_err();
    });
    let expected = [
        ("cqrs_commands_total Add conflict", 1),
        ("cqrs_commands_total Add ok", 2),
        ("cqrs_commands_total Add rejected", 1),
        ("cqrs_conflicts_total Add", 5),
    ];
    assert_eq!(counters, expected.map(|(name, count)| (name.to_owned(), count)).into());
}

#[test]
fn gauges_tell_how_far_a_projection_is() {
    let measured = measured(async {
        let setting = Setting::new();
        let last = setting.add("a", &[1, 2]).await;
        let behind = setting.add("b", &[13]).await;
        let (projection, refused) = History::new();
        refused.store(13, Ordering::SeqCst);
        let projector = setting.projector().label("web-1");
        let running = projector.start(projection, setting.model.clone());
        running.wait_for(last.max(behind), LONG).await.unwrap();
        // What is asked of it has it look around first.
        running.replay(stream("b")).await.unwrap_err();
    });
    let gauge = |name: &str| {
        let found = measured.iter().find(|(found, _)| found == name);
        match found.map(|(_, value)| value) {
            Some(DebugValue::Gauge(value)) => value.into_inner(),
            other => panic!("{name}: {other:?} in {measured:?}"),
        }
    };
    let names = [
        "cqrs_projection_position histories 0",
        "cqrs_projection_parked histories",
        "cqrs_projection_lag_positions histories web-1",
        "cqrs_projection_lag_seconds histories web-1",
    ];
    assert_eq!(format!("{:?}", names.map(gauge)), "[5.0, 1.0, 0.0, 0.0]");
}

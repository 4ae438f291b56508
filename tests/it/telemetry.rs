//! What operators see: counters and histograms through the `metrics` facade.

use std::collections::BTreeMap;
use std::sync::Arc;

use cqrs::prelude::*;
use cqrs::{MemoryStore, Retry};
use cqrs_testkit::FaultyStore;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};

use crate::domain::{Counter, add};

/// Runs `work` and returns the counters it left, by name and labels.
fn counters(work: impl Future<Output = ()>) -> BTreeMap<String, u64> {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    metrics::with_local_recorder(&recorder, || runtime.block_on(work));
    let mut counters = BTreeMap::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        if let DebugValue::Counter(count) = value {
            let labels: Vec<_> = key.key().labels().map(metrics::Label::value).collect();
            counters.insert(format!("{} {}", key.key().name(), labels.join(" ")), count);
        }
    }
    counters
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

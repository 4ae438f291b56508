//! The checks pass what is right, and find what is broken.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cqrs_core::{MemoryModel, MemoryView, Projection, View};
use cqrs_testkit::projections::{GivenEvents, given_events};
use futures_util::FutureExt as _;

use super::domain::{
    AccountEvent, Balance, CountsInStatic, CountsOutside, Deposited, LastTouched, MODEL, OwnTotal,
    ReadsOutside, RemembersEvents, SkipsReplays, Total, Totals,
};

fn given() -> GivenEvents {
    let deposited = |number: u64| ("account", number % 4, Deposited { cents: 1 << number });
    given_events((0..10).map(deposited))
}

/// One of the checks.
#[derive(Debug, Clone, Copy)]
enum Check {
    CountOnce,
    Crashes,
    Rebuilt,
}

use Check::{CountOnce, Crashes, Rebuilt};

/// What a check finds, if it does.
async fn find<P: Projection<Model = MemoryModel<Totals>>>(
    check: Check,
    make: impl Fn(&MemoryModel<Totals>) -> P + 'static,
) -> Option<String> {
    let empty = async || MemoryModel::new(Totals::new());
    let rows = async |model: &MemoryModel<Totals>| model.read(Clone::clone);
    let checks = given().check_projection(make, empty, rows);
    let checking = async {
        match check {
            CountOnce => checks.events_count_once().await,
            Crashes => checks.crashes_leave_no_trace().await,
            Rebuilt => checks.rebuilt_is_the_same().await,
        }
    };
    let panic = AssertUnwindSafe(checking).catch_unwind().await.err()?;
    Some(panic.downcast_ref::<String>().unwrap().clone())
}

async fn find_in_view<V: View<Event = AccountEvent, Key = String> + PartialEq + std::fmt::Debug>(
    check: Check,
) -> Option<String> {
    let empty = async || MemoryView::<V>::new(BTreeMap::new());
    let rows = async |model: &MemoryView<V>| model.read(Clone::clone);
    let checks = given().check_view::<V, _, _>(empty, rows);
    let checking = async {
        match check {
            CountOnce => checks.events_count_once().await,
            Crashes => checks.crashes_leave_no_trace().await,
            Rebuilt => checks.rebuilt_is_the_same().await,
        }
    };
    let panic = AssertUnwindSafe(checking).catch_unwind().await.err()?;
    Some(panic.downcast_ref::<String>().unwrap().clone())
}

#[tokio::test]
async fn what_is_right_passes_when_commits_fail() {
    assert_eq!(find(CountOnce, |_| Total).await, None);
    assert_eq!(find_in_view::<Balance>(CountOnce).await, None);
}

#[tokio::test]
async fn what_is_right_passes_when_processes_crash() {
    assert_eq!(find(Crashes, |_| Total).await, None);
    assert_eq!(find_in_view::<Balance>(Crashes).await, None);
}

#[tokio::test]
async fn what_is_right_passes_when_it_is_rebuilt() {
    assert_eq!(find(Rebuilt, |_| Total).await, None);
    assert_eq!(find(Rebuilt, |_| OwnTotal).await, None);
    assert_eq!(find_in_view::<Balance>(Rebuilt).await, None);
}

#[tokio::test]
async fn counting_outside_of_the_transaction_is_found() {
    let found = find(CountOnce, |_| CountsOutside::default()).await.unwrap();
    let begin = "`totals` v1: a run in which commit 1 failed and was rolled back gave other rows\n\ngiven\n    \
                 account/0: account.deposited v1 {\n      \"cents\": 1\n    }\n";
    assert!(found.starts_with(begin), "{found}");
    let end = "\nrows (- right, + found)\n      {\n    -     \"all\": 1023,\n    +     \"all\": 1030,\n      }\n";
    assert!(found.ends_with(end), "{found}");
    let found = find(Crashes, |_| CountsOutside::default()).await.unwrap();
    assert!(found.starts_with("`totals` v1: a run that crashed at await "), "{found}");
}

#[tokio::test]
async fn counting_in_a_static_is_found() {
    assert!(find(CountOnce, |_| CountsInStatic).await.is_some());
    assert!(find(Crashes, |_| CountsInStatic).await.is_some());
    assert!(find(Rebuilt, |_| CountsInStatic).await.is_some());
}

#[tokio::test]
async fn what_depends_on_where_batches_end_is_found() {
    let reads_outside = |model: &MemoryModel<Totals>| ReadsOutside(model.clone());
    let found = find(Rebuilt, reads_outside).await.unwrap();
    let begin = "`totals` v1: a run over all events, in batches of 10 gave other rows";
    assert!(found.starts_with(begin), "{found}");
}

#[tokio::test]
async fn what_depends_on_being_a_replay_is_found() {
    let found = find(Rebuilt, |_| SkipsReplays).await.unwrap();
    let begin = "`totals` v1: a run over all events, in batches of 1 gave other rows";
    assert!(found.starts_with(begin), "{found}");
}

#[tokio::test]
async fn what_depends_on_the_order_of_streams_is_found() {
    let found = find_in_view::<LastTouched>(Rebuilt).await.unwrap();
    assert!(found.starts_with("`last_touched` v1: a run over 8 slots, slot by slot"), "{found}");
}

#[tokio::test]
async fn what_a_rebuild_does_not_empty_is_found() {
    let models = AtomicU64::new(0);
    let empty = async || {
        let model = models.fetch_add(1, Ordering::Relaxed);
        MemoryModel::new(Totals::from([(MODEL.to_owned(), model)]))
    };
    let rows = async |model: &MemoryModel<Totals>| {
        let mut totals = model.read(Clone::clone);
        totals.remove(MODEL);
        totals
    };
    let seen = Arc::default();
    let make = move |_: &MemoryModel<Totals>| RemembersEvents(Arc::clone(&seen));
    let checks = given().check_projection(make, empty, rows);
    let panic = AssertUnwindSafe(checks.rebuilt_is_the_same()).catch_unwind().await.unwrap_err();
    let found = panic.downcast_ref::<String>().unwrap();
    assert!(found.starts_with("`totals` v1: a run after a reset gave other rows"), "{found}");
}

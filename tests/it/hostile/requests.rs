//! Names that are given at run time to whoever manages projections, and the name a process is known by.

use std::collections::BTreeMap;
use std::time::Duration;

use cqrs::{
    EventStore, Maintain, MemoryModel, MemoryStore, MemoryView, ParkedError, Projections,
    Projector, PutInService, Rows, Stopped, Store, StoreError,
};
use tokio::time::timeout;

use super::rows::Kept;
use super::texts::with_arbitrary;
use super::{OnPostgres, OnSqlite, stream};
use crate::projections::{Histories, LONG};

/// What there is none of is told so, in whatever words it is asked for; the kind of error is that of the input.
fn nothing<T: PartialEq + std::fmt::Debug>(name: &str, answer: Result<T, StoreError>, none: &T) {
    match answer {
        Ok(found) => assert_eq!(found, *none, "{name:?}"),
        Err(error) => {
            assert!(name.contains('\0'), "{name:?}: {error}");
            assert!(!error.may_retry(), "{name:?}: {error}");
        }
    }
}

async fn names_of_no_projection_find_none(store: impl EventStore, model: impl Maintain) {
    let projections = Projections::new(store, model);
    let before = projections.status().await.unwrap();
    let stream = stream("hostile", "1");
    let mut names: Vec<_> = with_arbitrary(30).into_iter().step_by(2).collect();
    names.push("a\0b".into());
    names.push("n".repeat(100_000).into());
    for name in names {
        nothing(&name, projections.parked(&name, 1).await, &Vec::new());
        nothing(&name, projections.rescale(&name, 1, 2).await, &false);
        nothing(&name, projections.reset(&name, 1).await, &false);
        nothing(&name, projections.promote(&name, 1).await, &PutInService::Missing);
        nothing(&name, projections.roll_back(&name, u32::MAX).await, &PutInService::Missing);
        nothing(&name, projections.remove(&name, u32::MAX).await, &false);
        for request in [
            projections.replay(&name, 1, &stream).await.unwrap_err(),
            projections.discard(&name, 1, &stream).await.unwrap_err(),
        ] {
            let is_none = matches!(request, ParkedError::NotParked { .. });
            assert!(is_none || name.contains('\0'), "{name:?}: {request}");
        }
        let progress = projections.progress(name.clone());
        let target = cqrs::Position::new(1);
        assert!(progress.wait_for(target, Duration::from_millis(1)).await.is_err(), "{name:?}");
    }
    assert_eq!(projections.status().await.unwrap(), before);
}

#[tokio::test]
async fn g13_names_of_no_projection_find_none_in_memory() {
    let model = MemoryModel::new(Histories::new());
    names_of_no_projection_find_none(MemoryStore::new(), model).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g13_names_of_no_projection_find_none_on_sqlite() {
    let place = OnSqlite::new().await;
    names_of_no_projection_find_none(place.store.clone(), place.store.model()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g13_names_of_no_projection_find_none_on_postgres() {
    let place = OnPostgres::new().await;
    names_of_no_projection_find_none(place.store.clone(), place.store.model()).await;
}

/// Whatever a process is called, it runs, and is shown under that name.
async fn processes_are_known_by_any_name<M: Rows<Kept>>(store: impl Store + Clone, model: M) {
    let projections = Projections::new(store.clone(), model.clone());
    let mut labels: Vec<_> = with_arbitrary(10).into_iter().step_by(4).collect();
    labels.push("a\0b".into());
    labels.push("n".repeat(100_000).into());
    for label in labels {
        let projector = Projector::new(store.clone()).label(label.clone());
        let running = projector.start_view::<Kept>(model.clone());
        let kept: &[&str] = &[&label, &label.replace('\0', "\u{fffd}")];
        let known = timeout(LONG, async {
            loop {
                let status = projections.status().await.unwrap();
                let mut members = status.into_iter().flat_map(|status| status.members);
                // The one before may be listed for a moment.
                if members.any(|(_, known)| kept.contains(&&*known)) {
                    break;
                }
                tokio::task::yield_now().await;
            }
        });
        known.await.unwrap_or_else(|_| panic!("{label:?}: {:?}", running.status()));
        assert!(matches!(running.stop().await, Stopped::Asked));
    }
}

#[tokio::test]
async fn processes_are_known_by_any_name_in_memory() {
    processes_are_known_by_any_name(MemoryStore::new(), MemoryView::new(BTreeMap::new())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_are_known_by_any_name_on_sqlite() {
    let place = OnSqlite::new().await;
    processes_are_known_by_any_name(place.store.clone(), place.store.model()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_are_known_by_any_name_on_postgres() {
    let place = OnPostgres::new().await;
    processes_are_known_by_any_name(place.store.clone(), place.store.model()).await;
}

//! Versions that take the place of others: while events are appended, and while processes are killed.

use std::time::Duration;

use cqrs_core::{
    EventId, Maintain, OnChange, ProjectionId, Projector, PutInService, ReadModel, Stopped,
};
use cqrs_sqlite::SqliteModel;
use sqlx::query_scalar;

use crate::beside::files;
use crate::child::{Said, Task, Worker};
use crate::projecting::{
    self, Appending, LONG, Seen, catch_up, last, other_file, projector, seen, seen_in_order, state,
    stop, until, wanted,
};
use crate::support::{marked_events, open_patiently, place, store_events};

#[tokio::test(flavor = "multi_thread")]
async fn g7_a_version_is_built_beside_takes_its_place_and_is_put_back() {
    let place = place();
    let store = open_patiently(&place.path).await;
    for model in [store.model(), SqliteModel::in_memory().await.unwrap()] {
        let appending = Appending::start(&store);
        let first = projector(&store).slots(2).start(Seen::<_, 1> { taken: |_| () }, model.clone());
        let goal = last(&store).await;
        first.wait_for(goal, LONG).await.unwrap();
        let building = projector(&store).slots(4).workers(2).on_change(OnChange::Build);
        let second = building.start(Seen::<_, 2> { taken: |_| () }, model.clone());
        let stopped = tokio::time::timeout(LONG, first.stopped()).await.unwrap();
        let is_replaced = matches!(stopped, Stopped::Replaced { .. } | Stopped::Changed { .. });
        assert!(is_replaced, "{stopped}");
        assert!(state(&model, 2).await.in_service);
        appending.stop().await;
        second.wait_for(last(&store).await, LONG).await.unwrap();
        stop(second).await;
        assert_eq!(seen_in_order(&model).await, wanted(&store).await);
        let by: Vec<i64> =
            query_scalar("SELECT DISTINCT by FROM seen").fetch_all(model.pool()).await.unwrap();
        assert_eq!(by, [2]);

        // Back to what it was; it goes on from where it stood.
        let put = model.put_in_service("seen", 1, false).await.unwrap();
        assert_eq!(put, PutInService::Done);
        store_events(&store, "1", &marked_events(2)).await;
        catch_up(&store, &model).await;
        assert_eq!(seen_in_order(&model).await, wanted(&store).await);
        // As does the one that was built.
        let put = model.put_in_service("seen", 2, false).await.unwrap();
        assert_eq!(put, PutInService::Done);
        let second = projector(&store).start(Seen::<_, 2> { taken: |_| () }, model.clone());
        second.wait_for(last(&store).await, LONG).await.unwrap();
        stop(second).await;
        assert_eq!(seen_in_order(&model).await, wanted(&store).await);
    }
}

/// Puts one version into service after the other, until it is killed. It prints a line before each.
pub(crate) async fn exchange(model: &SqliteModel, say: impl Fn(u32)) {
    loop {
        for version in [2, 1] {
            say(version);
            let put = model.put_in_service("seen", version, false).await.unwrap();
            assert!(matches!(put, PutInService::Done | PutInService::Missing), "{put:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_a_crash_leaves_the_old_version_in_service_or_the_new_one() {
    let place = place();
    let store = open_patiently(&place.path).await;
    for _ in 0..20 {
        store_events(&store, "1", &marked_events(100)).await;
    }
    let wanted = wanted(&store).await;
    {
        let model = other_file(&place.path).await;
        let model = &model;
        let projector = Projector::new(store.clone());
        let first = projector.start(Seen::<_, 1> { taken: |_| () }, model.clone());
        first.wait_for(last(&store).await, LONG).await.unwrap();
        stop(first).await;
        let waiting = projector.on_change(OnChange::BuildAndWait);
        let second = waiting.start(Seen::<_, 2> { taken: |_| () }, model.clone());
        let end = last(&store).await;
        let is_there = async {
            while model.projections(Some("seen")).await.unwrap().len() < 2 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LONG, is_there).await.unwrap();
        until(model, 2, |state| state.slots.iter().all(|slot| slot.position >= end)).await;
        stop(second).await;
        model.close().await;
    }
    let mut served = [0, 0];
    for round in 0..40_u64 {
        let mut worker = Worker::start(Task::Exchange, &place.path);
        worker.go();
        for _ in 0..=round % 3 {
            assert!(matches!(worker.next(), Some(Said::Taken(_))));
        }
        let random = EventId::random().as_uuid().as_u128();
        std::thread::sleep(Duration::from_micros(u64::try_from(random % 40_000).unwrap()));
        worker.kill();
        drop(worker);
        let model = other_file(&place.path).await;
        let states = model.projections(Some("seen")).await.unwrap();
        let in_service: Vec<u32> =
            states.iter().filter(|state| state.in_service).map(|state| state.version).collect();
        assert_eq!((states.len(), in_service.len()), (2, 1), "{states:?}");
        let beside = 3 - in_service[0];
        served[in_service[0] as usize - 1] += 1;
        let id = ProjectionId { name: "seen", version: beside, events: "test.marked".to_owned() };
        for (version, model) in
            [(in_service[0], &model), (beside, &model.beside(&id).await.unwrap())]
        {
            assert_eq!(seen(model).await, wanted, "version {version}");
            let by: Vec<u32> =
                query_scalar("SELECT DISTINCT by FROM seen").fetch_all(model.pool()).await.unwrap();
            assert_eq!(by, [version]);
            if version == 2 {
                let also: i64 = query_scalar("SELECT count(*) FROM also_seen")
                    .fetch_one(model.pool())
                    .await
                    .unwrap();
                assert_eq!(usize::try_from(also).unwrap(), wanted.len());
            }
        }
        model.close().await;
    }
    assert!(served.iter().all(|times| *times > 0), "{served:?}");
    // Whatever the crashes have left goes when a projection is opened.
    let model = other_file(&place.path).await;
    if !state(&model, 1).await.in_service {
        model.put_in_service("seen", 1, false).await.unwrap();
    }
    store_events(&store, "2", &marked_events(5)).await;
    catch_up(&store, &model).await;
    assert_eq!(seen(&model).await, projecting::wanted(&store).await);
    let files = files(&place.path);
    let views: Vec<_> = files.iter().filter(|name| name.starts_with("bank.views")).collect();
    assert_eq!(views.len(), 2, "{views:?}");
}

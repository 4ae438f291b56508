//! Opening: which version is in service, which is beside, and which is refused.

use std::sync::Arc;

use cqrs_core::{Maintain as _, Opened, ProjectionId, PutInService, ReadModel as _, Setup};

use super::Fixture;
use super::support::{
    NAME, Worker, at, at_once, done, id, names, open, opened, positions, rows, rows_beside, same,
    state, states, tables,
};

pub(super) async fn the_first_version_is_in_service<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    same("what an empty database lists", states(&other).await, vec![]);
    let tables = tables(&model);
    let setup = Setup { tables: &tables, slots: 3, replays_to: at(7), beside: false };
    let made = done("opening", model.open(&id(2), &setup).await);
    same("what came of opening the first version", made, Opened::InService);
    let state = state(&other, 2).await;
    same("the event types", &*state.events, "suite.happened");
    same("whether it is in service", state.in_service, true);
    same("the positions of its slots", positions(&state), vec![0, 0, 0]);
    let slots: Vec<u32> = state.slots.iter().map(|slot| slot.slot).collect();
    same("the numbers of its slots", slots, vec![0, 1, 2]);
    for slot in &state.slots {
        same(
            "slot, owner, events and error",
            (slot.owner, slot.events, &slot.error),
            (None, 0, &None),
        );
    }
    same("where the log ended", state.replays_to, at(7));
    same("what is going on", (state.rescaling, state.parked, state.members), (None, 0, vec![]));
    same("the rows", rows(&other, &["a"]).await, names([]));
}

pub(super) async fn opening_again_changes_nothing<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let mut worker = opened(&model, 1, 3, 0).await;
    worker.commits(10, &["a"]).await;
    let before = state(&model, 1).await;
    let tables = tables(&other);
    let setup = Setup { tables: &tables, slots: 5, replays_to: at(99), beside: true };
    let again = done("opening again", other.open(&id(1), &setup).await);
    same("what came of opening it again", again, Opened::InService);
    let after = state(&model, 1).await;
    same("the positions after opening it again", positions(&after), vec![10, 10, 10]);
    same("where the log ended when it was made", after.replays_to, before.replays_to);
    same("the rows after opening it again", rows(&other, &["a"]).await, names(["a"]));
    worker.commits(20, &["b"]).await;
    same("how many versions there are", states(&model).await.len(), 1);
}

pub(super) async fn other_events_under_the_same_version_are_refused<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let mut worker = opened(&model, 1, 1, 10).await;
    opened(&model, 2, 1, 0).await;
    let tables = tables(&model);
    let setup = Setup { tables: &tables, slots: 1, replays_to: at(0), beside: true };
    for version in [1, 2] {
        let events = "suite.happened suite.more".to_owned();
        let changed = ProjectionId { events, ..id(version) };
        same(
            format!("what came of opening version {version} with other events"),
            done("opening", model.open(&changed, &setup).await),
            // Where the version beside is the one that differs, that is the one to tell of.
            Opened::Changed { version, events: "suite.happened".to_owned() },
        );
        same(
            "the events it was made from",
            &*state(&model, version).await.events,
            "suite.happened",
        );
    }
    worker.commits(20, &[]).await;
}

pub(super) async fn a_newer_version_is_built_beside_where_it_may<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    opened(&model, 1, 1, 10).await;
    let tables = tables(&model);
    let setup = Setup { tables: &tables, slots: 2, replays_to: at(10), beside: false };
    same(
        "what came of opening a newer version that may not be built beside",
        done("opening", model.open(&id(2), &setup).await),
        Opened::Changed { version: 1, events: "suite.happened".to_owned() },
    );
    same("how many versions there are", states(&model).await.len(), 1);
    let setup = Setup { beside: true, ..setup };
    for handle in [&model, &other, &model] {
        same(
            "what came of opening a newer version",
            done("opening", handle.open(&id(2), &setup).await),
            Opened::Beside,
        );
    }
    let beside = state(&other, 2).await;
    same("the positions of a version beside", positions(&beside), vec![0, 0]);
    same("where the log ended", beside.replays_to, at(10));
    same(
        "which is in service",
        (state(&other, 1).await.in_service, beside.in_service),
        (true, false),
    );
    let share = Worker::new(&model, 2).share().await;
    same("what the share says of it", (share.in_service, share.replays_to), (false, at(10)));
}

pub(super) async fn an_older_version_is_refused<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    opened(&model, 2, 1, 0).await;
    let served = |version| Opened::Changed { version, events: "suite.happened".to_owned() };
    same("what came of opening an older version", open(&model, 1, 1).await, served(2));
    same("how many versions there are", states(&model).await.len(), 1);
    opened(&model, 3, 1, 0).await;
    let put = model.put_in_service(NAME, 3, true).await;
    same("putting in service", done("putting in service", put), PutInService::Done);
    // It is there, beside; but it was put out of service.
    same("what came of opening the version before", open(&model, 2, 1).await, served(3));
    same("what came of opening an older version", open(&model, 1, 1).await, served(3));
    same("what came of opening the one in service", open(&model, 3, 1).await, Opened::InService);
}

pub(super) async fn many_open_a_version_at_once<F: Fixture>(fixture: Arc<F>) {
    const MANY: usize = 8;
    let handles = [fixture.open().await, fixture.open().await];
    for (version, place) in [(1, Opened::InService), (2, Opened::Beside)] {
        let opening = (0..MANY).map(|number| {
            let model = handles[number % 2].clone();
            async move { open(&model, version, 4).await }
        });
        let all = at_once(opening).await;
        same(format!("what came of opening version {version} at once"), all, vec![place; MANY]);
        same("its slots", positions(&state(&handles[0], version).await), vec![0; 4]);
    }
    same("how many versions there are", states(&handles[0]).await.len(), 2);
}

pub(super) async fn rows_beside_are_apart<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let mut served = opened(&model, 1, 1, 0).await;
    let mut beside = opened(&other, 2, 1, 0).await;
    served.commits(10, &["both", "served"]).await;
    beside.commits(5, &["both", "beside"]).await;
    let keys = ["both", "served", "beside"];
    for handle in [&model, &other, &beside.model] {
        same("what queries see", rows(handle, &keys).await, names(["both", "served"]));
    }
    same("what is beside", rows_beside(&model, 2, &keys).await, names(["both", "beside"]));
    same("the positions in service", positions(&state(&other, 1).await), vec![10]);
    same("the positions beside", positions(&state(&model, 2).await), vec![5]);
    // All but the rows is the same through both.
    beside.base = beside.model.clone();
    beside.share().await;
    beside.commits(6, &[]).await;
    same("the positions beside", positions(&state(&model, 2).await), vec![6]);
}

pub(super) async fn only_what_is_beside_is_had_beside<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    opened(&model, 1, 1, 0).await;
    assert!(model.beside(&id(1)).await.is_err(), "the version in service is had as one beside");
    assert!(
        model.beside(&id(2)).await.is_err(),
        "a version that is not there is had as one beside"
    );
}

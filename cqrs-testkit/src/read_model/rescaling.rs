//! Dividing the streams into slots anew, and beginning anew.

use std::sync::Arc;

use cqrs_core::{Lease, Maintain as _, ReadModel as _, Setup, StoreErrorKind};

use super::Fixture;
use super::support::{
    Model, NAME, Worker, all_parked, at, done, id, names, opened, parked, positions, rows,
    rows_beside, same, state, states, taken,
};

async fn rescale<M: Model>(model: &M, slots: u32) {
    let told = model.rescale(NAME, 1, slots).await;
    assert!(done("rescaling", told), "there is no version 1, which was opened");
}

fn highest_token<M>(workers: &[&Worker<M>]) -> i64 {
    let leases = workers.iter().flat_map(|worker| &worker.leases);
    leases.map(|lease| lease.token).max().unwrap_or(0)
}

pub(super) async fn a_rescale_waits_at_a_barrier<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let mut worker = opened(&model, 1, 2, 0).await;
    let ahead = [Lease { position: at(30), ..worker.lease(1) }];
    assert!(worker.commit(&ahead, &["a"]).await, "a commit was refused");
    rescale(&other, 3).await;
    let told = state(&model, 1).await;
    same("what is under way", told.rescaling, Some(3));
    same("the positions", positions(&told), vec![0, 30]);
    worker.is_refused("a rescale has begun", &worker.leases_at(40)).await;
    let (before, old) = (highest_token(&[&worker]), worker.leases.clone());
    let share = worker.share().await;
    same("the barrier", share.barrier, Some(at(30)));
    same("how many slots there are until then", share.slots, 2);
    assert!(
        share.leases.iter().all(|lease| old.iter().all(|old| old.token != lease.token)),
        "a rescale has begun, but the leases are still {share:?}"
    );
    // Not all of the way: everything stays.
    let nearer = [Lease { position: at(29), ..worker.lease(0) }];
    assert!(worker.commit(&nearer, &["b"]).await, "a commit before the barrier was refused");
    same("the barrier", Worker::new(&other, 1).share().await.barrier, Some(at(30)));
    same("how many slots there are until then", state(&model, 1).await.slots.len(), 2);
    // All of the way.
    worker.leases.clear();
    worker.share().await;
    let last = highest_token(&[&worker]);
    assert!(last > before, "tokens do not rise");
    let stale = worker.clone();
    worker.leases = worker.leases_at(30);
    let share = worker.share().await;
    same("how many slots there are", share.slots, 3);
    same("the barrier when it is over", share.barrier, None);
    let after = state(&model, 1).await;
    same("what is under way", after.rescaling, None);
    same("the positions", positions(&after), vec![30; 3]);
    assert!(
        share.leases.iter().all(|lease| lease.token > last && lease.position == at(30)),
        "the slots after a rescale are {share:?}, but tokens up to {last} were given before"
    );
    stale.is_refused("the slots were divided anew", &stale.leases_at(40)).await;
    same("the rows", rows(&other, &["a", "b"]).await, names(["a", "b"]));
    let mut worker = worker.another();
    worker.leases.clear();
    worker.label.clear();
    worker.share().await;
    assert!(worker.leases.iter().all(|lease| lease.position == at(30)), "{:?}", worker.leases);
}

/// Two who share find together to the new slots.
pub(super) async fn all_members_take_part_in_a_rescale<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let mut first = opened(&model, 1, 2, 10).await;
    let mut second = Worker::new(&other, 1);
    for _ in 0..2 {
        second.share().await;
        first.share().await;
    }
    second.share().await;
    first.commits(50, &["a"]).await;
    second.commits(20, &["b"]).await;
    rescale(&model, 6).await;
    let old = [first.clone(), second.clone()];
    first.share().await;
    let share = second.share().await;
    same("the barrier", share.barrier, Some(at(50)));
    same("how many have a slot", first.leases.len() + second.leases.len(), 2);
    // Who is at the barrier waits for the other.
    same("the slots until then", first.share().await.slots, 2);
    second.commits(50, &["c"]).await;
    let before = highest_token(&[&first, &second]);
    let shares = [first.share().await, second.share().await, first.share().await];
    same("how many slots there are", shares[2].slots, 6);
    second.share().await;
    same("the shares", [first.leases.len(), second.leases.len()], [3, 3]);
    for worker in [&mut first, &mut second] {
        for lease in &worker.leases {
            assert!(lease.token > before, "{lease:?} is not newer than token {before}");
            same("the position after a rescale", lease.position, at(50));
        }
        worker.commits(60, &[]).await;
    }
    for worker in old {
        worker.is_refused("the slots were divided anew", &worker.leases_at(99)).await;
    }
    same("the rows", rows(&model, &["a", "b", "c"]).await, names(["a", "b", "c"]));
}

pub(super) async fn a_rescale_keeps_what_is_known<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let mut worker = opened(&model, 1, 4, 10).await;
    let mut transaction = worker.with_rows(&["a"]).await;
    done("parking", model.park(&mut transaction, &worker.id, &parked("1", 5)).await);
    assert!(worker.commit_under(transaction, &worker.leases_at(20)).await, "a commit was refused");
    let before = state(&model, 1).await;
    // From many to one, and to as many as there may be.
    for slots in [1, 1024, 2] {
        rescale(&model, slots).await;
        worker.leases.clear();
        let share = worker.share().await;
        same("how many slots there are", share.slots, slots);
        same("how many its only member has", share.leases.len(), slots as usize);
        let after = state(&model, 1).await;
        same("how many slots are listed", after.slots.len(), slots as usize);
        assert!(positions(&after).iter().all(|position| *position == 20), "{after:?}");
        same("how many events were taken", taken(&after), taken(&before));
        same("what is parked", share.parked, vec![parked("1", 5)]);
        same("where the log ended", after.replays_to, before.replays_to);
    }
    worker.commits(30, &["b"]).await;
    same("the rows", rows(&model, &["a", "b"]).await, names(["a", "b"]));
}

pub(super) async fn another_rescale_takes_the_place_of_the_first<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let mut worker = opened(&model, 1, 2, 0).await;
    let ahead = [Lease { position: at(30), ..worker.lease(1) }];
    assert!(worker.commit(&ahead, &["a"]).await, "a commit was refused");
    for slots in [3, 5] {
        rescale(&model, slots).await;
        same("what is under way", state(&model, 1).await.rescaling, Some(slots));
        worker.leases.clear();
        same("the barrier", worker.share().await.barrier, Some(at(30)));
    }
    worker.commits(30, &["b"]).await;
    same("how many slots there are", worker.share().await.slots, 5);
}

pub(super) async fn numbers_of_slots_have_bounds<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let mut worker = opened(&model, 1, 2, 10).await;
    for slots in [0, 1025, u32::MAX] {
        match model.rescale(NAME, 1, slots).await {
            Err(error) if error.kind() == StoreErrorKind::InvalidInput => {}
            other => panic!("dividing streams into {slots} slots is to be refused, but: {other:?}"),
        }
    }
    same("what is under way", state(&model, 1).await.rescaling, None);
    worker.commits(20, &[]).await;
    let missing = model.rescale(NAME, 2, 4).await;
    same("rescaling a version that is not there", done("rescaling", missing), false);
    let missing = model.rescale("other", 1, 4).await;
    same("rescaling a projection that is not there", done("rescaling", missing), false);
}

pub(super) async fn what_is_reset_begins_anew<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let mut worker = opened(&model, 1, 2, 10).await;
    let mut transaction = worker.with_rows(&["a", "b"]).await;
    done("parking", model.park(&mut transaction, &worker.id, &parked("1", 5)).await);
    assert!(worker.commit_under(transaction, &worker.leases_at(20)).await, "a commit was refused");
    let reset = other.reset(NAME, 1, at(25)).await;
    assert!(done("resetting", reset), "there is no version 1, which was opened");
    same("the rows", rows(&model, &["a", "b"]).await, names([]));
    same("what is parked", all_parked(&model, 1).await, vec![]);
    let after = state(&model, 1).await;
    same("the positions", positions(&after), vec![0, 0]);
    same("where the log ended", after.replays_to, at(25));
    same("how many events were taken", taken(&after), 0);
    same("whether it is in service", after.in_service, true);
    worker.is_refused("it was reset", &worker.leases_at(30)).await;
    // What it had seen is not where it goes on.
    worker.leases = worker.leases_at(30);
    let old = worker.leases.clone();
    let share = worker.share().await;
    same("where the log ended, in a share", share.replays_to, at(25));
    for (lease, old) in share.leases.iter().zip(&old) {
        assert!(lease.token > old.token, "{lease:?} is not newer than {old:?}");
        same("where it begins", lease.position, at(0));
    }
    worker.commits(1, &["b"]).await;
    same("the rows", rows(&model, &["a", "b"]).await, names(["b"]));
}

pub(super) async fn a_reset_ends_a_rescale<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let mut worker = opened(&model, 1, 2, 0).await;
    let ahead = [Lease { position: at(30), ..worker.lease(1) }];
    assert!(worker.commit(&ahead, &["a"]).await, "a commit was refused");
    rescale(&model, 4).await;
    done("resetting", model.reset(NAME, 1, at(0)).await);
    same("what is under way after a reset", state(&model, 1).await.rescaling, None);
    let share = worker.share().await;
    same("how many slots there are after a reset", share.slots, 2);
    // The barrier was that of rows which are gone.
    same("the barrier after a reset", share.barrier, None);
    assert!(share.leases.iter().all(|lease| lease.position == at(0)), "{share:?}");
}

pub(super) async fn a_reset_is_of_one_version<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let mut served = opened(&model, 1, 1, 0).await;
    let mut beside = opened(&model, 2, 1, 0).await;
    for version in [2, 1] {
        served.commits(10, &["served"]).await;
        beside.commits(5, &["beside"]).await;
        assert!(done("resetting", model.reset(NAME, version, at(10)).await), "it is not there");
        let (in_service, others) = match version {
            1 => (names([]), names(["beside"])),
            _ => (names(["served"]), names([])),
        };
        let keys = ["served", "beside"];
        same("the rows in service", rows(&model, &keys).await, in_service);
        same("the rows beside", rows_beside(&model, 2, &keys).await, others);
        let listed = states(&model).await;
        let at: Vec<Vec<u64>> = listed.iter().map(positions).collect();
        let right = if version == 1 { [vec![0], vec![5]] } else { [vec![10], vec![0]] };
        same("the positions", at, right.to_vec());
        beside.share().await;
        served.share().await;
    }
}

pub(super) async fn what_can_not_be_reset_is_not<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let missing = model.reset(NAME, 1, at(0)).await;
    same("resetting a version that is not there", done("resetting", missing), false);
    // Its tables belong to the application.
    let setup = Setup { tables: "", slots: 1, replays_to: at(0), beside: false };
    done("opening", model.open(&id(1), &setup).await);
    let mut worker = Worker::new(&model, 1);
    worker.share().await;
    let leases = worker.leases_at(10);
    assert!(worker.commit_under(worker.begin().await, &leases).await, "a commit was refused");
    match model.reset(NAME, 1, at(10)).await {
        Err(error) if error.kind() == StoreErrorKind::InvalidInput => {}
        other => panic!("nobody knows what to empty, but resetting it gives {other:?}"),
    }
    same("the position", positions(&state(&model, 1).await), vec![10]);
}

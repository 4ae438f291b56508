//! Leases: prolonged, given back, and void afterwards.

use std::sync::Arc;
use std::time::Duration;

use cqrs_core::ReadModel as _;

use super::Fixture;
use super::support::{
    LONG, SHORT, Worker, at, done, id, names, opened, positions, rows, same, state, states,
};

/// A lease that has run out when `RUN_OUT` has passed.
const BRIEF: Duration = Duration::from_millis(50);
const RUN_OUT: Duration = Duration::from_millis(120);

pub(super) async fn prolonged_leases_do_not_run_out<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let mut first = opened(&model, 1, 2, 10).await;
    first.time = BRIEF;
    first.share().await;
    let leases = first.leases_at(99);
    let prolonged = model.prolong(&first.id, &leases, LONG).await;
    assert!(done("prolonging leases", prolonged), "leases in force are not prolonged");
    tokio::time::sleep(RUN_OUT).await;
    let mut second = Worker::new(&other, 1);
    same("what another gets of them", second.share().await.leases, vec![]);
    same("the positions after prolonging", positions(&state(&model, 1).await), vec![10, 10]);
    first.commits(20, &["a"]).await;
}

pub(super) async fn commits_prolong_leases<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let mut first = opened(&model, 1, 1, 10).await;
    first.time = BRIEF;
    first.share().await;
    first.time = LONG;
    first.commits(20, &["a"]).await;
    tokio::time::sleep(RUN_OUT).await;
    let mut second = Worker::new(&other, 1);
    same("what another gets of leases just used", second.share().await.leases, vec![]);
    first.commits(30, &["b"]).await;
}

pub(super) async fn prolonging_tells_of_a_lease_that_is_gone<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let mut first = opened(&model, 1, 2, 10).await;
    let before = first.leases.clone();
    let mut second = Worker::new(&other, 1);
    second.share().await;
    first.share().await;
    let kept = first.leases.clone();
    let prolong =
        async |leases: &[_]| done("prolonging leases", model.prolong(&id(1), leases, LONG).await);
    same("whether both leases are prolonged, one of which is gone", prolong(&before).await, false);
    same("whether the one that is left is prolonged", prolong(&kept).await, true);
    let missing = model.prolong(&id(2), &kept, LONG).await;
    same("whether leases of no version are prolonged", done("prolonging", missing), false);
}

pub(super) async fn g7_leases_given_back_are_void<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let mut first = opened(&model, 1, 2, 10).await;
    first.leases = first.leases_at(15);
    first.leave().await;
    let left = state(&model, 1).await;
    same("the positions given back", positions(&left), vec![15, 15]);
    same("the members after one has left", left.members, vec![]);
    same("the owner after one has left", left.slots[0].owner, None);
    // Nobody has taken them yet.
    first.is_refused("they were given back", &first.leases_at(99)).await;
    let mut second = Worker::new(&other, 1);
    second.share().await;
    for (new, old) in second.leases.iter().zip(&first.leases) {
        assert!(new.token > old.token, "{new:?} is not newer than {old:?}");
        same("the position of what was given back", new.position, at(15));
    }
    first.is_refused("they were given back and taken", &first.leases_at(99)).await;
    second.commits(20, &["a"]).await;
}

pub(super) async fn giving_back_never_moves_back<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let mut worker = opened(&model, 1, 1, 10).await;
    worker.leases = worker.leases_at(4);
    worker.leave().await;
    same("the position given back", positions(&state(&model, 1).await), vec![10]);
}

pub(super) async fn g7_what_was_taken_over_is_not_given_back<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let mut first = opened(&model, 1, 1, 10).await;
    let mut second = first.another();
    second.base = other.clone();
    first.time = SHORT;
    first.share().await;
    second.share_until(1).await;
    first.leases = first.leases_at(99);
    first.leave().await;
    let after = state(&model, 1).await;
    same("the position that another has moved", positions(&after), vec![10]);
    same("the owner", after.slots[0].owner, Some(second.member));
    second.commits(20, &["a"]).await;
    same("the rows", rows(&other, &["a"]).await, names(["a"]));
}

pub(super) async fn nothing_is_given_back_to_what_is_not_there<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let worker = opened(&model, 1, 1, 0).await;
    let elsewhere = Worker { id: id(2), ..worker.clone() };
    elsewhere.leave().await;
    same("how many versions there are", states(&model).await.len(), 1);
    same("the owner", state(&model, 1).await.slots[0].owner, Some(worker.member));
}

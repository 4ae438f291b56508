//! Sharing the slots among members.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cqrs_core::Maintain as _;
use tokio::time::Instant;
use uuid::Uuid;

use super::Fixture;
use super::support::{
    LONG, SHORT, Worker, at, at_once, done, id, opened, positions, same, state, states, until,
};

pub(super) async fn one_member_has_all_slots<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let mut worker = opened(&model, 1, 4, 0).await;
    let share = worker.share().await;
    same("the slots of the only member", worker.slots(), vec![0, 1, 2, 3]);
    same("how many slots there are", share.slots, 4);
    same("whether it is in service", share.in_service, true);
    same("the barrier", share.barrier, None);
    assert!(share.leases.iter().all(|lease| lease.position == at(0) && lease.commits == 0));
    let state = state(&model, 1).await;
    assert!(state.slots.iter().all(|slot| slot.owner == Some(worker.member)), "{state:?}");
}

pub(super) async fn a_share_that_is_settled_again_is_the_same<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let mut worker = opened(&model, 1, 3, 0).await;
    let before = worker.leases.clone();
    for _ in 0..3 {
        same("the leases of a share settled again", worker.share().await.leases, before.clone());
    }
    worker.commits(10, &["a"]).await;
    let leases = worker.leases.clone();
    same("the leases after a commit", worker.share().await.leases, leases);
}

pub(super) async fn members_have_equal_shares<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let mut workers = vec![opened(&model, 1, 8, 0).await];
    for most in [4, 3, 2, 2] {
        workers.push(Worker::new(&other, 1));
        for _ in 0..2 {
            for worker in workers.iter_mut().rev() {
                worker.share().await;
            }
        }
        let shares: Vec<Vec<u32>> = workers.iter().map(Worker::slots).collect();
        let count = workers.len();
        assert!(
            shares.iter().all(|share| share.len() <= most),
            "of 8 slots and {count} members, one has more than {most}: {shares:?}"
        );
        let all: BTreeSet<u32> = shares.iter().flatten().copied().collect();
        let sum: usize = shares.iter().map(Vec::len).sum();
        assert!(
            all.len() == 8 && sum == 8,
            "each of 8 slots has one owner among {count} members, but: {shares:?}"
        );
        let mut stored = state(&model, 1).await.members;
        let mut members: Vec<_> =
            workers.iter().map(|worker| (worker.member, worker.label.clone())).collect();
        stored.sort();
        members.sort();
        same("the members", stored, members);
    }
}

pub(super) async fn members_beyond_the_slots_stand_by<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let mut first = opened(&model, 1, 1, 0).await;
    let mut second = Worker::new(&model, 1);
    for _ in 0..3 {
        same("the share of who stands by", second.share().await.leases, vec![]);
        same("the share of the owner", first.share().await.leases.len(), 1);
    }
    first.leave().await;
    same("the share of who stood by", second.share().await.leases.len(), 1);
}

pub(super) async fn g7_what_a_member_gives_back_is_void<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let mut first = opened(&model, 1, 4, 10).await;
    let before = first.clone();
    let mut second = Worker::new(&other, 1);
    same("the share of who comes first to all", second.share().await.leases, vec![]);
    first.leases = first.leases_at(15);
    first.share().await;
    same("how many it keeps", first.leases.len(), 2);
    let kept = first.slots();
    let given: Vec<_> =
        before.leases.iter().filter(|lease| !kept.contains(&lease.slot)).copied().collect();
    first.is_refused("they were given back", &given).await;
    second.share().await;
    same("how many the other gets", second.leases.len(), 2);
    for lease in &given {
        let taken = second.lease(lease.slot);
        assert!(taken.token > lease.token, "{taken:?} is not newer than {lease:?}");
        same("the position of what was given back", taken.position, at(15));
    }
    first.is_refused("they were given back and taken", &given).await;
    first.commits(20, &["first"]).await;
    second.commits(20, &["second"]).await;
}

pub(super) async fn g7_leases_that_run_out_are_taken_over<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let mut first = opened(&model, 1, 2, 10).await;
    first.time = SHORT;
    first.share().await;
    let old = first.leases.clone();
    let mut second = Worker::new(&other, 1);
    second.share_until(2).await;
    for lease in &old {
        let taken = second.lease(lease.slot);
        assert!(taken.token > lease.token, "{taken:?} is not newer than {lease:?}");
        same("the position taken over", taken.position, at(10));
        same("the owner", state(&model, 1).await.slots[0].owner, Some(second.member));
    }
    first.is_refused("they were taken over", &first.leases_at(99)).await;
    // It comes back, and knows only what it has lost: that is void, and what it is said to have seen is not stored.
    first.leases = first.leases_at(99);
    first.time = LONG;
    let share = first.share().await;
    assert!(
        share.leases.iter().all(|lease| !old.iter().any(|old| old.token == lease.token)),
        "a share names leases that were taken over: {share:?}"
    );
    same("the positions", positions(&state(&model, 1).await), vec![10, 10]);
}

pub(super) async fn leases_in_force_are_not_taken<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let mut first = opened(&model, 1, 2, 0).await;
    let mut others = [Worker::new(&other, 1), Worker::new(&other, 1), Worker::new(&model, 1)];
    for worker in &mut others {
        same("what is left for others", worker.share().await.leases, vec![]);
    }
    first.commits(10, &["a"]).await;
}

/// A member that has forgotten what it has, as after an outcome it does not know.
pub(super) async fn g7_leases_a_member_does_not_know_are_taken_anew<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let mut worker = opened(&model, 1, 3, 10).await;
    let before = worker.clone();
    worker.leases.retain(|lease| lease.slot == 1);
    let known = worker.lease(1);
    worker.share().await;
    same("its slots", worker.slots(), vec![0, 1, 2]);
    same("the lease it knew", worker.lease(1), known);
    for slot in [0, 2] {
        let (new, old) = (worker.lease(slot), before.lease(slot));
        assert!(new.token > old.token, "{new:?} is not newer than {old:?}");
        worker.is_refused("it was taken anew", &[old]).await;
    }
    worker.commits(20, &["a"]).await;
}

pub(super) async fn leases_a_member_neither_knows_nor_gets_are_free<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let mut first = opened(&model, 1, 4, 10).await;
    let mut second = Worker::new(&other, 1);
    second.share().await;
    let before = first.leases.clone();
    first.leases.truncate(2);
    first.share().await;
    same("how many it keeps", first.leases.len(), 2);
    second.share().await;
    same("how many the other gets at once", second.leases.len(), 2);
    let lost: Vec<_> = before.iter().filter(|lease| !first.leases.contains(lease)).collect();
    for lease in lost {
        first.is_refused("another has it", std::slice::from_ref(lease)).await;
    }
}

pub(super) async fn sharing_stores_how_far_leases_have_come<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let mut worker = opened(&model, 1, 2, 10).await;
    let leases = [worker.lease(0), worker.lease(1)];
    worker.leases[0].position = at(30);
    worker.leases[1].position = at(20);
    let share = worker.share().await;
    let told: Vec<_> = share.leases.iter().map(|lease| lease.position).collect();
    same("the positions in the share", told, vec![at(30), at(20)]);
    same("the positions stored", positions(&state(&model, 1).await), vec![30, 20]);
    // Back to what it was: that changes nothing.
    worker.leases = leases.to_vec();
    let share = worker.share().await;
    let told: Vec<_> = share.leases.iter().map(|lease| lease.position).collect();
    same("the positions, which never go back", told, vec![at(30), at(20)]);
    same("the positions stored", positions(&state(&model, 1).await), vec![30, 20]);
    // Nor does it count as a commit.
    same("commits", share.leases[0].commits, leases[0].commits);
    worker.commits(40, &["a"]).await;
}

pub(super) async fn g7_who_is_ahead_of_what_is_stored_is_refused<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let mut worker = opened(&model, 1, 2, 0).await;
    worker.commits(10, &["a"]).await;
    same("its commits", worker.share().await.leases[0].commits, 1);
    // As after a commit that the database has acknowledged and lost.
    let mut lost = worker.lease(0);
    (lost.commits, lost.position) = (lost.commits + 1, at(20));
    worker.is_refused("one of its commits is lost", &[lost]).await;
    let lease = worker.lease(1);
    worker.is_refused("one of the commits of one of them is lost", &[lost, lease]).await;
    worker.leases = vec![lost, lease];
    worker.share().await;
    let anew = worker.lease(0);
    assert!(anew.token > lost.token, "{anew:?} is kept, though one of its commits is lost");
    same("the position after a commit was lost", anew.position, at(10));
    same("the lease whose commits are all there", worker.lease(1), lease);
    worker.commits(20, &["b"]).await;
}

pub(super) async fn errors_of_owners_are_shown<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let mut worker = opened(&model, 1, 2, 0).await;
    let error = async || state(&model, 1).await.slots[1].error.clone();
    for said in ["it fails", "it fails \"otherwise\":\n\tгде? \\ % ' 🦀"] {
        worker.error = Some(said.to_owned());
        worker.share().await;
        same("the error of an owner", error().await.as_deref(), Some(said));
    }
    // Not all databases keep this character; the share is settled all the same.
    worker.error = Some("nul \0 nul".to_owned());
    worker.share().await;
    assert!(error().await.is_some_and(|error| error.starts_with("nul ")), "an error is not shown");
    worker.error = None;
    worker.share().await;
    same("the error after it has passed", error().await, None);
    worker.error = Some("again".to_owned());
    worker.share().await;
    worker.commits(10, &[]).await;
    same("the error after a commit", error().await, None);
    // Nobody is to think that all is well while nobody is there.
    worker.error = Some("it gives up".to_owned());
    worker.leave().await;
    same("the error of who has left", error().await, worker.error.clone());
    let mut next = worker.another();
    next.error = None;
    next.share().await;
    same("the error after another has come", error().await, None);
}

pub(super) async fn members_are_shown_while_they_are_there<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let mut worker = opened(&model, 1, 1, 0).await;
    "host ‹7› \"x\" 🦀".clone_into(&mut worker.label);
    worker.share().await;
    let shown = state(&other, 1).await;
    same("the members", shown.members, vec![(worker.member, worker.label.clone())]);
    same("the owner", shown.slots[0].owner, Some(worker.member));
    worker.time = SHORT;
    worker.share().await;
    until("who was there for a millisecond is gone", async || {
        let state = state(&other, 1).await;
        state.members.is_empty() && state.slots[0].owner.is_none()
    })
    .await;
}

pub(super) async fn it_is_told_how_long_ago_an_owner_was_heard_of<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let mut worker = opened(&model, 1, 1, 0).await;
    let heard = async || state(&model, 1).await.slots[0].heard;
    let grows = async || {
        until("some time passes since an owner was heard of", async || {
            heard().await.as_millis() >= 100
        })
        .await;
    };
    // The clocks may differ, but not by that much.
    let close = |since: Instant, heard: Duration| {
        let most = since.elapsed() + Duration::from_millis(50);
        assert!(
            heard <= most,
            "an owner was heard of {heard:?} ago, but told at most {most:?} ago"
        );
    };
    grows().await;
    let since = Instant::now();
    worker.share().await;
    close(since, heard().await);
    grows().await;
    let since = Instant::now();
    worker.commits(10, &[]).await;
    close(since, heard().await);
}

pub(super) async fn nothing_is_shared_of_what_is_not_there<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let mut nobody = Worker::new(&model, 1);
    same("the share of nothing", nobody.try_share().await, None);
    same("what is there", states(&model).await, vec![]);
    opened(&model, 1, 1, 0).await;
    let mut newer = Worker::new(&model, 2);
    same("the share of a version that is not there", newer.try_share().await, None);
    same("how many versions there are", states(&model).await.len(), 1);
    same("the members of the other version", state(&model, 1).await.members.len(), 1);
}

pub(super) async fn g7_a_token_is_given_once<F: Fixture>(fixture: Arc<F>) {
    const ROUNDS: usize = 12;
    let handles = [fixture.open().await, fixture.open().await];
    opened(&handles[0], 1, 4, 0).await.leave().await;
    let sharing = (0..6).map(|number| {
        let mut worker = Worker::new(&handles[number % 2], 1);
        async move {
            let mut seen = BTreeSet::new();
            for round in 0..ROUNDS {
                // Some forget what they have, and some let it run out.
                if (round + number) % 3 == 0 {
                    worker.leases.clear();
                }
                worker.time = if (round + number) % 4 == 0 { SHORT } else { LONG };
                worker.share().await;
                seen.extend(worker.leases.iter().map(|lease| (lease.slot, lease.token)));
            }
            worker.leave().await;
            (worker.member, seen)
        }
    });
    let mut all = at_once(sharing).await;
    let mut last = Worker::new(&handles[1], 1);
    last.share_until(4).await;
    let tokens = last.leases.iter().map(|lease| (lease.slot, lease.token));
    all.push((last.member, tokens.collect()));
    let mut given: BTreeMap<(u32, i64), Uuid> = BTreeMap::new();
    for (member, seen) in all {
        for (slot, token) in seen {
            if let Some(other) = given.insert((slot, token), member) {
                panic!("slot {slot} was given to {other} and to {member}, with token {token}");
            }
        }
    }
    last.commits(10, &["last"]).await;
    let listed = done("listing", handles[0].projections(Some(id(1).name)).await);
    same("the slots after all that", positions(&listed[0]), vec![10; 4]);
}

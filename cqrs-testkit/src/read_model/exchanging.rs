//! Putting versions into service and out of it, and removing them.

use std::collections::BTreeSet;
use std::sync::Arc;

use cqrs_core::{
    Commit, Lease, Maintain as _, Opened, ProjectionId, ProjectionState, PutInService,
    ReadModel as _, Setup,
};

use super::Fixture;
use super::support::{
    During, Model, NAME, Worker, all_parked, at, done, done_or_busy, during, id, joined, names,
    open, opened, parked, positions, rows, rows_beside, same, state, states,
};

async fn put<M: Model>(model: &M, version: u32, caught_up: bool) -> PutInService {
    let put = model.put_in_service(NAME, version, caught_up).await;
    done(format!("putting version {version} in service"), put)
}

const KEYS: [&str; 3] = ["both", "old", "new"];

/// Version 1 in service at 10, with 2 slots, and version 2 beside it at another position, with 3.
async fn two_versions<M: Model>(model: &M, position: u64) -> (Worker<M>, Worker<M>) {
    let mut old = opened(model, 1, 2, 0).await;
    let mut new = opened(model, 2, 3, 0).await;
    old.commits(10, &["both", "old"]).await;
    new.commits(position, &["both", "new"]).await;
    (old, new)
}

pub(super) async fn versions_change_places<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let (old, mut new) = two_versions(&model, 10).await;
    let mut transaction = new.begin().await;
    done("parking", new.model.park(&mut transaction, &new.id, &parked("1", 5)).await);
    assert!(new.commit_under(transaction, &new.leases_at(10)).await, "a commit was refused");
    let served = async || {
        let (before, now) = (state(&model, 1).await, state(&model, 2).await);
        [before.has_served, now.has_served]
    };
    same("which have been in service", served().await, [true, false]);
    assert!(!new.share().await.has_served, "a share says that it has been in service");
    same("what came of it", put(&other, 2, true).await, PutInService::Done);
    for handle in [&model, &other] {
        same("what queries see", rows(handle, &KEYS).await, names(["both", "new"]));
        same("what is beside", rows_beside(handle, 1, &KEYS).await, names(["both", "old"]));
        let (before, now) = (state(handle, 1).await, state(handle, 2).await);
        same("which is in service", (before.in_service, now.in_service), (false, true));
        same("the positions of the old version", positions(&before), vec![10, 10]);
        same("the positions of the new version", positions(&now), vec![10, 10, 10]);
        same("what the new version has parked", all_parked(handle, 2).await, vec![parked("1", 5)]);
        same("what the old version has parked", all_parked(handle, 1).await, vec![]);
    }
    same("which have been in service", served().await, [true, true]);
    let mut after = Worker::new(&other, 2);
    let (share, old) = (after.share().await, old.another().share().await);
    assert!(share.in_service, "a share says that it is still beside");
    assert!(!old.in_service, "a share says that it is still in service");
    assert!(share.has_served && old.has_served, "a share says that it has not been in service");
    new.leave().await;
    after.share_until(2).await;
    after.commits(20, &["later"]).await;
    same("what queries see", rows(&model, &["later"]).await, names(["later"]));
    same("what is beside", rows_beside(&model, 1, &["later"]).await, names([]));
}

pub(super) async fn who_is_behind_is_not_put_in_service<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let (mut old, mut new) = two_versions(&model, 10).await;
    // The furthest of what queries have seen, and the nearest of what is to take its place.
    let ahead = [Lease { position: at(12), ..old.lease(1) }];
    assert!(old.commit(&ahead, &[]).await, "a commit was refused");
    let most = [0, 2].map(|slot| Lease { position: at(15), ..new.lease(slot) });
    assert!(new.commit(&most, &[]).await, "a commit was refused");
    same("what came of it", put(&model, 2, true).await, PutInService::Behind(at(10), at(12)));
    same("what queries see", rows(&model, &KEYS).await, names(["both", "old"]));
    // Nobody has lost anything.
    for worker in [&mut old, &mut new] {
        for lease in &mut worker.leases {
            lease.commits = 1;
        }
        let leases = worker.leases.clone();
        same("the leases of who was left alone", worker.share().await.leases.len(), leases.len());
        let tokens: BTreeSet<i64> = worker.leases.iter().map(|lease| lease.token).collect();
        let before: BTreeSet<i64> = leases.iter().map(|lease| lease.token).collect();
        same("their tokens", tokens, before);
    }
    new.commits(12, &[]).await;
    same("what came of it", put(&model, 2, true).await, PutInService::Done);
}

pub(super) async fn a_version_is_put_back_wherever_it_stands<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let (_, new) = two_versions(&model, 10).await;
    same("what came of it", put(&model, 2, true).await, PutInService::Done);
    let mut served = Worker { model: model.clone(), ..new };
    served.leases.clear();
    served.share().await;
    served.commits(50, &["later"]).await;
    same(
        "what came of it, with less",
        put(&other, 1, true).await,
        PutInService::Behind(at(10), at(50)),
    );
    same("what came of it", put(&other, 1, false).await, PutInService::Done);
    let keys = ["both", "old", "new", "later"];
    same("what queries see", rows(&model, &keys).await, names(["both", "old"]));
    same("what is beside", rows_beside(&model, 2, &keys).await, names(["both", "new", "later"]));
    same("the positions", positions(&state(&model, 1).await), vec![10, 10]);
    same("the positions beside", positions(&state(&model, 2).await), vec![50; 3]);
    // The program of the newer version may go on building it.
    same("what came of opening the newer", open(&model, 2, 1).await, Opened::Beside);
    let mut again = opened(&other, 1, 1, 0).await;
    served.is_refused("it was put out of service", &served.leases_at(60)).await;
    again.share_until(1).await;
    again.commits(20, &["again"]).await;
    same("what queries see", rows(&model, &["again"]).await, names(["again"]));
    same("what came of it again", put(&other, 2, true).await, PutInService::Done);
    let seen = rows(&model, &["again", "later"]).await;
    same("what queries see", seen, names(["later"]));
}

pub(super) async fn only_what_is_beside_is_put_in_service<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    same("putting nothing in service", put(&model, 1, false).await, PutInService::Missing);
    let mut worker = opened(&model, 1, 2, 10).await;
    let ahead = [Lease { position: at(12), ..worker.lease(1) }];
    assert!(worker.commit(&ahead, &["a"]).await, "a commit was refused");
    for caught_up in [true, false] {
        same("putting it in service again", put(&model, 1, caught_up).await, PutInService::Missing);
        same("what is not there", put(&model, 2, caught_up).await, PutInService::Missing);
    }
    worker.commits(20, &["b"]).await;
    same("what queries see", rows(&model, &["a", "b"]).await, names(["a", "b"]));
}

pub(super) async fn g7_leases_of_both_are_void_after_an_exchange<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let (old, new) = two_versions(&model, 10).await;
    same("what came of it", put(&model, 2, true).await, PutInService::Done);
    for worker in [&old, &new] {
        for slot in worker.slots() {
            let lease = worker.lease(slot);
            let commit = worker.base.prolong(&worker.id, &[lease], worker.time).await;
            same("whether a lease is prolonged", done("prolonging", commit), false);
        }
        // With a transaction as it would begin one now, if it may.
        if let Ok(transaction) = worker.model.begin().await {
            let refused = worker.commit_under(transaction, &worker.leases_at(20)).await;
            same("whether a commit under leases from before is accepted", refused, false);
        }
        let mut worker = worker.clone();
        let old = worker.leases.clone();
        for (lease, old) in worker.share().await.leases.iter().zip(old) {
            assert!(lease.token > old.token, "{lease:?} is not newer than {old:?}");
            same("the position", lease.position, at(10));
        }
    }
}

pub(super) async fn g7_what_is_open_in_service_lands_there_or_nowhere<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let (old, _) = two_versions(&model, 10).await;
    let is_committed = exchange_during(&old, other).await;
    same("the rows of the new version", rows(&model, &["late"]).await, names([]));
    let late = rows_beside(&model, 1, &["late"]).await;
    same("the rows of the old version", late.len(), usize::from(is_committed));
    let position = if is_committed { 20 } else { 10 };
    same("its positions", positions(&state(&model, 1).await), vec![position; 2]);
}

pub(super) async fn g7_what_is_open_beside_lands_there_or_nowhere<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let (_, new) = two_versions(&model, 10).await;
    let is_committed = exchange_during(&new, other).await;
    same("the rows of the old version", rows_beside(&model, 1, &["late"]).await, names([]));
    let late = rows(&model, &["late"]).await;
    same("the rows of the new version", late.len(), usize::from(is_committed));
    let position = if is_committed { 20 } else { 10 };
    same("its positions", positions(&state(&model, 2).await), vec![position; 3]);
}

/// Puts version 2 in service while a transaction is open; whether that could be committed.
async fn exchange_during<M: Model>(worker: &Worker<M>, other: M) -> bool {
    let transaction = worker.with_rows(&["late"]).await;
    let put_in_service = async move || other.put_in_service(NAME, 2, false).await;
    let again = put_in_service.clone();
    let meanwhile = during(async move { put_in_service().await }).await;
    let leases = worker.leases_at(20);
    let commit = Commit { leases: &leases, events: 1, time: worker.time };
    let committed = worker.model.commit(transaction, &worker.id, &commit).await;
    let is_committed = done_or_busy("a commit", committed).unwrap_or(false);
    let outcome = match meanwhile {
        During::Done(outcome) => {
            assert!(
                !is_committed || outcome.is_err(),
                "a transaction was committed under leases that an exchange has made void"
            );
            outcome
        }
        During::Waits(meanwhile) => joined(meanwhile.await),
    };
    // One of both may have been given up in favour of the other.
    if done_or_busy("putting in service", outcome) != Some(PutInService::Done) {
        same("what came of it", done("putting in service", again().await), PutInService::Done);
    }
    is_committed
}

pub(super) async fn what_is_beside_is_removed<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let (mut old, new) = two_versions(&model, 5).await;
    let remove = async |version| done("removing", other.remove(NAME, version).await);
    same("removing what is in service", remove(1).await, false);
    same("removing what is not there", remove(3).await, false);
    same("removing what is beside", remove(2).await, true);
    same("removing it again", remove(2).await, false);
    same("how many versions there are", states(&model).await.len(), 1);
    assert!(model.beside(&id(2)).await.is_err(), "a version that was removed is had beside");
    same("what queries see", rows(&model, &KEYS).await, names(["both", "old"]));
    old.commits(20, &[]).await;
    let leases = new.leases.clone();
    same("a share of it", new.clone().try_share().await, None);
    let prolonged = model.prolong(&new.id, &leases, new.time).await;
    same("whether its leases are prolonged", done("prolonging", prolonged), false);
    // Made anew, it begins with nothing.
    let anew = opened(&model, 2, 3, 0).await;
    same("the positions", positions(&state(&model, 2).await), vec![0; 3]);
    same("the rows", rows_beside(&other, 2, &KEYS).await, names([]));
    same("what is parked", anew.clone().share().await.parked, vec![]);
}

/// One who was away while its version was removed and made anew.
pub(super) async fn g7_leases_of_what_was_removed_are_void_for_ever<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let (_, new) = two_versions(&model, 5).await;
    assert!(done("removing", model.remove(NAME, 2).await), "it is not there");
    let anew = opened(&model, 2, 3, 0).await;
    for lease in &new.leases {
        let same =
            anew.leases.iter().any(|other| other.slot == lease.slot && other.token == lease.token);
        assert!(
            !same,
            "{lease:?} was given before version 2 was removed, and again after it was made anew: whoever slept \
             meanwhile would commit under it"
        );
    }
    let mut stale = Worker { model: anew.model.clone(), ..new };
    for lease in &mut stale.leases {
        lease.commits = 0;
    }
    stale.is_refused("its version was removed and made anew", &stale.leases_at(99)).await;
}

pub(super) async fn a_version_formerly_in_service_is_removed<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let (old, _) = two_versions(&model, 10).await;
    same("what came of it", put(&model, 2, true).await, PutInService::Done);
    assert!(done("removing", model.remove(NAME, 1).await), "it is not there");
    same("a share of it", old.clone().try_share().await, None);
    same("what queries see", rows(&model, &KEYS).await, names(["both", "new"]));
    same("what came of opening a newer", open(&model, 3, 1).await, Opened::Beside);
    same("its rows", rows_beside(&model, 3, &KEYS).await, names([]));
}

pub(super) async fn projections_are_listed_by_name_and_version<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let setup = Setup { tables: "", slots: 1, replays_to: at(0), beside: false };
    for name in ["zebra", "aardvark"] {
        let events = "one two".to_owned();
        let named = ProjectionId { name, version: 7, events };
        done("opening", model.open(&named, &setup).await);
    }
    for version in [2, 10] {
        opened(&model, version, 1, u64::from(version)).await;
    }
    let listed = |states: Vec<ProjectionState>| -> Vec<(String, u32)> {
        states.into_iter().map(|state| (state.name, state.version)).collect()
    };
    let own = [(NAME.to_owned(), 2), (NAME.to_owned(), 10)];
    let all = [&[("aardvark".to_owned(), 7)], &own[..], &[("zebra".to_owned(), 7)]].concat();
    same("all that is listed", listed(states(&other).await), all);
    let named = async |name| done("listing", other.projections(Some(name)).await);
    same("what has one name", listed(named(NAME).await), own.to_vec());
    same("what nobody has made", named("suite").await, vec![]);
    let zebra = named("zebra").await.remove(0);
    same("event types", zebra.events, "one two".to_owned());
    // Both have versions in service, each of its own.
    let in_service: Vec<bool> = states(&other).await.iter().map(|state| state.in_service).collect();
    same("which are in service", in_service, vec![true, true, false, true]);
}

//! Adopting a version for more events than it was made from: where none was missed, and by nobody else.

use std::sync::Arc;
use std::task::Poll;

use cqrs_core::{Lease, Maintain as _, Opened, ProjectionId, ReadModel as _, Setup};

use super::Fixture;
use super::support::{
    During, Model, NAME, Worker, at, at_once, done, done_or_busy, during, id, joined, names,
    opened, parked, positions, rows, rows_beside, same, state, states, tables, taken,
};

/// What the versions of the suite are made from, and what a newer program wants.
const FEWER: &str = "suite.happened";
const MORE: &str = "suite.happened suite.occurred";

/// A version as a newer program wants it.
fn wider(version: u32) -> ProjectionId {
    ProjectionId { events: MORE.to_owned(), ..id(version) }
}

async fn adopt<M: Model>(model: &M, version: u32, through: u64) -> bool {
    let adopted = model.adopt(&wider(version), FEWER, at(through)).await;
    done(format!("adopting version {version}"), adopted)
}

async fn open<M: Model>(model: &M, projection: &ProjectionId) -> Opened {
    let tables = tables(model);
    let setup = Setup { tables: &tables, slots: 1, replays_to: at(0), beside: true };
    done(format!("opening {projection}"), model.open(projection, &setup).await)
}

/// One of those who share a version in service, of a newer program.
fn newer<M: Model>(model: &M) -> Worker<M> {
    Worker { id: wider(1), ..Worker::new(model, 1) }
}

pub(super) async fn a_version_goes_on_with_more_events<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let mut old = opened(&model, 1, 2, 0).await;
    old.commits(10, &["a"]).await;
    let mut transaction = old.begin().await;
    done("parking", model.park(&mut transaction, &old.id, &parked("1", 5)).await);
    assert!(old.commit_under(transaction, &old.leases_at(20)).await, "a commit was refused");
    let before = state(&model, 1).await;
    // Where a checkpoint is, everything was seen.
    assert!(adopt(&other, 1, 20).await, "it is not adopted, though no event was missed");
    let after = state(&model, 1).await;
    same("the events after an adoption", &*after.events, MORE);
    same("the positions after an adoption", positions(&after), vec![20, 20]);
    same("how many events were taken", taken(&after), taken(&before));
    same("how many streams are parked", after.parked, 1);
    same("where the log ended when it was made", after.replays_to, before.replays_to);
    same("the members after an adoption", after.members, vec![]);
    for slot in after.slots {
        same("who has a slot after an adoption", slot.owner, None);
    }
    same("the rows after an adoption", rows(&other, &["a"]).await, names(["a"]));
    for handle in [&model, &other] {
        same("what came of opening it", open(handle, &wider(1)).await, Opened::InService);
    }
    let mut new = newer(&other);
    same("the parked streams of a share", new.share().await.parked.len(), 1);
    same("the slots of who wants more events", new.slots(), vec![0, 1]);
    for lease in &new.leases {
        same("where it goes on", lease.position, at(20));
    }
    new.commits(30, &["b"]).await;
    same("the rows", rows(&model, &["a", "b"]).await, names(["a", "b"]));
}

pub(super) async fn a_version_beside_goes_on_with_more_events<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let mut served = opened(&model, 1, 1, 40).await;
    let mut built = opened(&model, 2, 2, 0).await;
    built.commits(10, &["a"]).await;
    // The one in service is further, and not asked.
    assert!(adopt(&other, 2, 10).await, "it is not adopted, though no event was missed");
    same("what came of opening it", open(&other, &wider(2)).await, Opened::Beside);
    let after = state(&model, 2).await;
    same("the events beside", &*after.events, MORE);
    same("the positions beside", positions(&after), vec![10, 10]);
    same("the rows beside", rows_beside(&model, 2, &["a"]).await, names(["a"]));
    built.is_refused("it was adopted for more events", &built.leases_at(20)).await;
    let mut new = Worker { id: wider(2), ..built.another() };
    new.share().await;
    new.commits(20, &["b"]).await;
    same("the rows beside", rows_beside(&model, 2, &["a", "b"]).await, names(["a", "b"]));
    same("the events in service", &*state(&model, 1).await.events, FEWER);
    served.commits(50, &[]).await;
}

pub(super) async fn g10_what_may_have_missed_events_is_not_adopted<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let mut worker = opened(&model, 1, 3, 10).await;
    let ahead = [Lease { position: at(30), ..worker.lease(1) }];
    assert!(worker.commit(&ahead, &["a"]).await, "a commit was refused");
    for through in [0, 10, 29] {
        assert!(
            !adopt(&other, 1, through).await,
            "it was adopted, though one of its checkpoints is at 30, and what is behind {through} is unknown"
        );
    }
    let after = state(&model, 1).await;
    same("the events", &*after.events, FEWER);
    same("the positions", positions(&after), vec![10, 30, 10]);
    same("how many members there are", after.members.len(), 1);
    worker.share().await;
    worker.commits(40, &["b"]).await;
    assert!(!adopt(&other, 1, 30).await, "it was adopted, though it has come further");
    assert!(adopt(&other, 1, 40).await, "it is not adopted, though no event was missed");
}

pub(super) async fn only_what_is_as_it_was_is_adopted<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let mut worker = opened(&model, 1, 1, 10).await;
    for before in ["suite.other", "", "suite", MORE] {
        let adopted = done("adopting", other.adopt(&wider(1), before, at(99)).await);
        assert!(!adopted, "made from `{FEWER}`, it was adopted as if made from `{before}`");
    }
    assert!(!adopt(&other, 2, 99).await, "a version that is not there was adopted");
    same("how many versions there are", states(&model).await.len(), 1);
    same("the events", &*state(&model, 1).await.events, FEWER);
    worker.commits(20, &["a"]).await;
}

pub(super) async fn g7_who_wants_fewer_events_is_shut_out<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let mut old = opened(&model, 1, 2, 10).await;
    let mut late = old.another();
    assert!(adopt(&other, 1, 10).await, "it is not adopted, though no event was missed");
    let leases = old.leases_at(99);
    old.is_refused("it was adopted for more events", &leases).await;
    for worker in [&mut old, &mut late] {
        worker.leases.clone_from(&leases);
        same("the share of who wants fewer events", worker.try_share().await, None);
    }
    same("the members", state(&model, 1).await.members, vec![]);
    let mut new = newer(&other);
    new.share_until(2).await;
    // Tells that it is not there any more, and changes nothing else.
    old.leases.clone_from(&leases);
    old.leave().await;
    old.is_refused("it was adopted for more events", &leases).await;
    same("the share of who wants fewer events", late.try_share().await, None);
    let after = state(&model, 1).await;
    same("the positions", positions(&after), vec![10, 10]);
    for slot in after.slots {
        same("who has a slot", slot.owner, Some(new.member));
    }
    new.commits(20, &["a"]).await;
    same(
        "what came of opening it for fewer events",
        open(&model, &id(1)).await,
        Opened::Changed { version: 1, events: MORE.to_owned() },
    );
}

/// A batch that is on its way for fewer events, and passes one that is not among them, is seen or refused.
pub(super) async fn g10_what_is_open_is_seen_by_an_adoption_or_refused<F: Fixture>(
    fixture: Arc<F>,
) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let old = opened(&model, 1, 1, 10).await;
    let transaction = old.with_rows(&["late"]).await;
    let adopting = {
        let other = other.clone();
        during(async move { adopt(&other, 1, 10).await }).await
    };
    let (is_adopted, is_committed) = match adopting {
        During::Done(is_adopted) => {
            (is_adopted, old.commit_under(transaction, &old.leases_at(20)).await)
        }
        During::Waits(adopting) => {
            let is_committed = old.commit_under(transaction, &old.leases_at(20)).await;
            (joined(adopting.await), is_committed)
        }
    };
    assert!(
        is_adopted != is_committed,
        "adopted up to 10: {is_adopted}; a commit up to 20 for fewer events: {is_committed}"
    );
    let (events, position) = if is_adopted { (MORE, 10) } else { (FEWER, 20) };
    let after = state(&model, 1).await;
    same(
        "the events and the position",
        (&*after.events, positions(&after)),
        (events, vec![position]),
    );
    let there = if is_committed { names(["late"]) } else { names([]) };
    same("the rows", rows(&other, &["late"]).await, there);
}

pub(super) async fn one_of_many_adopts<F: Fixture>(fixture: Arc<F>) {
    const MANY: usize = 8;
    let handles = [fixture.open().await, fixture.open().await];
    opened(&handles[0], 1, 4, 10).await;
    let adopting = (0..MANY).map(|number| {
        let model = handles[number % 2].clone();
        async move { done_or_busy("adopting", model.adopt(&wider(1), FEWER, at(10)).await) }
    });
    let adopted = at_once(adopting).await;
    let adopted = adopted.into_iter().filter(|adopted| *adopted == Some(true));
    same("how many have adopted it", adopted.count(), 1);
    let mut both = handles.map(|model| newer(&model));
    for worker in &mut both {
        same("what came of opening it", open(&worker.base, &worker.id).await, Opened::InService);
    }
    for _ in 0..2 {
        for worker in &mut both {
            worker.share().await;
        }
    }
    let [mut first, mut second] = both;
    same("their shares", (first.slots().len(), second.slots().len()), (2, 2));
    first.commits(20, &["a"]).await;
    second.commits(30, &["b"]).await;
}

pub(super) async fn an_adoption_leaves_a_rescale_under_way<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let mut old = opened(&model, 1, 2, 10).await;
    let ahead = [Lease { position: at(30), ..old.lease(1) }];
    assert!(old.commit(&ahead, &["a"]).await, "a commit was refused");
    assert!(done("rescaling", model.rescale(NAME, 1, 3).await), "version 1 is not there");
    old.share().await;
    assert!(adopt(&other, 1, 30).await, "it is not adopted, though no event was missed");
    same("what is under way", state(&model, 1).await.rescaling, Some(3));
    let mut new = newer(&other);
    same("the barrier", new.share().await.barrier, Some(at(30)));
    new.commits(30, &["b"]).await;
    same("how many slots there are", new.share().await.slots, 3);
    same("the positions", positions(&state(&model, 1).await), vec![30; 3]);
    new.commits(40, &["c"]).await;
}

pub(super) async fn g14_a_dropped_adoption_is_whole_or_nothing<F: Fixture>(fixture: Arc<F>) {
    const ROUNDS: u64 = 40;
    let (model, other) = (fixture.open().await, fixture.open().await);
    let mut old = opened(&model, 1, 2, 10).await;
    for round in 1..=ROUNDS {
        let before = old.id.clone();
        let wider = ProjectionId { events: format!("{} z{round:02}", before.events), ..id(1) };
        {
            let mut adopting = std::pin::pin!(other.adopt(&wider, &before.events, at(99)));
            let mut polls = 0;
            // Dropped after a few polls, with some time between.
            let cut = std::future::poll_fn(|context| {
                polls += 1;
                match adopting.as_mut().poll(context) {
                    Poll::Ready(adopted) => Poll::Ready(Some(adopted)),
                    Poll::Pending if polls > round / 4 => Poll::Ready(None),
                    Poll::Pending => Poll::Pending,
                }
            });
            if let Some(adopted) = cut.await {
                assert!(done("adopting", adopted), "it is not adopted, though no event was missed");
            }
        }
        let why = "it was adopted for more events";
        let leases = old.leases_at(20);
        // Whoever is told that it is not there for the fewer events any more can't commit for them either.
        if old.try_share().await.is_none() {
            old.is_refused(why, &leases).await;
        }
        // What was dropped may still be on its way; but it is done only once.
        done("adopting", other.adopt(&wider, &before.events, at(99)).await);
        same("the events", &*state(&model, 1).await.events, &*wider.events);
        old.is_refused(why, &leases).await;
        old = Worker { id: wider, ..old.another() };
        old.share().await;
        old.commits(10, &[]).await;
    }
    same("the positions", positions(&state(&model, 1).await), vec![10, 10]);
}

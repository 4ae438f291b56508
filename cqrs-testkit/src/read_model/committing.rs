//! Commits: rows and checkpoints together, or neither (G7).

use std::sync::Arc;
use std::task::Poll;

use cqrs_core::{Commit, Lease, ReadModel as _, Rows};
use tokio::time::Instant;

use super::Fixture;
use super::support::{
    During, LONG, Model, PATIENCE, SHORT, Worker, all_parked, at, at_once, done, done_or_busy,
    during, id, joined, names, opened, parked, positions, rows, same, state, taken,
};
use super::views::Sample;

pub(super) async fn g7_rows_and_checkpoint_are_committed_together<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let mut worker = opened(&model, 1, 2, 0).await;
    let transaction = worker.with_rows(&["a", "b"]).await;
    let leases = worker.leases_at(10);
    let commit = Commit { leases: &leases, events: 3, time: LONG };
    let committed = model.commit(transaction, &worker.id, &commit).await;
    assert!(done("a commit", committed), "a commit under leases in force was refused");
    same("the rows", rows(&other, &["a", "b", "c"]).await, names(["a", "b"]));
    let stored = state(&other, 1).await;
    same("the positions", positions(&stored), vec![10, 10]);
    same("how many events were taken in one commit for two slots", taken(&stored), 3);
    let share = worker.share().await;
    // Those who know of fewer commits than are stored go on; the worker does not count what it did not get to know.
    let commits: Vec<i64> = share.leases.iter().map(|lease| lease.commits).collect();
    same("the commits of the leases", commits, vec![1, 1]);
    worker.commits(20, &["c"]).await;
    same("how many events were taken", taken(&state(&other, 1).await), 4);
}

pub(super) async fn g7_what_is_not_committed_is_rolled_back<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let mut worker = opened(&model, 1, 1, 0).await;
    for _ in 0..20 {
        let mut transaction = worker.with_rows(&["a"]).await;
        let noted = model.park(&mut transaction, &worker.id, &parked("1", 5)).await;
        done("parking", noted);
        drop(transaction);
    }
    same("the rows", rows(&other, &["a"]).await, names([]));
    same("what is parked", all_parked(&other, 1).await, vec![]);
    same("the position", positions(&state(&other, 1).await), vec![0]);
    worker.commits(10, &["b"]).await;
    same("the rows after the next commit", rows(&other, &["a", "b"]).await, names(["b"]));
}

pub(super) async fn what_is_not_committed_is_not_seen<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let worker = opened(&model, 1, 1, 0).await;
    let mut transaction = worker.with_rows(&["a"]).await;
    let own: Vec<Sample> = {
        let loaded = model.load(&mut transaction, &["a".to_owned(), "b".to_owned()]).await;
        done("loading rows", loaded)
    };
    same("what a transaction sees of itself", own, vec![Sample::new("a")]);
    let reading = {
        let other = other.clone();
        during(async move { rows(&other, &["a"]).await }).await
    };
    if let During::Done(seen) = &reading {
        same("what others see of an open transaction", seen, &names([]));
    }
    assert!(worker.commit_under(transaction, &worker.leases_at(10)).await, "a commit was refused");
    if let During::Waits(reading) = reading {
        // In a database where readers wait for writers.
        joined(reading.await);
    }
    same("the rows after the commit", rows(&other, &["a"]).await, names(["a"]));
}

pub(super) async fn a_commit_moves_the_slots_of_its_leases<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let worker = opened(&model, 1, 4, 0).await;
    let moved = |slot: u32, position| Lease { position: at(position), ..worker.lease(slot) };
    assert!(worker.commit(&[moved(1, 10), moved(3, 20)], &["a"]).await, "a commit was refused");
    same("the positions", positions(&state(&model, 1).await), vec![0, 10, 0, 20]);
    assert!(worker.commit(&[moved(0, 5)], &["b"]).await, "a commit was refused");
    same("the positions", positions(&state(&model, 1).await), vec![5, 10, 0, 20]);
}

pub(super) async fn a_commit_never_moves_back<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let mut worker = opened(&model, 1, 1, 10).await;
    // Parked events are taken after the checkpoint has passed them.
    worker.commits(4, &["a"]).await;
    same("the position", positions(&state(&model, 1).await), vec![10]);
    same("the rows", rows(&model, &["a"]).await, names(["a"]));
}

pub(super) async fn g7_one_lease_that_is_gone_refuses_all<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let mut first = opened(&model, 1, 3, 10).await;
    let before = first.clone();
    let mut second = Worker::new(&other, 1);
    second.share().await;
    first.share().await;
    second.share().await;
    let gone = second.slots()[0];
    let kept = first.lease(first.slots()[0]);
    let both = [before.lease(gone), kept].map(|lease| Lease { position: at(99), ..lease });
    first.is_refused("one of them is gone", &both).await;
    let [one, other] = both;
    first.is_refused("one of them is gone", &[other, one]).await;
    let mut transaction = first.with_rows(&["a"]).await;
    let noted = model.park(&mut transaction, &first.id, &parked("1", 5)).await;
    done("parking", noted);
    same("whether it is committed", first.commit_under(transaction, &both).await, false);
    same("what is parked after a refused commit", all_parked(&model, 1).await, vec![]);
    first.commits(20, &["a"]).await;
    second.commits(20, &["b"]).await;
}

/// An owner that stalls in the middle of a transaction until another has taken over.
pub(super) async fn g7_who_stalls_past_its_lease_commits_nothing<F: Fixture>(fixture: Arc<F>) {
    let (model, other) = (fixture.open().await, fixture.open().await);
    let mut first = opened(&model, 1, 1, 10).await;
    let mut second = Worker::new(&other, 1);
    let transaction = first.with_rows(&["late"]).await;
    let stalled = first.leases_at(20);
    // It was about to be prolonged; that it runs out instead is told in place of waiting.
    let mut expiring = first.clone();
    expiring.time = SHORT;
    // Its commit prolongs the lease, if it comes first.
    first.time = SHORT;
    let taking_over = during(async move {
        let prolonged = expiring.base.prolong(&expiring.id, &expiring.leases, SHORT).await;
        done("prolonging leases", prolonged);
        expiring.leases.clear();
        expiring.leave().await;
        second.share_until(1).await;
        second
    });
    let (mut second, is_committed) = match taking_over.await {
        During::Done(second) => {
            let is_committed = first.commit_under(transaction, &stalled).await;
            assert!(
                !is_committed,
                "a commit was accepted under a lease that another has taken over"
            );
            (second, is_committed)
        }
        During::Waits(taking_over) => {
            // Nobody takes over while a transaction is open: it is either before or after.
            let is_committed = first.commit_under(transaction, &stalled).await;
            (joined(taking_over.await), is_committed)
        }
    };
    let (there, position) = if is_committed { (names(["late"]), 20) } else { (names([]), 10) };
    same("the rows of who stalled", rows(&model, &["late"]).await, there);
    same("the position that was taken over", second.lease(0).position, at(position));
    first.leases = stalled;
    first.is_refused("another has taken over", &first.leases_at(30)).await;
    second.commits(30, &["a"]).await;
}

pub(super) async fn g7_nothing_is_committed_of_what_is_not_there<F: Fixture>(fixture: Arc<F>) {
    let model = fixture.open().await;
    let worker = opened(&model, 1, 1, 10).await;
    let mut other = worker.clone();
    other.id = id(2);
    let leases = worker.leases_at(20);
    same("whether a version that is not there commits", other.commit(&leases, &["a"]).await, false);
    same("the rows", rows(&model, &["a"]).await, names([]));
    same("the position of the other version", positions(&state(&model, 1).await), vec![10]);
}

/// The slots of a view whose rows are touched by streams of several slots.
pub(super) async fn g7_slots_that_share_a_row_lose_nothing<F: Fixture>(fixture: Arc<F>) {
    const SLOTS: u32 = 4;
    const COMMITS: u64 = 15;
    let handles = [fixture.open().await, fixture.open().await];
    let all = opened(&handles[0], 1, SLOTS, 0).await;
    let counting = (0..SLOTS).map(|slot| {
        let model = handles[slot as usize % 2].clone();
        let worker = Worker { base: model.clone(), model, ..all.clone() };
        async move { count(worker, slot, COMMITS).await }
    });
    at_once(counting).await;
    let row = Rows::<Sample>::row(&handles[1], &"counted".to_owned()).await;
    let counted = done("reading a row", row).map(|row| row.count);
    same("what the slots have counted in one row", counted, Some(u64::from(SLOTS) * COMMITS));
    same("the positions", positions(&state(&handles[0], 1).await), vec![COMMITS; SLOTS as usize]);
}

/// Adds one to a row in each of so many commits of a slot.
async fn count<M: Model>(worker: Worker<M>, slot: u32, commits: u64) {
    let mut lease = worker.lease(slot);
    let key = "counted".to_owned();
    let add = async |lease: &Lease| {
        let mut transaction = worker.model.begin().await?;
        let found = worker.model.load(&mut transaction, std::slice::from_ref(&key)).await?;
        let count = found.first().map_or(0, |row: &Sample| row.count);
        // Others get between, if they may.
        tokio::task::yield_now().await;
        let row = Sample { count: count + 1, ..Sample::new(key.clone()) };
        if let Err(error) = worker.model.write(&mut transaction, &[row], &[]).await {
            assert!(worker.model.is_outage(&error), "writing a row failed: {error}");
            return Ok(None);
        }
        let commit = Commit { leases: std::slice::from_ref(lease), events: 1, time: LONG };
        worker.model.commit(transaction, &worker.id, &commit).await.map(Some)
    };
    let until = Instant::now() + PATIENCE;
    while lease.position < at(commits) {
        assert!(Instant::now() < until, "slot {slot} does not get on beside others: {lease:?}");
        let moved = Lease { position: at(lease.position.get() + 1), ..lease };
        match done_or_busy("counting", add(&moved).await).flatten() {
            Some(true) => lease = Lease { commits: moved.commits + 1, ..moved },
            Some(false) => panic!("a commit under {moved:?}, which is in force, was refused"),
            // Given up in favour of another: once more.
            None => {}
        }
    }
}

pub(super) async fn g14_a_dropped_commit_is_whole_or_nothing<F: Fixture>(fixture: Arc<F>) {
    const ROUNDS: u64 = 40;
    let (model, other) = (fixture.open().await, fixture.open().await);
    let mut worker = opened(&model, 1, 2, 0).await;
    for round in 1..=ROUNDS {
        let key = format!("row {round}");
        let transaction = worker.with_rows(&[&key]).await;
        let leases = worker.leases_at(round);
        {
            let mut committing = std::pin::pin!(worker.commit_under(transaction, &leases));
            let mut polls = 0;
            // Dropped after a few polls, with some time between.
            let cut = std::future::poll_fn(|context| {
                polls += 1;
                match committing.as_mut().poll(context) {
                    Poll::Ready(is_committed) => Poll::Ready(Some(is_committed)),
                    Poll::Pending if polls > round / 4 => Poll::Ready(None),
                    Poll::Pending => Poll::Pending,
                }
            });
            if let Some(is_committed) = cut.await {
                assert!(is_committed, "a commit under leases in force was refused");
            }
        }
        // What is unknown now: a share that is settled anew, with no leases, tells.
        worker.leases.clear();
        worker.share().await;
        let moved: Vec<bool> =
            worker.leases.iter().map(|lease| lease.position == at(round)).collect();
        let is_there = rows(&other, &[&key]).await.len() == 1;
        assert!(
            moved.iter().all(|moved| *moved == is_there),
            "a commit was dropped, and its row is {}, but its checkpoints are at {:?}",
            if is_there { "there" } else { "not there" },
            worker.leases
        );
    }
    worker.commits(ROUNDS + 1, &["last"]).await;
}

//! What the cases share: workers that take part as those of the framework do, and saying what is wrong.

use std::collections::BTreeSet;
use std::fmt::{Debug, Display};
use std::future::Future;
use std::time::{Duration, SystemTime};

use cqrs_core::{
    Commit, Lease, Maintain, Member, Opened, Parked, Position, ProjectionId, ProjectionState,
    ReadModel, Rows, Setup, Share, StoreError, StreamId, Version,
};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use uuid::Uuid;

use super::views::Sample;

/// The read model of most cases.
pub(super) trait Model: ReadModel + Rows<Sample> {}

impl<M: ReadModel + Rows<Sample>> Model for M {}

/// The projection of most cases.
pub(super) const NAME: &str = "suite_samples";

/// A lease no case outlives.
pub(super) const LONG: Duration = Duration::from_mins(10);

/// A lease that runs out at once.
pub(super) const SHORT: Duration = Duration::from_millis(1);

pub(super) fn id(version: u32) -> ProjectionId {
    ProjectionId { name: NAME, version, events: "suite.happened".to_owned() }
}

pub(super) fn tables<M: Model>(model: &M) -> String {
    Rows::<Sample>::tables(model)
}

pub(super) fn at(position: u64) -> Position {
    Position::new(position)
}

/// What must not fail.
#[track_caller]
pub(super) fn done<T>(what: impl Display, outcome: Result<T, impl Display>) -> T {
    outcome.unwrap_or_else(|error| panic!("{what} failed: {error}"))
}

#[allow(clippy::needless_pass_by_value, reason = "cases compare what they have just made")]
#[track_caller]
pub(super) fn same<T: PartialEq + Debug>(what: impl Display, found: T, right: T) {
    assert!(found == right, "{what} is wrong\n   found: {found:?}\n  should: {right:?}");
}

/// Opens a version, which may be built beside another.
pub(super) async fn open<M: Model>(model: &M, version: u32, slots: u32) -> Opened {
    let tables = tables(model);
    let setup = Setup { tables: &tables, slots, replays_to: Position::START, beside: true };
    done(format!("opening version {version}"), model.open(&id(version), &setup).await)
}

/// A version that is opened, with one who has all its slots; they stand at `position`.
pub(super) async fn opened<M: Model>(
    model: &M,
    version: u32,
    slots: u32,
    position: u64,
) -> Worker<M> {
    let mut worker = match open(model, version, slots).await {
        Opened::InService => Worker::new(model, version),
        Opened::Beside => {
            let beside = model.beside(&id(version)).await;
            let beside = done(format!("getting at the rows of version {version}"), beside);
            Worker { model: beside, ..Worker::new(model, version) }
        }
        Opened::Changed { version: other, events } => {
            panic!("opening version {version} tells of version {other} of `{events}`")
        }
    };
    worker.share().await;
    if position > 0 {
        worker.commits(position, &[]).await;
    }
    worker
}

/// One of those who share the slots of a version.
#[derive(Debug, Clone)]
pub(super) struct Worker<M> {
    /// For everything but transactions.
    pub(super) base: M,
    /// For transactions.
    pub(super) model: M,
    pub(super) id: ProjectionId,
    pub(super) member: Uuid,
    pub(super) label: String,
    pub(super) leases: Vec<Lease>,
    pub(super) time: Duration,
    pub(super) error: Option<String>,
}

impl<M: Model> Worker<M> {
    /// One who has no share yet, of a version in service.
    pub(super) fn new(model: &M, version: u32) -> Self {
        Self {
            base: model.clone(),
            model: model.clone(),
            id: id(version),
            member: Uuid::now_v7(),
            label: "a worker of the suite".to_owned(),
            leases: Vec::new(),
            time: LONG,
            error: None,
        }
    }

    /// Another one of the same version.
    pub(super) fn another(&self) -> Self {
        Self { member: Uuid::now_v7(), leases: Vec::new(), ..self.clone() }
    }

    fn as_member(&self) -> Member<'_> {
        Member {
            id: self.member,
            label: &self.label,
            leases: &self.leases,
            time: self.time,
            error: self.error.as_deref(),
        }
    }

    pub(super) async fn try_share(&mut self) -> Option<Share> {
        let member = self.as_member();
        let share = done("settling a share", self.base.share(&self.id, &member).await)?;
        let mut slots = BTreeSet::new();
        for lease in &share.leases {
            assert!(lease.slot < share.slots, "{lease:?} is of none of {} slots", share.slots);
            assert!(slots.insert(lease.slot), "a share holds slot {} twice", lease.slot);
        }
        self.leases.clone_from(&share.leases);
        Some(share)
    }

    /// Settles its share.
    pub(super) async fn share(&mut self) -> Share {
        let share = self.try_share().await;
        share.unwrap_or_else(|| panic!("there is no share of {}, which was opened", self.id))
    }

    /// Settles its share until it has so many slots.
    pub(super) async fn share_until(&mut self, slots: usize) -> Share {
        let until = Instant::now() + PATIENCE;
        loop {
            let share = self.share().await;
            if share.leases.len() >= slots {
                return share;
            }
            assert!(
                Instant::now() < until,
                "a member who is to have {slots} slots has only {:?}",
                share.leases
            );
            tokio::time::sleep(PAUSE).await;
        }
    }

    pub(super) fn slots(&self) -> Vec<u32> {
        self.leases.iter().map(|lease| lease.slot).collect()
    }

    pub(super) fn lease(&self, slot: u32) -> Lease {
        let lease = self.leases.iter().find(|lease| lease.slot == slot);
        *lease.unwrap_or_else(|| panic!("slot {slot} is missing in the share {:?}", self.leases))
    }

    /// Its leases, moved to a position.
    pub(super) fn leases_at(&self, position: u64) -> Vec<Lease> {
        self.leases.iter().map(|lease| Lease { position: at(position), ..*lease }).collect()
    }

    pub(super) async fn begin(&self) -> M::Transaction {
        done("beginning a transaction", self.model.begin().await)
    }

    /// A transaction with these rows.
    pub(super) async fn with_rows(&self, keys: &[&str]) -> M::Transaction {
        let mut transaction = self.begin().await;
        let rows: Vec<Sample> = keys.iter().map(|key| Sample::new(*key)).collect();
        done("writing rows", self.model.write(&mut transaction, &rows, &[]).await);
        transaction
    }

    /// Commits a transaction under leases; whether that was accepted.
    pub(super) async fn commit_under(&self, transaction: M::Transaction, leases: &[Lease]) -> bool {
        let commit = Commit { leases, events: 1, time: self.time };
        done("a commit", self.model.commit(transaction, &self.id, &commit).await)
    }

    /// Commits rows with these keys under leases; whether that was accepted.
    pub(super) async fn commit(&self, leases: &[Lease], keys: &[&str]) -> bool {
        let transaction = self.with_rows(keys).await;
        self.commit_under(transaction, leases).await
    }

    /// Moves all its leases to a position, with rows; it has to be possible.
    pub(super) async fn commits(&mut self, position: u64, keys: &[&str]) {
        let leases = self.leases_at(position);
        assert!(
            self.commit(&leases, keys).await,
            "a commit of {} under leases in force was refused: {leases:?}",
            self.id
        );
        for lease in &mut self.leases {
            lease.commits += 1;
            lease.position = lease.position.max(at(position));
        }
    }

    /// Checks that nothing is committed under these leases.
    pub(super) async fn is_refused(&self, why: &str, leases: &[Lease]) {
        let before = state(&self.base, self.id.version).await;
        assert!(
            !self.commit(leases, &["refused"]).await,
            "a commit under {leases:?} was accepted, though {why}"
        );
        let prolonged = self.base.prolong(&self.id, leases, LONG).await;
        assert!(
            !done("prolonging leases", prolonged),
            "leases {leases:?} were prolonged, though {why}"
        );
        same(
            format!("what a refused commit left ({why})"),
            rows_of(&self.base, &before, &["refused"]).await,
            names([]),
        );
        same(
            format!("the positions after a refused commit ({why})"),
            positions(&state(&self.base, self.id.version).await),
            positions(&before),
        );
    }

    pub(super) async fn leave(&self) {
        let left = self.base.leave(&self.id, &self.as_member()).await;
        done("giving leases back", left);
    }
}

/// How a version is stored.
pub(super) async fn state(model: &impl Maintain, version: u32) -> ProjectionState {
    let mut listed = states(model).await.into_iter();
    let found = listed.find(|state| state.name == NAME && state.version == version);
    found.unwrap_or_else(|| panic!("version {version} of `{NAME}` is not listed"))
}

pub(super) async fn states(model: &impl Maintain) -> Vec<ProjectionState> {
    done("listing projections", model.projections(None).await)
}

pub(super) fn positions(state: &ProjectionState) -> Vec<u64> {
    state.slots.iter().map(|slot| slot.position.get()).collect()
}

pub(super) fn taken(state: &ProjectionState) -> u64 {
    state.slots.iter().map(|slot| slot.events).sum()
}

pub(super) fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.into_iter().map(ToOwned::to_owned).collect()
}

/// Which rows with these keys queries find.
pub(super) async fn rows<M: Model>(model: &M, keys: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for key in keys {
        let row = Rows::<Sample>::row(model, &(*key).to_owned()).await;
        if let Some(row) = done(format!("reading row {key:?}"), row) {
            same("the key of a row", row.key.as_str(), key);
            found.insert(row.key);
        }
    }
    found
}

/// Which rows with these keys a version that is beside has.
pub(super) async fn rows_beside<M: Model>(
    model: &M,
    version: u32,
    keys: &[&str],
) -> BTreeSet<String> {
    let beside = model.beside(&id(version)).await;
    let beside = done(format!("getting at the rows of version {version}"), beside);
    let mut transaction = done("beginning a transaction", beside.begin().await);
    let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    let rows = Rows::<Sample>::load(&beside, &mut transaction, &keys).await;
    done("loading rows", rows).into_iter().map(|row| row.key).collect()
}

async fn rows_of<M: Model>(model: &M, state: &ProjectionState, keys: &[&str]) -> BTreeSet<String> {
    if state.in_service {
        return rows(model, keys).await;
    }
    rows_beside(model, state.version, keys).await
}

pub(super) fn stream(key: &str) -> StreamId {
    done("naming a stream", StreamId::new("account", key))
}

/// A stream as it is parked.
pub(super) fn parked(key: &str, position: u64) -> Parked {
    Parked {
        stream: stream(key),
        version: Version::new(3),
        position: at(position),
        event_type: "suite.happened".to_owned(),
        attempts: 5,
        error: format!("`{key}` does not pass"),
        since: SystemTime::UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_001),
        request: None,
    }
}

/// What parked streams a version has.
pub(super) async fn all_parked(model: &impl Maintain, version: u32) -> Vec<Parked> {
    done("listing parked streams", model.parked(NAME, version).await)
}

/// How long to wait for what must happen.
pub(super) const PATIENCE: Duration = Duration::from_mins(5);
const PAUSE: Duration = Duration::from_millis(5);

/// Waits until `check` holds.
pub(super) async fn until(what: &str, check: impl AsyncFn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !check().await {
        assert!(Instant::now() < until, "{what}: that never comes true");
        tokio::time::sleep(PAUSE).await;
    }
}

/// What something did while a transaction was open.
pub(super) enum During<T> {
    /// It was done meanwhile.
    Done(T),
    /// It waits for the end of the transaction, as all writes do in some databases.
    Waits(JoinHandle<T>),
}

/// Runs something while a transaction is open.
pub(super) async fn during<T: Send + 'static>(
    something: impl Future<Output = T> + Send + 'static,
) -> During<T> {
    const MOMENT: Duration = Duration::from_millis(500);
    let mut running = tokio::spawn(something);
    match tokio::time::timeout(MOMENT, &mut running).await {
        Ok(done) => During::Done(joined(done)),
        Err(_) => During::Waits(running),
    }
}

/// What a task returned; its panic is the case's.
pub(super) fn joined<T>(ended: Result<T, tokio::task::JoinError>) -> T {
    ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// Runs `tasks` side by side and returns what they return.
pub(super) async fn at_once<T: Send + 'static>(
    tasks: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let mut running: JoinSet<T> = tasks.into_iter().collect();
    let mut outcomes = Vec::new();
    while let Some(ended) = running.join_next().await {
        outcomes.push(joined(ended));
    }
    outcomes
}

/// Whether something was done; an error that may pass counts as a no.
pub(super) fn done_or_busy<T>(what: &str, outcome: Result<T, StoreError>) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(error) if error.may_retry() => None,
        Err(error) => panic!("{what} failed: {error}"),
    }
}

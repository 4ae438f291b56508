//! A store that fails when it is told to.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use cqrs_core::{
    Append, AppendError, Appended, Conflict, EventId, EventStore, Head, LogFilter, LogPage, News,
    Position, RecordedEvent, Snapshot, SnapshotStore, Store, StoreError, StoreErrorKind, StreamId,
    Version,
};

/// Stands before a store and makes it fail as told; otherwise it does what the store does.
///
/// Put it into an `Arc` to keep a handle on it. Faults are met in the order in which they were asked for, each by one
/// call.
///
/// ```
/// # use std::sync::Arc;
/// # use cqrs_core::{Append, EventId, EventStore, ExpectedVersion, MemoryStore, Metadata, NewEvent, Payload, StreamId};
/// use cqrs_testkit::FaultyStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let id = EventId::random();
/// # let metadata = Arc::new(Metadata::of(id.as_uuid()));
/// # let event = NewEvent::from_parts(id, "account.opened", 1, Payload::of("")?, metadata)?;
/// # let append = Append::new(StreamId::new("account", "1")?, ExpectedVersion::NoStream, vec![event])?;
/// let store = Arc::new(FaultyStore::new(MemoryStore::new()));
/// store.conflict_next_appends(1);
/// store.lose_outcome_of_next_append();
///
/// assert!(store.append(&append).await.is_err()); // a conflict
/// assert!(store.append(&append).await.is_err()); // stored, but the caller does not get to know
/// assert!(store.append(&append).await?.replayed);
/// assert_eq!(store.appends(), 3);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FaultyStore<S> {
    inner: S,
    plan: Mutex<Plan>,
}

/// What is to happen, and what has been asked so far.
#[derive(Debug, Default)]
struct Plan {
    appends: Calls<Fault>,
    reads: Calls<StoreErrorKind>,
    saves: Calls<StoreErrorKind>,
}

#[derive(Debug)]
struct Calls<F> {
    made: usize,
    faults: VecDeque<F>,
}

#[derive(Debug)]
enum Fault {
    Conflict,
    Before(StoreErrorKind),
    AfterStoring,
}

impl<S: Store> FaultyStore<S> {
    /// A store that does what `inner` does, until it is told to fail.
    pub fn new(inner: S) -> Self {
        Self { inner, plan: Mutex::default() }
    }

    /// Lets the next appends meet a conflict, as if each time another writer had appended one event just before.
    pub fn conflict_next_appends(&self, count: usize) {
        self.plan().appends.fail(count, || Fault::Conflict);
    }

    /// Lets the next appends fail before they store anything, with an error of this kind.
    pub fn fail_next_appends(&self, count: usize, kind: StoreErrorKind) {
        self.plan().appends.fail(count, || Fault::Before(kind));
    }

    /// Lets the next append store its events and then fail with
    /// [`OutcomeUnknown`](StoreErrorKind::OutcomeUnknown), as if the connection had broken around the commit (G4).
    ///
    /// An append that the store refuses fails as the store says.
    pub fn lose_outcome_of_next_append(&self) {
        self.plan().appends.fail(1, || Fault::AfterStoring);
    }

    /// Lets the next reads fail with an error of this kind, whatever they read: a stream, the log or its head, one
    /// event, or a stream from its snapshot.
    pub fn fail_next_reads(&self, count: usize, kind: StoreErrorKind) {
        self.plan().reads.fail(count, || kind);
    }

    /// Lets the next snapshots not be saved, with an error of this kind.
    pub fn fail_next_snapshots(&self, count: usize, kind: StoreErrorKind) {
        self.plan().saves.fail(count, || kind);
    }

    /// How many appends were tried, failed ones among them.
    pub fn appends(&self) -> usize {
        self.plan().appends.made
    }

    /// How many reads were tried, failed ones among them.
    pub fn reads(&self) -> usize {
        self.plan().reads.made
    }

    /// How many snapshots were to be saved, failed ones among them.
    pub fn snapshots(&self) -> usize {
        self.plan().saves.made
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin_read(&self) -> Result<(), StoreError> {
        self.plan().reads.call().map_or(Ok(()), |kind| Err(injected(kind)))
    }
}

#[async_trait]
impl<S: Store> EventStore for FaultyStore<S> {
    async fn append(&self, append: &Append) -> Result<Appended, AppendError> {
        let fault = self.plan().appends.call();
        match fault {
            None => self.inner.append(append).await,
            Some(Fault::Conflict) => {
                let (stream, expected) = (append.stream().clone(), append.expected());
                let actual = expected.exact().unwrap_or(Version::NONE).plus(1);
                Err(Conflict { stream, expected, actual }.into())
            }
            Some(Fault::Before(kind)) => Err(injected(kind).into()),
            Some(Fault::AfterStoring) => {
                self.inner.append(append).await?;
                Err(injected(StoreErrorKind::OutcomeUnknown).into())
            }
        }
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        self.begin_read()?;
        self.inner.read_stream(stream, after, limit).await
    }

    async fn read_log(
        &self,
        filter: &LogFilter,
        after: Position,
        limit: usize,
    ) -> Result<LogPage, StoreError> {
        self.begin_read()?;
        self.inner.read_log(filter, after, limit).await
    }

    async fn head(&self) -> Result<Head, StoreError> {
        self.begin_read()?;
        self.inner.head().await
    }

    async fn find(&self, id: EventId) -> Result<Option<RecordedEvent>, StoreError> {
        self.begin_read()?;
        self.inner.find(id).await
    }

    fn news(&self) -> News {
        self.inner.news()
    }
}

#[async_trait]
impl<S: Store> SnapshotStore for FaultyStore<S> {
    async fn read_from_snapshot(
        &self,
        stream: &StreamId,
        fingerprint: u64,
        limit: usize,
    ) -> Result<(Option<Snapshot>, Vec<RecordedEvent>), StoreError> {
        self.begin_read()?;
        self.inner.read_from_snapshot(stream, fingerprint, limit).await
    }

    async fn save_snapshot(&self, stream: &StreamId, snapshot: Snapshot) -> Result<(), StoreError> {
        let fault = self.plan().saves.call();
        match fault {
            None => self.inner.save_snapshot(stream, snapshot).await,
            Some(kind) => Err(injected(kind)),
        }
    }
}

impl<F> Calls<F> {
    fn fail(&mut self, count: usize, fault: impl FnMut() -> F) {
        self.faults.extend(std::iter::repeat_with(fault).take(count));
    }

    /// Counts a call; the fault it meets, if any.
    fn call(&mut self) -> Option<F> {
        self.made += 1;
        self.faults.pop_front()
    }
}

impl<F> Default for Calls<F> {
    fn default() -> Self {
        Self { made: 0, faults: VecDeque::new() }
    }
}

fn injected(kind: StoreErrorKind) -> StoreError {
    StoreError::new(kind, "a test asked for it")
}

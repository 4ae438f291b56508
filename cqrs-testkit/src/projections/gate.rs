//! Where everything a projection waits for passes through, so that it can be stopped at any await, as by a crash.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use async_trait::async_trait;
use cqrs_core::{
    Append, AppendError, Appended, EventId, EventStore, Head, LogFilter, LogPage, MemoryStore,
    News, Position, RecordedEvent, StoreError, StoreErrorKind, StreamId, Version,
};
use tokio::sync::watch;

/// Counts the polls of all that passes, and lets nothing go on from one of them on.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    polls: Arc<AtomicU64>,
    closes_at: u64,
    closed: watch::Sender<bool>,
}

impl Gate {
    /// A gate that closes just before this poll.
    pub(super) fn closing_at(poll: u64) -> Self {
        Self { polls: Arc::default(), closes_at: poll, closed: watch::Sender::new(false) }
    }

    pub(super) fn open() -> Self {
        Self::closing_at(u64::MAX)
    }

    pub(super) fn polls(&self) -> u64 {
        self.polls.load(Ordering::Relaxed)
    }

    pub(super) async fn closed(&self) {
        let mut closed = self.closed.subscribe();
        // The sender is here.
        let _ = closed.wait_for(|closed| *closed).await;
    }

    /// Does some work, unless the gate is closed before it is done: then it stays where it is until it is dropped.
    pub(super) async fn pass<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            if self.polls.fetch_add(1, Ordering::Relaxed) + 1 >= self.closes_at {
                self.closed.send_replace(true);
                return Poll::Pending;
            }
            work.as_mut().poll(context)
        })
        .await
    }

    /// The same with a call to a database. What begins after the end fails, so that nobody waits for it.
    pub(super) async fn call<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        if *self.closed.borrow() {
            return Err(StoreError::new(
                StoreErrorKind::Unavailable,
                "a test has ended the process",
            ));
        }
        self.pass(work).await
    }
}

/// A store behind a gate.
#[derive(Debug, Clone)]
pub(super) struct GatedStore {
    pub(super) inner: MemoryStore,
    pub(super) gate: Gate,
}

#[async_trait]
impl EventStore for GatedStore {
    async fn append(&self, append: &Append) -> Result<Appended, AppendError> {
        self.inner.append(append).await
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        self.gate.call(self.inner.read_stream(stream, after, limit)).await
    }

    async fn read_log(
        &self,
        filter: &LogFilter,
        after: Position,
        limit: usize,
    ) -> Result<LogPage, StoreError> {
        self.gate.call(self.inner.read_log(filter, after, limit)).await
    }

    async fn head(&self) -> Result<Head, StoreError> {
        self.gate.call(self.inner.head()).await
    }

    async fn find(&self, id: EventId) -> Result<Option<RecordedEvent>, StoreError> {
        self.inner.find(id).await
    }

    fn news(&self) -> News {
        self.inner.news()
    }
}

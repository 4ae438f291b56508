//! A store whose calls are counted and held up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use cqrs::{
    Append, AppendError, Appended, EventId, EventStore, Head, LogFilter, LogPage, MemoryStore,
    News, Position, RecordedEvent, Snapshot, SnapshotStore, StoreError, StreamId, Version,
};
use tokio::sync::Semaphore;

/// Counts what a store is asked for, and reads streams and appends only when it is let to.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    pub(super) store: MemoryStore,
    pub(super) lets: Arc<Semaphore>,
    pub(super) read_lets: Arc<Semaphore>,
    pub(super) appends: Arc<AtomicUsize>,
    pub(super) reads: Arc<AtomicUsize>,
}

impl Watched {
    pub(super) fn new(lets: usize) -> Self {
        let lets = Arc::new(Semaphore::new(lets));
        let read_lets = Arc::new(Semaphore::new(1));
        let (store, appends, reads) = (MemoryStore::new(), Arc::default(), Arc::default());
        Self { store, lets, read_lets, appends, reads }
    }
}

#[async_trait]
impl EventStore for Watched {
    async fn append(&self, append: &Append) -> Result<Appended, AppendError> {
        self.appends.fetch_add(1, Ordering::SeqCst);
        self.lets.acquire().await.unwrap().forget();
        self.store.append(append).await
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let _let = self.read_lets.acquire().await.unwrap();
        self.store.read_stream(stream, after, limit).await
    }

    async fn read_log(
        &self,
        filter: &LogFilter,
        after: Position,
        limit: usize,
    ) -> Result<LogPage, StoreError> {
        self.store.read_log(filter, after, limit).await
    }

    async fn head(&self) -> Result<Head, StoreError> {
        self.store.head().await
    }

    async fn find(&self, id: EventId) -> Result<Option<RecordedEvent>, StoreError> {
        self.store.find(id).await
    }

    fn news(&self) -> News {
        self.store.news()
    }
}

#[async_trait]
impl SnapshotStore for Watched {
    async fn read_from_snapshot(
        &self,
        stream: &StreamId,
        fingerprint: u64,
        limit: usize,
    ) -> Result<(Option<Snapshot>, Vec<RecordedEvent>), StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.store.read_from_snapshot(stream, fingerprint, limit).await
    }

    async fn save_snapshot(&self, stream: &StreamId, snapshot: Snapshot) -> Result<(), StoreError> {
        self.store.save_snapshot(stream, snapshot).await
    }
}

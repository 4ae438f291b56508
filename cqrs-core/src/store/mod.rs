//! The ports to a database: what the framework asks of a store, and the errors a store answers with.
//!
//! [`MemoryStore`] is the readable reference. A store of your own implements [`EventStore`] and [`SnapshotStore`] and
//! runs the conformance suite of `cqrs-testkit`.

mod append;
mod error;
mod filter;
mod gather;
mod head;
mod memory;
mod news;
mod rows;

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use async_trait::async_trait;

pub use self::append::{Append, Appended, InvalidAppend};
pub use self::error::{AppendError, BoxError, Conflict, StoreError, StoreErrorKind};
pub use self::filter::LogFilter;
pub use self::gather::{Gather, GatherLimits, Group, Pending, Turn};
pub use self::head::{Head, OpenAppend};
pub use self::memory::MemoryStore;
pub use self::news::{News, NewsBoard};
pub use self::rows::{EventRow, EventRows};
use crate::event::{EventId, Payload, RecordedEvent};
use crate::limits::FULL_PAGE_BYTES;
use crate::stream::StreamId;
use crate::version::{Position, Version};

/// Stores events in streams and reads them back, stream by stream or as the log of all streams.
#[async_trait]
pub trait EventStore: fmt::Debug + Send + Sync + 'static {
    /// Appends events to the end of a stream: all of them with consecutive versions, or none (G1).
    ///
    /// When it returns `Ok`, the events survive a crash of the process and of the database (G3), unless the store says
    /// otherwise of itself. Appending the same event ids to the same stream again stores nothing and returns the
    /// first outcome, marked [`replayed`](Appended::replayed); so an append may be repeated when its outcome is
    /// unknown.
    ///
    /// Cancellation: when the future is dropped, the events are stored all or not at all.
    ///
    /// # Errors
    /// [`AppendError::Conflict`] when the stream does not stand where the append expects it (G2);
    /// [`AppendError::Store`] for everything else, of kind
    /// [`OutcomeUnknown`](StoreErrorKind::OutcomeUnknown) where the store could not find out whether the events are
    /// stored (G4).
    async fn append(&self, append: &Append) -> Result<Appended, AppendError>;

    /// Reads up to `limit` events of a stream that follow version `after`, in order of version. A page takes no further
    /// event once its payloads come to [`FULL_PAGE_BYTES`](crate::limits::FULL_PAGE_BYTES).
    ///
    /// Fewer than `limit` events, whose payloads come to less than that, mean that the end was reached; a stream that
    /// does not exist has none.
    ///
    /// # Errors
    /// When the store can't be read, or holds a row that is not an event.
    async fn read_stream(
        &self,
        stream: &StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError>;

    /// Hands over the events of a stream that follow version `after`, one by one in order of version, until there are
    /// no more or `take` has enough: what an aggregate is rebuilt with, however long its stream is.
    ///
    /// A store that gets its events one by one hands over each as it arrives. Unless implemented, it reads pages.
    ///
    /// Cancellation: when the future is dropped, no more events are handed over.
    ///
    /// # Errors
    /// When the store can't be read, or holds a row that is not an event. The events before have been handed over.
    async fn replay(
        &self,
        stream: &StreamId,
        mut after: Version,
        take: &mut (dyn FnMut(RecordedEvent) -> ControlFlow<()> + Send),
    ) -> Result<(), StoreError> {
        let mut limit = 1_000;
        loop {
            let page = self.read_stream(stream, after, limit).await?;
            let is_end = is_end_of_stream(&page, limit);
            // Where events are large, asking for more than fit into a page has the store read them in vain.
            limit = page.len().max(1);
            for event in page {
                after = event.version;
                if take(event).is_break() {
                    return Ok(());
                }
            }
            if is_end {
                return Ok(());
            }
        }
    }

    /// Reads up to `limit` events of all streams that follow position `after` and that `filter` wants, in order of
    /// position. A page may hold fewer than `limit`, so that its payloads beyond the first event stay within
    /// [`MAX_PAGE_BYTES`](crate::limits::MAX_PAGE_BYTES); only one without events means that the end was reached: that of
    /// the log, or where an append that is not decided yet holds it up.
    ///
    /// A reader that goes on from [`LogPage::through`] sees every committed event it wants exactly once (G5) and the
    /// events of one stream in order of version (G6), whatever the order in which writers commit.
    ///
    /// # Errors
    /// When the store can't be read, or holds a row that is not an event.
    async fn read_log(
        &self,
        filter: &LogFilter,
        after: Position,
        limit: usize,
    ) -> Result<LogPage, StoreError>;

    /// Where the log ends now, and which appends keep readers from it.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn head(&self) -> Result<Head, StoreError>;

    /// Looks an event up by its id.
    ///
    /// # Errors
    /// When the store can't be read, or holds a row that is not an event.
    async fn find(&self, id: EventId) -> Result<Option<RecordedEvent>, StoreError>;

    /// Tells a reader of the log when to look for more: after an append, and after one that held the log up has ended,
    /// whether or not it stored anything. A store that can't announce all of that has readers look at intervals.
    fn news(&self) -> News;

    /// Waits for what is going on and gives the connections back; what is asked of the store afterwards fails. Nothing is
    /// lost without it: every append is durable when it returns.
    async fn close(&self) {}
}

/// Keeps the latest snapshot of each stream. Snapshots are a cache: losing them costs time, never data (G9).
#[async_trait]
pub trait SnapshotStore: fmt::Debug + Send + Sync + 'static {
    /// The snapshot kept for a stream and up to `limit` events from the snapshot's own version on; without a snapshot
    /// of this fingerprint, the first `limit` events. The page of events is as large as one of
    /// [`read_stream`](EventStore::read_stream).
    ///
    /// The event at the snapshot's version comes along because it tells whether the snapshot belongs to the stream.
    ///
    /// # Errors
    /// When the store can't be read, or holds a row that is not an event.
    async fn read_from_snapshot(
        &self,
        stream: &StreamId,
        fingerprint: u64,
        limit: usize,
    ) -> Result<(Option<Snapshot>, Vec<RecordedEvent>), StoreError>;

    /// Keeps a snapshot, instead of an older one. One of a later version with the same fingerprint stays.
    ///
    /// # Errors
    /// When the store can't be written.
    async fn save_snapshot(&self, stream: &StreamId, snapshot: Snapshot) -> Result<(), StoreError>;
}

/// Everything the framework asks of a store; implemented for whatever implements the single ports.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a store",
    label = "not a store",
    note = "use `SqliteStore`, `PostgresStore` or `MemoryStore`, or implement `EventStore` and `SnapshotStore`"
)]
pub trait Store: EventStore + SnapshotStore {}

impl<T: EventStore + SnapshotStore> Store for T {}

/// Part of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct LogPage {
    /// The events, in order of position.
    pub events: Vec<RecordedEvent>,
    /// Where to go on: no event that is wanted will ever become visible at or before this position, unless it is in
    /// this page or before it. At least the position asked from; beyond the last event of the page where nothing that
    /// is wanted follows.
    pub through: Position,
}

/// State of an aggregate at a version, kept to save replaying the events before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The version of the stream whose state this is.
    pub version: Version,
    /// The id of the event at that version, which tells whether the stream is still the one the state came from.
    pub event_id: EventId,
    /// The shape of the aggregate that was serialized; a program with another shape does not use the snapshot.
    pub fingerprint: u64,
    /// The serialized state.
    pub state: Payload,
}

/// Whether a page of [`read_stream`](EventStore::read_stream), read with this limit, reaches to the end of its stream.
pub fn is_end_of_stream(page: &[RecordedEvent], limit: usize) -> bool {
    let bytes = || page.iter().map(|event| event.payload.len()).sum::<usize>();
    page.len() < limit && bytes() < FULL_PAGE_BYTES
}

/// A store behind a pointer is a store.
#[async_trait]
impl<S: EventStore + ?Sized> EventStore for Arc<S> {
    async fn append(&self, append: &Append) -> Result<Appended, AppendError> {
        (**self).append(append).await
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        (**self).read_stream(stream, after, limit).await
    }

    async fn replay(
        &self,
        stream: &StreamId,
        after: Version,
        take: &mut (dyn FnMut(RecordedEvent) -> ControlFlow<()> + Send),
    ) -> Result<(), StoreError> {
        (**self).replay(stream, after, take).await
    }

    async fn read_log(
        &self,
        filter: &LogFilter,
        after: Position,
        limit: usize,
    ) -> Result<LogPage, StoreError> {
        (**self).read_log(filter, after, limit).await
    }

    async fn head(&self) -> Result<Head, StoreError> {
        (**self).head().await
    }

    async fn find(&self, id: EventId) -> Result<Option<RecordedEvent>, StoreError> {
        (**self).find(id).await
    }

    fn news(&self) -> News {
        (**self).news()
    }

    async fn close(&self) {
        (**self).close().await;
    }
}

#[async_trait]
impl<S: SnapshotStore + ?Sized> SnapshotStore for Arc<S> {
    async fn read_from_snapshot(
        &self,
        stream: &StreamId,
        fingerprint: u64,
        limit: usize,
    ) -> Result<(Option<Snapshot>, Vec<RecordedEvent>), StoreError> {
        (**self).read_from_snapshot(stream, fingerprint, limit).await
    }

    async fn save_snapshot(&self, stream: &StreamId, snapshot: Snapshot) -> Result<(), StoreError> {
        (**self).save_snapshot(stream, snapshot).await
    }
}

//! Errors of stores, by what the caller can do next.

use std::fmt;
use std::sync::Arc;

use crate::event::EventId;
use crate::stream::StreamId;
use crate::version::{ExpectedVersion, Version};

use super::InvalidAppend;

/// An error of any type.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Why events were not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The stream does not stand where the append expects it: read it again and decide again.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<InvalidAppend> for AppendError {
    fn from(error: InvalidAppend) -> Self {
        Self::Store(error.into())
    }
}

/// A stream does not stand where an append expects it (G2). Nothing was stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "stream `{stream}` is at version {actual}, but the append expects {expected}: \
     another writer was faster; read the stream again and decide again"
)]
pub struct Conflict {
    /// The stream.
    pub stream: StreamId,
    /// Where the append expects it.
    pub expected: ExpectedVersion,
    /// Where it stood when the conflict was found; it may have moved on since.
    pub actual: Version,
}

/// What kind of failure a [`StoreError`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The request can't be stored as it is. Nothing was stored.
    InvalidInput,
    /// An event id is stored already, in another place. Nothing was stored.
    DuplicateEvent,
    /// The database can't be reached, or went away before it began. Nothing was stored.
    Unavailable,
    /// The database is busy with others: no connection came free, a lock was not had in time, or it gave up on a
    /// deadlock. Nothing was stored.
    Busy,
    /// The connection broke around the commit, and asking again was not possible. What was to be stored is stored as a
    /// whole or not at all; repeating an append with the same event ids is safe.
    OutcomeUnknown,
    /// The store holds something that is not an event or a snapshot.
    Corrupt,
    /// The database or its schema is not one this program can work with.
    Unsupported,
    /// Anything else.
    Other,
}

impl StoreErrorKind {
    /// The kind in words that stand at the beginning of a message.
    const fn words(self) -> &'static str {
        match self {
            Self::InvalidInput => "the store can't keep this",
            Self::DuplicateEvent => "an event id is in use already",
            Self::Unavailable => "the database can't be reached",
            Self::Busy => "the database is busy",
            Self::OutcomeUnknown => "it is unknown what was stored",
            Self::Corrupt => "the store holds data that can't be read",
            Self::Unsupported => "the database can't be used",
            Self::Other => "the store failed",
        }
    }
}

/// A failure of a store, told apart by its [`kind`](Self::kind).
#[derive(Clone)]
pub struct StoreError(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    kind: StoreErrorKind,
    context: String,
    source: Option<BoxError>,
}

impl StoreError {
    /// An error of this kind; `context` says what was being done and what to do about it.
    pub fn new(kind: StoreErrorKind, context: impl Into<String>) -> Self {
        Self(Arc::new(Inner { kind, context: context.into(), source: None }))
    }

    /// The same error with what caused it.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<BoxError>) -> Self {
        let source = Some(source.into());
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.source = source;
        } else {
            let (kind, context) = (self.0.kind, self.to_string());
            self.0 = Arc::new(Inner { kind, context, source });
        }
        self
    }

    /// The error for events whose id is in use already.
    pub fn duplicate_event(stream: &StreamId, id: EventId) -> Self {
        Self::new(
            StoreErrorKind::DuplicateEvent,
            format!(
                "appending to stream `{stream}`: event id {id} is stored already in another place"
            ),
        )
    }

    /// The error where what was to store events has ended before it told what became of them.
    pub fn outcome_unknown(stream: &StreamId) -> Self {
        let context = format!(
            "appending to stream `{stream}`: what was to store it has ended with its runtime"
        );
        Self::new(StoreErrorKind::OutcomeUnknown, context)
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> StoreErrorKind {
        self.0.kind
    }

    /// Whether doing the same again may succeed and can do no harm.
    ///
    /// An append may be repeated because its events keep their ids.
    pub fn may_retry(&self) -> bool {
        use StoreErrorKind::{Busy, OutcomeUnknown, Unavailable};
        matches!(self.0.kind, Busy | OutcomeUnknown | Unavailable)
    }
}

impl From<InvalidAppend> for StoreError {
    fn from(error: InvalidAppend) -> Self {
        Self::new(StoreErrorKind::InvalidInput, error.to_string())
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.0.kind.words(), self.0.context)?;
        match &self.0.source {
            Some(source) => write!(formatter, ": {source}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StoreError")
            .field("kind", &self.0.kind)
            .field("context", &self.0.context)
            .field("source", &self.0.source)
            .finish()
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The message tells the source already; from the source's own source on, the chain has more to say.
        self.0.source.as_ref().and_then(|source| source.source())
    }
}

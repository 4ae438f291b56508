//! Why a command or a query failed, by what the caller can do next.

use std::fmt;

use crate::event::{DecodeError, EncodeError, EventId, NewEvent};
use crate::runner::NotYet;
use crate::store::{
    Append, AppendError, BoxError, Conflict, InvalidAppend, StoreError, StoreErrorKind,
};
use crate::stream::InvalidStreamId;

/// Why a command was not carried out. `E` is the error of the domain: why a command is refused.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum DispatchError<E> {
    /// The domain refuses the command. Nothing was stored, unless a command handler refuses after what it has sent.
    #[error(transparent)]
    Rejected(E),
    /// Other writers were faster, as often as the retry policy allows. Nothing was stored; try again later.
    #[error(transparent)]
    Conflict(Conflict),
    /// The aggregate is not at the version the caller expects: it has changed since the caller saw it. Nothing was
    /// stored; have another look and decide again.
    #[error(
        "stream `{}` is at version {}, while the sender of the command has seen {}: have another look and decide again",
        .0.stream, .0.actual, .0.expected
    )]
    Stale(Conflict),
    /// The command addresses a stream by a name that can't be one, or leads to events that can't be stored (G13).
    /// Nothing was stored.
    #[error(transparent)]
    Invalid(InvalidCommand),
    /// A stored event can't be read by this program (G11). Nothing was stored.
    #[error(transparent)]
    Decode(Box<DecodeError>),
    /// The store failed. Nothing was stored.
    #[error(transparent)]
    Store(StoreError),
    /// The connection to the store broke around the commit, and the store could not find out whether the events are
    /// stored (G4). Append the [append](UnknownOutcome::append) again later, or send the command again if it had an
    /// idempotency key: neither stores anything twice.
    #[error(transparent)]
    OutcomeUnknown(Box<UnknownOutcome>),
    /// Nothing is registered on the bus for the command.
    #[error("nothing on this bus handles `{command}`; register it where the bus is built: {mend}")]
    Unregistered {
        /// The name of the command.
        command: &'static str,
        /// What to write.
        mend: &'static str,
    },
    /// A [`CommandHandler`](crate::CommandHandler) failed for a reason that is not the domain's. What it had sent before
    /// has happened.
    #[error("the command handler failed: {0}")]
    Failed(BoxError),
    /// A [`CommandHandler`](crate::CommandHandler) failed after something it had sent was carried out: sending the
    /// command again would do that again.
    #[error("the command was carried out in part: {0}")]
    Partial(BoxError),
    /// A layer around the bus refused or abandoned the command: a timeout, a limit, a missing right. If it abandoned
    /// the command, as a timeout does, the events are stored all or not at all, and only an idempotency key makes it
    /// safe to send the command again.
    #[error("a layer of the bus stopped the command: {0}")]
    Stopped(BoxError),
}

impl<E> DispatchError<E> {
    /// A failure of a command handler that is not the domain's.
    pub fn failed(error: impl Into<BoxError>) -> Self {
        Self::Failed(error.into())
    }

    /// The same with another type of domain error, for a command handler that sends commands of other aggregates.
    pub fn map_rejected<F>(self, map: impl FnOnce(E) -> F) -> DispatchError<F> {
        match self {
            Self::Rejected(error) => DispatchError::Rejected(map(error)),
            Self::Conflict(error) => DispatchError::Conflict(error),
            Self::Stale(error) => DispatchError::Stale(error),
            Self::Invalid(error) => DispatchError::Invalid(error),
            Self::Decode(error) => DispatchError::Decode(error),
            Self::Store(error) => DispatchError::Store(error),
            Self::OutcomeUnknown(error) => DispatchError::OutcomeUnknown(error),
            Self::Unregistered { command, mend } => DispatchError::Unregistered { command, mend },
            Self::Failed(error) => DispatchError::Failed(error),
            Self::Partial(error) => DispatchError::Partial(error),
            Self::Stopped(error) => DispatchError::Stopped(error),
        }
    }

    /// The error of the domain, if it is one.
    pub fn rejection(&self) -> Option<&E> {
        match self {
            Self::Rejected(error) => Some(error),
            _ => None,
        }
    }

    /// Whether sending the same command again, as it is, may succeed and can do no harm.
    pub fn may_retry(&self) -> bool {
        match self {
            Self::Conflict(_) => true,
            Self::Store(error) => error.may_retry(),
            _ => false,
        }
    }

    /// The kind of error, as a label of metrics and traces.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Rejected(_) => "rejected",
            Self::Conflict(_) => "conflict",
            Self::Stale(_) => "stale",
            Self::Invalid(_) => "invalid",
            Self::Decode(_) => "decode",
            Self::Store(_) => "store",
            Self::OutcomeUnknown(_) => "outcome_unknown",
            Self::Unregistered { .. } => "unregistered",
            Self::Failed(_) => "failed",
            Self::Partial(_) => "partial",
            Self::Stopped(_) => "stopped",
        }
    }

    /// Whether it is an answer to the command rather than a failure of what carries it out.
    pub(crate) fn is_answer(&self) -> bool {
        matches!(self, Self::Rejected(_) | Self::Conflict(_) | Self::Stale(_) | Self::Invalid(_))
    }

    pub(crate) fn from_append(error: AppendError, append: Append) -> Self {
        match error {
            AppendError::Conflict(conflict) => Self::Conflict(conflict),
            AppendError::Store(error) if error.kind() == StoreErrorKind::OutcomeUnknown => {
                Self::OutcomeUnknown(Box::new(UnknownOutcome { append, error }))
            }
            AppendError::Store(error) => Self::Store(error),
        }
    }
}

impl<E> From<E> for DispatchError<E> {
    fn from(error: E) -> Self {
        Self::Rejected(error)
    }
}

/// An append of which nobody knows whether it is stored (G4).
#[derive(thiserror::Error)]
#[error("{error}; append it again to find out")]
pub struct UnknownOutcome {
    /// The append. Given to [`EventStore::append`](crate::EventStore::append) again, it is stored once, or found to
    /// be stored.
    pub append: Append,
    /// What went wrong.
    pub error: StoreError,
}

/// Without the events: what they hold is not for logs.
impl fmt::Debug for UnknownOutcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<EventId> = self.append.events().iter().map(NewEvent::id).collect();
        formatter
            .debug_struct("UnknownOutcome")
            .field("stream", self.append.stream())
            .field("events", &ids)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

/// A command that leads to something no store can keep (G13). Nothing was stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCommand {
    /// The name of the stream.
    #[error("the command addresses no stream: {0}")]
    Stream(#[from] InvalidStreamId),
    /// One of the events.
    #[error("event `{event_type}` of stream `{stream}` can't be stored: {error}")]
    Event {
        /// The stream.
        stream: crate::stream::StreamId,
        /// The type of the event.
        event_type: &'static str,
        /// What is wrong with it.
        error: EncodeError,
    },
    /// One of the events could be stored but not read back.
    #[error(
        "an event of the command could not be read back once it is stored; look for serde attributes that leave out a \
         field which has no default: {0}"
    )]
    Unreadable(Box<DecodeError>),
    /// The events together.
    #[error(transparent)]
    Append(#[from] InvalidAppend),
    /// The idempotency key is empty: all commands of a kind would pass for the same one.
    #[error("the idempotency key is empty; leave it out, or give each request one of its own")]
    EmptyKey,
    /// An idempotency key was given to a command whose handler does not honour it.
    #[error(
        "the handler of `{command}` does not honour idempotency keys; let it give every command it sends the key \
         `context.step_key(…)`, and say so with `const IDEMPOTENT: bool = true`"
    )]
    KeyNotHonoured {
        /// The name of the command.
        command: &'static str,
    },
    /// An expected version was given to a command that is not an aggregate's.
    #[error("`{command}` is not the command of one aggregate, so it can't expect a version")]
    VersionNotHonoured {
        /// The name of the command.
        command: &'static str,
    },
}

/// Why an aggregate could not be loaded.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The key can't name a stream.
    #[error(transparent)]
    Stream(#[from] InvalidStreamId),
    /// A stored event can't be read by this program (G11).
    #[error(transparent)]
    Decode(#[from] Box<DecodeError>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl LoadError {
    /// Whether loading again may succeed.
    pub fn may_retry(&self) -> bool {
        matches!(self, Self::Store(error) if error.may_retry())
    }

    /// The same as the error of a command, for a command handler that loads an aggregate.
    pub fn into_dispatch<E>(self) -> DispatchError<E> {
        match self {
            Self::Stream(error) => DispatchError::Invalid(error.into()),
            Self::Decode(error) => DispatchError::Decode(error),
            Self::Store(error) => DispatchError::Store(error),
        }
    }
}

/// Why a query has no answer. `E` is the error of the query itself.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum QueryError<E> {
    /// The query's handler says so.
    #[error("{0}")]
    Failed(E),
    /// No handler is registered on the bus.
    #[error(
        "nothing on this bus answers `{query}`; register it where the bus is built: `.query_handler(…)`"
    )]
    Unregistered {
        /// The name of the query.
        query: &'static str,
    },
    /// A view has not seen in time what the answer is to show.
    #[error("{0}; ask again")]
    NotYet(NotYet),
    /// A layer around the bus refused or abandoned the query.
    #[error("a layer of the bus stopped the query: {0}")]
    Stopped(BoxError),
    /// The log can't be followed for [updates](crate::Updates).
    #[error("{0}")]
    Store(StoreError),
}

impl<E> QueryError<E> {
    /// The same as the error of a command, for a command handler that asks a query; `map` tells what the query's own
    /// error means to the domain of the command.
    pub fn into_dispatch<F>(self, map: impl FnOnce(E) -> F) -> DispatchError<F>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        match self {
            Self::Failed(error) => DispatchError::Rejected(map(error)),
            error => DispatchError::Failed(error.into()),
        }
    }

    /// The kind of error, as a label of metrics and traces.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Failed(_) => "failed",
            Self::Unregistered { .. } => "unregistered",
            Self::NotYet(_) => "not_yet",
            Self::Stopped(_) => "stopped",
            Self::Store(_) => "store",
        }
    }
}

/// Errors are shown with their message also where a program returns them from `main`, which takes `Debug` for it.
macro_rules! debug_as_display {
    ($(impl $(<$parameter:ident>)? for $error:ty),+ $(,)?) => {$(
        impl $(<$parameter: fmt::Display>)? fmt::Debug for $error {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, formatter)
            }
        }
    )+};
}

debug_as_display!(impl<E> for DispatchError<E>, impl<E> for QueryError<E>, impl for LoadError);

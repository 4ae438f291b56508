//! What a running projection is doing.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use crate::command::Committed;
use crate::store::StoreError;
use crate::stream::StreamId;
use crate::version::Position;

/// What a running projection is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The name of the projection.
    pub projection: &'static str,
    /// What it is at.
    pub phase: Phase,
    /// How far it has come, as far as this process knows.
    pub position: Position,
    /// Its parked streams.
    pub parked: Arc<BTreeSet<StreamId>>,
    /// What went wrong last, if it has not passed.
    pub last_error: Option<String>,
}

/// What is to be seen in a read model: the log up to a position, or the outcome of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The position.
    pub position: Position,
    /// The stream whose events are to be among what is seen: it must not be parked.
    pub stream: Option<StreamId>,
}

impl From<Position> for Target {
    fn from(position: Position) -> Self {
        Self { position, stream: None }
    }
}

impl From<&Committed> for Target {
    fn from(committed: &Committed) -> Self {
        Self { position: committed.position, stream: Some(committed.stream.clone()) }
    }
}

impl Status {
    /// Whether the read model shows the target.
    pub fn shows(&self, target: &Target) -> bool {
        let is_parked = target.stream.as_ref().is_some_and(|stream| self.parked.contains(stream));
        self.position >= target.position && !is_parked
    }
}

/// What a running projection is at.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// It has begun.
    Starting,
    /// Another process does the work; this one takes over if that one is gone.
    Standby {
        /// The other process.
        owner: Uuid,
    },
    /// It works through events that were stored before.
    CatchingUp,
    /// It has seen everything and waits for more.
    Live,
    /// Something failed and is tried again.
    Retrying,
    /// It is over.
    Stopped,
}

/// Why a projection has stopped.
#[derive(Debug)]
#[non_exhaustive]
pub enum Stopped {
    /// It was asked to.
    Asked,
    /// The checkpoint is that of another version of the projection, or of one that wants other events.
    Changed {
        /// The name of the projection.
        projection: &'static str,
        /// The version of the program's projection, and that of the checkpoint.
        versions: (u32, u32),
        /// The event types of the program's projection, and those of the checkpoint.
        events: (String, String),
    },
    /// More streams are parked than the options allow.
    TooManyParked {
        /// The name of the projection.
        projection: &'static str,
        /// How many streams are parked.
        parked: usize,
    },
    /// The store of the events or of the read model refuses for a reason that does not pass.
    Store(StoreError),
    /// The task that runs the projection was ended from outside, or a handler panicked.
    Aborted(String),
}

impl fmt::Display for Stopped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => formatter.write_str("the projection was asked to stop"),
            Self::Changed { projection, versions, events } => {
                let ((now, then), (wanted, had)) = (versions, events);
                write!(
                    formatter,
                    "projection `{projection}` has changed: it is version {now} and wants `{wanted}`, but its \
                     checkpoint is of version {then} and was made from `{had}`; give it another name and a table of \
                     its own, or remove its rows and its checkpoint to build it anew"
                )
            }
            Self::TooManyParked { projection, parked } => write!(
                formatter,
                "projection `{projection}` has {parked} parked streams, more than it may; mend what fails and start it \
                 again"
            ),
            Self::Store(error) => error.fmt(formatter),
            Self::Aborted(reason) => write!(formatter, "the projection was ended: {reason}"),
        }
    }
}

impl std::error::Error for Stopped {}

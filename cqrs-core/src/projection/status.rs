//! What a running projection is doing.

use std::fmt;

use uuid::Uuid;

use crate::store::StoreError;
use crate::version::Position;

/// What a running projection is doing.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Status {
    /// The name of the projection.
    pub projection: &'static str,
    /// What it is at.
    pub phase: Phase,
    /// How far it has come, as far as this process knows.
    pub position: Position,
    /// How many of its streams are parked.
    pub parked: usize,
    /// What went wrong last, if it has not passed.
    pub last_error: Option<String>,
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

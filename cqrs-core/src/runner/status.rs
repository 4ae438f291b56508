//! What a running projection is doing, and why one has stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::read_model::added;
use crate::store::StoreError;
use crate::stream::StreamId;
use crate::version::Position;

/// What a projection is doing in this process. What others do is told by [`Projections`](crate::Projections).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The name of the projection.
    pub projection: &'static str,
    /// Its version.
    pub version: u32,
    /// Whether queries see its rows; else it is being built beside the version that they see.
    pub in_service: bool,
    /// What it is at.
    pub phase: Phase,
    /// How far the slots that this process has have come: the least of `slots`, and 0 while it has none.
    pub position: Position,
    /// The slots this process has, with how far each has come.
    pub slots: BTreeMap<u32, Position>,
    /// Its parked streams.
    pub parked: Arc<BTreeSet<StreamId>>,
    /// How many events this process has taken.
    pub events: u64,
    /// What went wrong last, if it has not passed.
    pub last_error: Option<String>,
}

/// What a running projection is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Phase {
    /// It has begun.
    Starting,
    /// Other processes do the work; this one takes over when one of them is gone.
    Standby,
    /// It has seen everything and waits for more.
    Live,
    /// It works through events that were stored before.
    CatchingUp,
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
    /// The version in service, or the one that is built, is another one, or wants other events.
    Changed {
        /// The name of the projection.
        projection: &'static str,
        /// The version of the program's projection, and the one that is there.
        versions: (u32, u32),
        /// The names of the events that the program's projection wants, and of those the other is made from.
        events: (String, String),
        /// Whether the program's version could be built beside the other if it were asked for.
        may_build: bool,
        /// Where only names were added: an event under one of them that is before a checkpoint, so that the rows are
        /// without it; its name and position.
        missed: Option<(String, Position)>,
    },
    /// Another version was put into service, or this one was removed.
    Replaced {
        /// The name of the projection.
        projection: &'static str,
        /// The version that was replaced.
        version: u32,
    },
    /// More streams are parked than the options allow.
    TooManyParked {
        /// The name of the projection.
        projection: &'static str,
        /// How many streams are parked.
        parked: usize,
        /// The last failure: slot, event type, stream, version and position.
        last: String,
    },
    /// The store of the events or of the read model refuses for a reason that does not pass.
    Store {
        /// The name of the projection.
        projection: &'static str,
        /// The slots it had.
        slots: Vec<u32>,
        /// How far they had come: the least of them.
        position: Position,
        /// What happened.
        error: StoreError,
    },
    /// The task that runs the projection was ended from outside, or the store or the read model has panicked.
    Aborted {
        /// The name of the projection.
        projection: &'static str,
        /// What happened.
        reason: String,
    },
}

impl fmt::Display for Stopped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => formatter.write_str("the projection was asked to stop"),
            Self::Changed { projection, versions, events, may_build, missed } => {
                let ((now, then), (wanted, had)) = (versions, events);
                write!(
                    formatter,
                    "projection `{projection}` has changed: it is version {now} and wants `{wanted}`, but version \
                     {then} is there and was made from `{had}`; "
                )?;
                if let Some((name, position)) = missed {
                    return write!(
                        formatter,
                        "events under `{name}` are in the log already, from position {position} on, before its \
                         checkpoint, so that its rows are without them: give it a higher version, and it is built anew"
                    );
                }
                if let (std::cmp::Ordering::Equal, Some(names)) =
                    (now.cmp(then), added(had, wanted))
                {
                    let names = names.join("`, `");
                    return write!(
                        formatter,
                        "a newer program reads events under `{names}` as well; replace this one"
                    );
                }
                formatter.write_str(match (may_build, now.cmp(then)) {
                    (true, _) => {
                        "start it with `on_change(OnChange::Build)`, which builds the new version beside the old one"
                    }
                    (_, std::cmp::Ordering::Greater) => {
                        "tell which tables it makes, so that it can be built beside the old one, or give it another \
                         name and a table of its own"
                    }
                    (_, std::cmp::Ordering::Equal) => "give it a higher version",
                    (_, std::cmp::Ordering::Less) => "a newer program runs it; replace this one",
                })
            }
            Self::Replaced { projection, version } => write!(
                formatter,
                "version {version} of projection `{projection}` was put out of service or removed"
            ),
            Self::TooManyParked { projection, parked, last } => write!(
                formatter,
                "projection `{projection}` has {parked} parked streams, more than it may; mend what fails and start it \
                 again; the last failure: {last}"
            ),
            Self::Store { projection, slots, position, error } => {
                write!(
                    formatter,
                    "projection `{projection}`, slots {slots:?} at position {position}: {error}"
                )
            }
            Self::Aborted { projection, reason } => {
                write!(formatter, "projection `{projection}` was ended: {reason}")
            }
        }
    }
}

impl std::error::Error for Stopped {}

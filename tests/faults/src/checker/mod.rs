//! Whether what is stored, and what followed it, agrees with what clients wrote down.
//!
//! Nothing here knows which faults were injected: what is promised holds whatever happens.

mod calls;
mod effects;
mod log;
mod readers;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::domain::{Mark, Purse};
use crate::history::History;
use crate::worker::Followed;

/// Everything there is to be compared, after all faults are over.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// The events as the table has them, by position.
    pub log: Vec<Stored>,
    /// The positions, streams and versions as readers of the log get them.
    pub read: Vec<Followed>,
    /// The versions and states of all streams as a new process loads them, from snapshots where there are some.
    pub loaded: BTreeMap<String, (u64, Purse)>,
    /// What clients wrote down.
    pub histories: Vec<History>,
    /// The read models while spoiled events fail, once all else was taken.
    pub parked: Stage,
    /// The read models after spoiled events could be taken and parked streams were replayed.
    pub mended: Stage,
    /// What subscriptions saw, by worker.
    pub followed: Vec<(String, Vec<Followed>)>,
}

/// An event as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its position.
    pub position: u64,
    /// Its stream.
    pub stream: String,
    /// Its version.
    pub version: u64,
    /// The operation it is part of.
    pub mark: Mark,
    /// What the pockets change by.
    pub left: i64,
    /// See `left`.
    pub right: i64,
    /// Whether readers fail on it until it is mended.
    pub is_spoiled: bool,
}

/// Read models at one time.
#[derive(Debug, Clone, Default)]
pub struct Stage {
    /// What the projection wrote down, in order.
    pub applied: Vec<Applied>,
    /// How many events it counted, by stream.
    pub counters: BTreeMap<String, u64>,
    /// The rows of the view by stream: the state, and the version of the last event.
    pub balances: BTreeMap<String, (Purse, u64)>,
    /// The rows of the view by category: all money, and how many events.
    pub totals: BTreeMap<String, (i64, u64)>,
    /// Projection, stream and version of what is parked.
    pub parked: BTreeSet<(String, String, u64)>,
}

/// An event that the projection wrote down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Its stream.
    pub stream: String,
    /// Its version.
    pub version: u64,
    /// Its position.
    pub position: u64,
}

/// What is promised and does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Breach {
    /// What was acknowledged is not stored.
    Lost,
    /// What was refused, or failed for certain, is stored.
    Undead,
    /// An operation is stored twice.
    Doubled,
    /// Some events of an operation are stored and others are not, or others are between them.
    Partial,
    /// One step of a transfer is stored and the other is not.
    Torn,
    /// What is stored was asked for by nobody.
    Unasked,
    /// What was acknowledged is in another place than was said.
    Misplaced,
    /// The versions of a stream are not 1, 2, 3 …
    Gap,
    /// Positions do not rise, or events of a stream are not in order of version in the log.
    Disorder,
    /// An event was decided on in a state that the stream did not have.
    Misjudged,
    /// A refusal or a look shows a state that the stream never had.
    Mirage,
    /// A refusal, a look or a new event knows less than its process knew already.
    Stale,
    /// A process loads another state than the events give.
    Misloaded,
    /// A pocket has less than nothing.
    Overdrawn,
    /// There is more money, or less, than came in.
    Money,
    /// Reading the log gives something else than what is stored.
    Misread,
    /// A follower has not seen an event.
    Missed,
    /// A follower has seen an event twice.
    SeenTwice,
    /// A follower has seen events in another order.
    SeenInDisorder,
    /// The rows of a view are not what the events fold to.
    View,
    /// A stream is parked that should not be, or not parked that should, or at another event.
    Parked,
    /// A call failed in a way that no fault explains.
    Failure,
    /// A process ended by itself, or could not be brought to its end.
    Process,
}

/// A breach, and where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What is promised and does not hold.
    pub breach: Breach,
    /// What was found.
    pub found: String,
    /// The stream it is about.
    pub stream: Option<String>,
    /// The version it is about.
    pub version: Option<u64>,
    /// The operation it is about.
    pub op: Option<String>,
}

impl Violation {
    /// A breach that is about nothing in particular.
    pub fn new(breach: Breach, found: impl Into<String>) -> Self {
        Self { breach, found: found.into(), stream: None, version: None, op: None }
    }

    fn of(mut self, op: &str) -> Self {
        self.op = Some(op.to_owned());
        self
    }

    fn at(mut self, stream: &str, version: u64) -> Self {
        (self.stream, self.version) = (Some(stream.to_owned()), Some(version));
        self
    }

    fn in_stream(mut self, stream: &str) -> Self {
        self.stream = Some(stream.to_owned());
        self
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {}", self.breach, self.found)
    }
}

/// The states of a stream: the one after no event, after the first, after the second …
type States = BTreeMap<String, Vec<Purse>>;

/// All breaches there are.
pub fn check(evidence: &Evidence) -> Vec<Violation> {
    let states = states(&evidence.log);
    let mut violations = Vec::new();
    log::check(evidence, &states, &mut violations);
    effects::check(evidence, &mut violations);
    calls::check(evidence, &states, &mut violations);
    readers::check(evidence, &states, &mut violations);
    violations
}

fn states(log: &[Stored]) -> States {
    let mut states = States::new();
    for event in log {
        let states = states.entry(event.stream.clone()).or_insert_with(|| vec![Purse::default()]);
        let last = states.last().copied().unwrap_or_default();
        states.push(last.after(event.left, event.right));
    }
    states
}

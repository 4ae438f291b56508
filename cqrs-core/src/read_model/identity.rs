//! What a checkpoint belongs to.

use crate::event::{Event, stored_names};
use crate::version::Position;

/// What a checkpoint belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectionId {
    /// The name of the projection.
    pub name: &'static str,
    /// The version of what it does with events.
    pub version: u32,
    /// The names under which the events it wants are or were stored, sorted and separated by spaces.
    pub events: String,
}

impl ProjectionId {
    /// The identity of a projection of this name and version of the events `E`.
    pub fn of<E: Event>(name: &'static str, version: u32) -> Self {
        let mut names = stored_names::<E>();
        names.sort_unstable();
        Self { name, version, events: names.join(" ") }
    }
}

/// The names that are in the list `more` and not in the list `fewer`, where that is all in which they differ.
pub(crate) fn added<'n>(more: &'n str, fewer: &str) -> Option<Vec<&'n str>> {
    let is_in = |list: &str, name: &str| list.split(' ').any(|listed| listed == name);
    let added: Vec<&str> = more.split(' ').filter(|name| !is_in(fewer, name)).collect();
    let is_kept = fewer.split(' ').all(|name| name.is_empty() || is_in(more, name));
    (is_kept && !added.is_empty()).then_some(added)
}

/// What a version is made with, where it has not been made before.
#[derive(Debug, Clone, Copy)]
pub struct Setup<'a> {
    /// The SQL that makes its tables, with their indexes, and nothing else. The names of tables are not qualified.
    pub tables: &'a str,
    /// Into how many slots its streams are divided.
    pub slots: u32,
    /// Where the log ends now: up to here, events are replayed.
    pub replays_to: Position,
    /// Whether it may be built beside an older version that is in service.
    pub beside: bool,
}

/// What came of opening a version of a projection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// It is in service.
    InService,
    /// An older version is in service, and this one beside it.
    Beside,
    /// It can't go on from what is there: this version is in service, or is made from events under these names. Where it
    /// is the same version and fewer names, it may be possible to [adopt](super::ReadModel::adopt) it.
    Changed {
        /// The version.
        version: u32,
        /// The names of the events it is made from.
        events: String,
    },
}

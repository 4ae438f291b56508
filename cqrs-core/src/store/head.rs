//! Where the log ends, and what keeps readers from its end.

use crate::version::Position;

/// Where the log ends at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The position of the last event; while appends are open, the last one drawn, whose event may never be committed.
    pub last: Position,
    /// Readers see everything up to here. What is missing up to [`last`](Self::last) waits for
    /// [`open_appends`](Self::open_appends).
    pub visible: Position,
    /// The appends that are not decided yet and keep readers back, the first to begin first.
    pub open_appends: Vec<OpenAppend>,
}

impl Head {
    /// The end of a log that shows everything at once.
    pub fn decided(last: Position) -> Self {
        Self { last, visible: last, open_appends: Vec::new() }
    }
}

/// An append that is not decided yet: its transaction has neither committed nor rolled back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenAppend {
    /// Readers see nothing behind this position before it is decided.
    pub after: Position,
    /// Who it is, as the database tells: of Postgres the process id, application name and address of the session, what
    /// it does, and since when its transaction is open.
    pub session: String,
    /// For how long its transaction has been open, where the database tells.
    pub open_for: Option<std::time::Duration>,
}

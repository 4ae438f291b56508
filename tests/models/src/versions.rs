//! Writers who race for the end of a stream (G1, G2), on PostgreSQL.
//!
//! | here | there |
//! |--|--|
//! | [`At::Begins`] | `append.sql` begins: `stream` is read in the snapshot of the statement, and compared with what is expected |
//! | [`At::Inserts`] | its rows, one after the other, meet `events_stream_key`: a row waits for one that is not decided |
//! | [`At::Commits`] | the statement is a transaction by itself |
//! | [`At::Explains`] | `append.rs`, `explain`: the stream is looked at again after the constraint refused a row |
//! | [`Step::Undoes`] | the server undoes the statement in favour of another; `append` repeats it, `Failure::Undone` |
//!
//! SQLite has one writer at a time: there is nothing between the steps of an append.

use crate::search::{Model, fails, holds};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Expected {
    Any,
    Exact(u8),
}

#[derive(Debug, Clone, Copy)]
struct Protocol {
    /// What each append expects, and how many events it has.
    appends: &'static [(Expected, usize)],
    /// Whether a version is unique in its stream.
    has_constraint: bool,
    /// Whether the statement compares the version with the one expected.
    compares: bool,
    /// Whether events are committed together.
    is_one_transaction: bool,
    undoes: u8,
}

const PROTOCOL: Protocol = Protocol {
    appends: &[(Expected::Exact(0), 2), (Expected::Exact(0), 2), (Expected::Any, 1)],
    has_constraint: true,
    compares: true,
    is_one_transaction: true,
    undoes: 1,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Row {
    version: u8,
    /// Whose it is, and which of its events.
    append: usize,
    number: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum At {
    Begins,
    /// On top of this version.
    Inserts(u8),
    Commits(u8),
    Explains,
    Stored(u8),
    Conflict(u8),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    /// The committed events of the stream.
    events: Vec<Row>,
    appends: Vec<At>,
    /// Events that are not committed yet, of each append.
    open: Vec<Vec<Row>>,
    undone: u8,
}

#[derive(Debug, Clone, Copy)]
#[expect(dead_code, reason = "what is in a step is printed")]
enum Step {
    GoesOn(usize, At),
    Undoes(usize),
}

impl Expected {
    fn is_met_by(self, version: u8) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(expected) => expected == version,
        }
    }
}

impl State {
    fn version(&self) -> u8 {
        self.events.iter().map(|row| row.version).max().unwrap_or(0)
    }

    fn of(&self, append: usize) -> impl Iterator<Item = &Row> {
        self.events.iter().filter(move |row| row.append == append)
    }

    fn commit(&mut self, append: usize) {
        let rows = std::mem::take(&mut self.open[append]);
        self.events.extend(rows);
        self.events.sort_by_key(|row| (row.version, row.append));
    }
}

impl Protocol {
    fn go_on(&self, state: &State, append: usize) -> Option<State> {
        let (expected, count) = self.appends[append];
        let mut next = state.clone();
        next.appends[append] = match state.appends[append] {
            At::Begins => {
                let version = state.version();
                if self.compares && !expected.is_met_by(version) {
                    At::Conflict(version)
                } else {
                    At::Inserts(version)
                }
            }
            At::Inserts(before) => {
                let number = state.open[append].len() + state.of(append).count();
                let version = before + 1 + u8::try_from(number).unwrap();
                let is_there = |rows: &[Row]| rows.iter().any(|row| row.version == version);
                if self.has_constraint && state.open.iter().any(|rows| is_there(rows)) {
                    return None;
                }
                if self.has_constraint && is_there(&state.events) {
                    next.open[append].clear();
                    At::Explains
                } else {
                    next.open[append].push(Row { version, append, number });
                    if !self.is_one_transaction {
                        next.commit(append);
                    }
                    if number + 1 < count { At::Inserts(before) } else { At::Commits(before) }
                }
            }
            At::Commits(before) => {
                next.commit(append);
                At::Stored(before + u8::try_from(count).unwrap())
            }
            At::Explains => {
                let version = state.version();
                if expected.is_met_by(version) { At::Begins } else { At::Conflict(version) }
            }
            At::Stored(_) | At::Conflict(_) => return None,
        };
        Some(next)
    }
}

impl Model for Protocol {
    type State = State;
    type Step = Step;

    fn begin(&self) -> State {
        State {
            events: Vec::new(),
            appends: vec![At::Begins; self.appends.len()],
            open: vec![Vec::new(); self.appends.len()],
            undone: 0,
        }
    }

    fn next(&self, state: &State) -> Vec<(Step, State)> {
        let mut steps = Vec::new();
        for append in 0..self.appends.len() {
            let at = state.appends[append];
            if let Some(next) = self.go_on(state, append) {
                steps.push((Step::GoesOn(append, at), next));
            }
            if matches!(at, At::Inserts(_) | At::Commits(_)) && state.undone < self.undoes {
                let mut next = state.clone();
                next.undone += 1;
                next.open[append].clear();
                next.appends[append] = At::Begins;
                steps.push((Step::Undoes(append), next));
            }
        }
        steps
    }

    fn wrong(&self, state: &State) -> Option<String> {
        if state.events.iter().zip(1..).any(|(row, version)| row.version != version) {
            return Some("the versions of the stream have a gap, or one of them twice".to_owned());
        }
        for (append, (expected, count)) in self.appends.iter().enumerate() {
            let own: Vec<&Row> = state.of(append).collect();
            let first = own.first().map_or(0, |row| row.version);
            let in_order = own.iter().zip(0..).zip(first..);
            if !own.is_empty()
                && (own.len() != *count
                    || in_order.clone().any(|((row, number), version)| {
                        (row.number, row.version) != (number, version)
                    }))
            {
                return Some(format!("append {append} is there in part"));
            }
            if !own.is_empty() && !expected.is_met_by(first - 1) {
                return Some(format!("append {append} is not where it was to be"));
            }
            let last = own.last().map(|row| row.version);
            match state.appends[append] {
                At::Stored(version) if last != Some(version) => {
                    return Some(format!("append {append} is told what is not so"));
                }
                At::Conflict(actual) if last.is_some() || expected.is_met_by(actual) => {
                    return Some(format!("append {append} is refused for no reason"));
                }
                _ => {}
            }
        }
        None
    }

    fn is_settled(&self, state: &State) -> bool {
        let is_answered = |at: &At| matches!(at, At::Stored(_) | At::Conflict(_));
        state.appends.iter().all(is_answered)
            && state.appends.iter().any(|at| matches!(at, At::Stored(_)))
    }
}

#[test]
fn g1_g2_one_of_those_who_race_wins_and_stores_everything() {
    holds("versions, three appends to a new stream", &PROTOCOL, 150);
    let appends = &[
        (Expected::Exact(0), 2),
        (Expected::Exact(0), 1),
        (Expected::Exact(1), 2),
        (Expected::Exact(2), 1),
        (Expected::Any, 2),
    ];
    let five = Protocol { appends, undoes: 2, ..PROTOCOL };
    holds("versions, five appends that expect different ones", &five, 4_000);
}

#[test]
fn g1_g2_every_part_of_an_append_is_needed() {
    let check_then_insert = Protocol { has_constraint: false, ..PROTOCOL };
    fails("a check, then an insert, without a constraint", &check_then_insert, "one of them twice");
    let no_comparison = Protocol { compares: false, ..PROTOCOL };
    fails("the constraint, without a comparison", &no_comparison, "not where it was to be");
    let in_parts = Protocol { is_one_transaction: false, ..PROTOCOL };
    fails("a transaction for each event", &in_parts, "is there in part");
}

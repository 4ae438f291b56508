//! Calls by themselves, and against what their process knew when they began.

use std::collections::BTreeMap;

use super::{Breach, Evidence, States, Violation};
use crate::domain::Purse;
use crate::history::{Action, Entry, History, Outcome};

/// Kinds of failures that a fault explains.
const EXPLAINED: [&str; 3] = ["Unavailable", "Busy", "Conflict"];

pub(super) fn check(evidence: &Evidence, states: &States, violations: &mut Vec<Violation>) {
    for history in &evidence.histories {
        one_history(history, states, violations);
    }
}

/// A call that is under way.
struct Call<'a> {
    action: &'a Action,
    /// The version that the process knew its stream to have reached when it began.
    floor: u64,
}

fn one_history(history: &History, states: &States, violations: &mut Vec<Violation>) {
    let mut known: BTreeMap<String, u64> = BTreeMap::new();
    let mut under_way: BTreeMap<&str, Call<'_>> = BTreeMap::new();
    for line in &history.lines {
        let op = &*line.op;
        match &line.entry {
            Entry::Call { action, .. } => {
                let stream = stream(action);
                let floor = stream.and_then(|stream| known.get(&stream)).copied().unwrap_or(0);
                under_way.insert(op, Call { action, floor });
            }
            Entry::End(outcome) => {
                if let Outcome::Failed { kind, error } = outcome
                    && !EXPLAINED.contains(&&**kind)
                {
                    let found = format!("{op} failed with {kind}: {error}");
                    violations.push(Violation::new(Breach::Failure, found).of(op));
                }
                let Some(call) = under_way.remove(op) else { continue };
                let Some(stream) = stream(call.action) else { continue };
                let reached = one_end(op, outcome, &stream, call.floor, states, violations);
                let known = known.entry(stream).or_default();
                *known = reached.max(*known);
            }
        }
    }
}

/// The stream an action is about, if it is one.
fn stream(action: &Action) -> Option<String> {
    match action {
        Action::Order { place, .. } | Action::Look { place } => Some(place.stream()),
        Action::Transfer { .. } => None,
    }
}

/// The version that the stream is known to have reached.
fn one_end(
    op: &str,
    outcome: &Outcome,
    stream: &str,
    floor: u64,
    states: &States,
    violations: &mut Vec<Violation>,
) -> u64 {
    let mut stale = |version: u64, what: &str| {
        let found = format!("{op} {what} {stream} v{version}, when v{floor} was known");
        let violation = Violation::new(Breach::Stale, found);
        violations.push(violation.at(stream, version).of(op));
    };
    let (version, shown) = match *outcome {
        Outcome::Done { version: Some(version), replayed, .. } => {
            if version <= floor && !replayed {
                stale(version, "became");
            }
            return version;
        }
        Outcome::Refused { seen } => (seen.events, seen),
        Outcome::Saw { version, state } => (version, state),
        _ => return 0,
    };
    if version < floor {
        stale(version, "shows");
    }
    let empty = [Purse::default()];
    let states = states.get(stream).map_or(&empty[..], Vec::as_slice);
    let had = usize::try_from(version).ok().and_then(|version| states.get(version));
    if had != Some(&shown) {
        let found = format!("{op} shows {stream} as {shown:?} at v{version}, where it was {had:?}");
        violations.push(Violation::new(Breach::Mirage, found).at(stream, version).of(op));
    }
    version
}

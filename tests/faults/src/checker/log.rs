//! The log by itself: versions, order, and the state each event was decided on in.

use std::collections::BTreeMap;

use super::{Breach, Evidence, States, Stored, Violation};
use crate::domain::Purse;

pub(super) fn check(evidence: &Evidence, states: &States, violations: &mut Vec<Violation>) {
    order(&evidence.log, violations);
    decisions(&evidence.log, violations);
    reading(evidence, violations);
    loading(evidence, states, violations);
}

fn order(log: &[Stored], violations: &mut Vec<Violation>) {
    let mut last = 0;
    let mut versions: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for event in log {
        let Stored { position, stream, version, .. } = event;
        if *position <= last {
            let found = format!("position {position} of {stream} v{version} comes after {last}");
            violations.push(Violation::new(Breach::Disorder, found).at(stream, *version));
        }
        last = last.max(*position);
        versions.entry(stream).or_default().push(*version);
    }
    for (stream, found) in versions {
        if !found.is_sorted() {
            let found = format!("in the log, {stream} has versions in this order: {found:?}");
            violations.push(Violation::new(Breach::Disorder, found).in_stream(stream));
        }
        let mut sorted = found;
        sorted.sort_unstable();
        let odd = sorted.iter().zip(1..).find(|(version, expected)| *version != expected);
        if let Some((version, expected)) = odd {
            let found = format!("{stream} has version {version} where {expected} should be");
            violations.push(Violation::new(Breach::Gap, found).at(stream, expected));
        }
    }
}

/// Each event tells the state in which its operation was decided on: the one before its first event.
fn decisions(log: &[Stored], violations: &mut Vec<Violation>) {
    let mut states: BTreeMap<&str, Purse> = BTreeMap::new();
    for event in log {
        let Stored { stream, version, mark, left, right, .. } = event;
        let state = states.entry(stream).or_default();
        if mark.part == 0 && mark.seen != *state {
            let seen = mark.seen;
            let found =
                format!("{} was decided on in {seen:?}, but {stream} was {state:?}", mark.op);
            let violation = Violation::new(Breach::Misjudged, found);
            violations.push(violation.at(stream, *version).of(&mark.op));
        }
        *state = state.after(*left, *right);
        if state.left < 0 || state.right < 0 {
            let found = format!("{stream} is {state:?}");
            let violation = Violation::new(Breach::Overdrawn, found);
            violations.push(violation.at(stream, *version).of(&mark.op));
        }
    }
}

/// Readers of the log get what is stored.
fn reading(Evidence { log, read, .. }: &Evidence, violations: &mut Vec<Violation>) {
    let stored = log.iter().map(|event| (event.position, &event.stream, event.version));
    let read = read.iter().map(|event| (event.position, &event.stream, event.version));
    let odd = stored.clone().zip(read.clone()).find(|(stored, read)| stored != read);
    if let Some((stored, read)) = odd {
        let found = format!("{stored:?} is stored where {read:?} was read");
        violations.push(Violation::new(Breach::Misread, found).at(stored.1, stored.2));
    } else if stored.len() != read.len() {
        let found = format!("{} events are stored and {} were read", stored.len(), read.len());
        violations.push(Violation::new(Breach::Misread, found));
    }
}

/// A process that begins now loads the state that the events give.
fn loading(evidence: &Evidence, states: &States, violations: &mut Vec<Violation>) {
    for (stream, states) in states {
        let expected = states.last().map(|state| (state.events, *state));
        let loaded = evidence.loaded.get(stream).copied();
        if loaded != expected {
            let found = format!("{stream} is {expected:?}, but {loaded:?} was loaded");
            violations.push(Violation::new(Breach::Misloaded, found).in_stream(stream));
        }
    }
}

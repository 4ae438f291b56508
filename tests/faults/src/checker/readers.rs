//! What followed the log: subscriptions, the projection, views, and what is parked.

use std::collections::{BTreeMap, BTreeSet};

use super::{Breach, Evidence, Stage, States, Stored, Violation};
use crate::reading::FAILING;

pub(super) fn check(evidence: &Evidence, states: &States, violations: &mut Vec<Violation>) {
    for (name, followed) in &evidence.followed {
        let seen: Vec<_> =
            followed.iter().map(|event| (event.position, &*event.stream, event.version)).collect();
        let all: Vec<_> = evidence.log.iter().map(place).collect();
        sequence(name, &seen, &all, violations);
    }
    // Where the first spoiled event of each stream is.
    let mut spoiled: BTreeMap<&str, u64> = BTreeMap::new();
    for event in evidence.log.iter().filter(|event| event.is_spoiled) {
        let first = spoiled.entry(&event.stream).or_insert(event.version);
        *first = event.version.min(*first);
    }
    parked(&evidence.parked, &spoiled, violations);
    stage("while spoiled events fail", evidence, &evidence.parked, states, &spoiled, violations);
    let none = BTreeMap::new();
    parked(&evidence.mended, &none, violations);
    stage("in the end", evidence, &evidence.mended, states, &none, violations);
}

fn place(event: &Stored) -> (u64, &str, u64) {
    (event.position, &*event.stream, event.version)
}

/// A subscription has seen everything once and in order.
fn sequence(
    name: &str,
    seen: &[(u64, &str, u64)],
    all: &[(u64, &str, u64)],
    violations: &mut Vec<Violation>,
) {
    twice_or_missed(name, seen, all, violations);
    let disorder = seen.windows(2).find(|pair| pair[0].0 > pair[1].0);
    if let Some([before, after]) = disorder {
        let found = format!("{name} has seen {after:?} after {before:?}");
        let violation = Violation::new(Breach::SeenInDisorder, found);
        violations.push(violation.at(after.1, after.2));
    }
}

fn twice_or_missed(
    name: &str,
    seen: &[(u64, &str, u64)],
    all: &[(u64, &str, u64)],
    violations: &mut Vec<Violation>,
) {
    let mut distinct = BTreeSet::new();
    for event in seen {
        if !distinct.insert(event) {
            let found = format!("{name} has seen {event:?} twice");
            violations.push(Violation::new(Breach::SeenTwice, found).at(event.1, event.2));
        }
    }
    for event in all.iter().filter(|event| !distinct.contains(event)) {
        let found = format!("{name} has not seen {event:?}");
        violations.push(Violation::new(Breach::Missed, found).at(event.1, event.2));
    }
    let all: BTreeSet<_> = all.iter().collect();
    for event in distinct.into_iter().filter(|event| !all.contains(event)) {
        let found = format!("{name} has seen {event:?}, which it should not have");
        violations.push(Violation::new(Breach::SeenTwice, found).at(event.1, event.2));
    }
}

/// Streams are parked at their first spoiled event, and no others.
fn parked(stage: &Stage, spoiled: &BTreeMap<&str, u64>, violations: &mut Vec<Violation>) {
    let mut expected = BTreeSet::new();
    for projection in FAILING {
        for (stream, version) in spoiled {
            expected.insert((projection.to_owned(), (*stream).to_owned(), *version));
        }
    }
    for (projection, stream, version) in expected.symmetric_difference(&stage.parked) {
        let is_parked = stage.parked.contains(&(projection.clone(), stream.clone(), *version));
        let found = if is_parked {
            format!("{projection} has parked {stream} at v{version}, which it can take")
        } else {
            format!("{projection} has not parked {stream} at v{version}")
        };
        violations.push(Violation::new(Breach::Parked, found).at(stream, *version));
    }
}

/// Rows are what the events fold to, up to the spoiled ones.
fn stage(
    when: &str,
    evidence: &Evidence,
    stage: &Stage,
    states: &States,
    spoiled: &BTreeMap<&str, u64>,
    violations: &mut Vec<Violation>,
) {
    let is_taken =
        |event: &&Stored| spoiled.get(&*event.stream).is_none_or(|first| event.version < *first);
    let expected: Vec<_> = evidence.log.iter().filter(is_taken).map(place).collect();
    let applied: Vec<_> =
        stage.applied.iter().map(|event| (event.position, &*event.stream, event.version)).collect();
    let name = format!("the projection, {when},");
    twice_or_missed(&name, &applied, &expected, violations);
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, stream, version) in &applied {
        let last = last.entry(stream).or_default();
        if version < last {
            let found = format!("{name} has taken {stream} v{version} after v{last}");
            let violation = Violation::new(Breach::SeenInDisorder, found);
            violations.push(violation.at(stream, *version));
        }
        *last = *version;
    }
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for (_, stream, _) in &expected {
        *counts.entry((*stream).to_owned()).or_default() += 1;
    }
    differences(&format!("counters, {when}"), &counts, &stage.counters, Some, violations);
    let balances = counts.iter().filter_map(|(stream, count)| {
        let purse = states.get(stream)?.get(usize::try_from(*count).ok()?)?;
        Some((stream.clone(), (*purse, *count)))
    });
    let (name, balances) = (format!("balances, {when}"), balances.collect());
    differences(&name, &balances, &stage.balances, Some, violations);
    // This view takes spoiled events.
    let mut totals: BTreeMap<String, (i64, u64)> = BTreeMap::new();
    for event in &evidence.log {
        let category = event.stream.split('/').next().unwrap_or_default();
        let total = totals.entry(category.to_owned()).or_default();
        *total = (total.0 + event.left + event.right, total.1 + 1);
    }
    differences(&format!("totals, {when}"), &totals, &stage.totals, |_| None, violations);
}

/// Rows that are not as expected; `stream` tells which stream a row is about.
fn differences<'a, T: PartialEq + std::fmt::Debug>(
    what: &str,
    expected: &'a BTreeMap<String, T>,
    found: &'a BTreeMap<String, T>,
    stream: impl Fn(&'a str) -> Option<&'a str>,
    violations: &mut Vec<Violation>,
) {
    let keys: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    for key in keys {
        let (expected, found) = (expected.get(key), found.get(key));
        if expected != found {
            let found = format!("{what}: {key} should be {expected:?} and is {found:?}");
            let violation = Violation::new(Breach::View, found);
            violations.push(match stream(key) {
                Some(stream) => violation.in_stream(stream),
                None => violation,
            });
        }
    }
}

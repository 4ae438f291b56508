//! What has changed since the lock was written, and what to do about it.

use std::collections::BTreeSet;

use super::text::{Event, Kind, Lock, shown};
use crate::given::report::difference;

/// A change since the lock was written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Whether stored events may no longer be what they were.
    pub(super) is_breaking: bool,
    pub(super) what: String,
    /// Lines of the lock.
    pub(super) difference: String,
    /// What to do.
    pub(super) mend: String,
}

impl Change {
    fn breaking(what: String, mend: String) -> Self {
        Self { is_breaking: true, what, difference: String::new(), mend }
    }

    fn addition(what: String) -> Self {
        Self { is_breaking: false, what, difference: String::new(), mend: String::new() }
    }

    fn with(self, before: &[String], after: &[String]) -> Self {
        Self { difference: difference(before, after), ..self }
    }
}

/// All changes, by name.
pub(super) fn changes(recorded: &Lock, current: &Lock) -> Vec<Change> {
    let mut changes = Vec::new();
    for (name, event) in &current.events {
        changes.extend(change_of_shape(recorded, current, name, event));
        changes.extend(change_of_facts(recorded, name, event));
    }
    for name in names(recorded) {
        changes.extend(changes_of_reading(recorded, current, name));
    }
    for (name, category) in current.ignored.difference(&recorded.ignored) {
        changes.push(Change::addition(format!(
            "`{name}` is passed over in the streams of `{category}`"
        )));
    }
    for (name, category) in recorded.ignored.difference(&current.ignored) {
        changes.extend(no_longer_ignored(current, name, category));
    }
    let merged = merged(recorded, current);
    if changes.is_empty() && merged != *recorded {
        let lines = |lock: &Lock| lock.to_text().lines().map(str::to_owned).collect::<Vec<_>>();
        let change = Change::addition("the file is not as it would be written".to_owned());
        changes.push(change.with(&lines(recorded), &lines(&merged)));
    }
    changes
}

/// The lock with what is new, and with all that was before: the shapes of earlier versions stay.
pub(super) fn merged(recorded: &Lock, current: &Lock) -> Lock {
    let mut merged = current.clone();
    for (kind, lines) in &recorded.shapes {
        let (name, version) = (&kind.0, kind.1);
        let is_read = reading(current, name).is_some_and(|newest| version <= newest)
            && is_covered(current, name, version);
        // What was accepted as gone is not kept: nothing could read it.
        if is_read {
            merged.shapes.entry(kind.clone()).or_insert_with(|| lines.clone());
        }
    }
    merged
}

/// The names it is stored under, its own first.
fn own_names<'a>(name: &'a str, event: &'a Event) -> impl Iterator<Item = &'a str> {
    std::iter::once(name).chain(event.aliases.iter().map(String::as_str))
}

/// The newest version of a stored name that is read; `None` if none is. What is passed over is read at any version.
fn reading(lock: &Lock, name: &str) -> Option<u32> {
    let is_own = |(own, event): &(&String, &Event)| own_names(own, event).any(|own| own == name);
    if let Some((_, event)) = lock.events.iter().find(is_own) {
        return Some(event.version);
    }
    if lock.ignored.iter().any(|(ignored, _)| ignored == name) {
        return Some(u32::MAX);
    }
    let steps = lock.events.values().flat_map(|event| &event.steps);
    steps.filter(|((from, _), _)| from == name).map(|((_, version), _)| *version).max()
}

/// All stored names that are recorded.
fn names(lock: &Lock) -> BTreeSet<&str> {
    let events = lock.events.iter().flat_map(|(name, event)| {
        let sources = event.steps.iter().map(|((from, _), _)| from.as_str());
        own_names(name, event).chain(sources)
    });
    let ignored = lock.ignored.iter().map(|(name, _)| name.as_str());
    let shapes = lock.shapes.keys().map(|(name, _)| name.as_str());
    events.chain(ignored).chain(shapes).collect()
}

fn change_of_shape(recorded: &Lock, current: &Lock, name: &str, event: &Event) -> Option<Change> {
    let version = event.version;
    let after = current.shapes.get(&(name.to_owned(), version))?;
    let newest = own_names(name, event).flat_map(|own| versions(recorded, own)).max();
    let Some(newest) = newest else {
        let what = format!("`{name}` v{version} is a new event type");
        return Some(Change::addition(what).with(&[], after));
    };
    if newest > version {
        return Some(Change::breaking(
            format!("`{name}` is at v{version}, but v{newest} was recorded: its version went down"),
            format!(
                "set `version = {newest}` again, or a higher one; if no event of v{newest} was ever stored, accept it with \
                 `EVENTS_LOCK=accept cargo test`"
            ),
        ));
    }
    let shape = |own: &str| recorded.shapes.get_key_value(&(own.to_owned(), version));
    let Some((kind, before)) = own_names(name, event).find_map(shape) else {
        let what = format!("`{name}` v{version} is a new version");
        return Some(Change::addition(what).with(&[], after));
    };
    if before == after {
        return None;
    }
    if is_respelled(before, after) {
        let what = format!("`{name}` v{version} is written in other words, and stored as before");
        return Some(Change::addition(what).with(before, after));
    }
    let change = Change::breaking(
        format!("the stored form of `{}` v{version} has changed, but not its version", kind.0),
        format!(
            "raise `version` of `{name}` to {next}, and keep v{version} readable with `upcast({version} => …)`; if no event \
             of v{version} was ever stored, accept it with `EVENTS_LOCK=accept cargo test`",
            next = version + 1
        ),
    );
    Some(change.with(before, after))
}

/// What else is said of an event type: aliases, steps, the version that is written.
fn change_of_facts(recorded: &Lock, name: &str, event: &Event) -> Option<Change> {
    let before = recorded.events.get(name)?;
    let (before, after) = (before.lines(), event.lines());
    if before == after {
        return None;
    }
    let what = format!("names, steps or the written version of `{name}` have changed");
    Some(Change::addition(what).with(&before, &after))
}

/// What has become of a recorded name: it may be read in another way than before, or not at all.
fn changes_of_reading(recorded: &Lock, current: &Lock, name: &str) -> Vec<Change> {
    if reading(current, name).is_none() {
        return vec![Change::breaking(
            format!("events stored as `{name}` can no longer be read"),
            format!(
                "keep the type as `#[event(retired)]`, name it in another with `alias = {name:?}` or `from({name:?}, …)`, or \
                 list it in `#[aggregate(ignore({name:?}))]`; if none was ever stored, accept it with `EVENTS_LOCK=accept \
                 cargo test`"
            ),
        )];
    }
    let versions = versions(recorded, name);
    let uncovered = versions.into_iter().filter(|version| !is_covered(current, name, *version));
    let mut changes: Vec<Change> = uncovered
        .map(|version| {
            let mend = if current.events.contains_key(name) {
                format!("write it: `upcast({version} => …)`")
            } else {
                format!("write it in `from({name:?}, upcast({version} => …))`")
            };
            Change::breaking(
                format!("`{name}` v{version} is recorded, but there is no step from it"),
                format!(
                    "{mend}; if no event of v{version} was ever stored, accept it with `EVENTS_LOCK=accept cargo test`"
                ),
            )
        })
        .collect();
    let is_ignored = |lock: &Lock| lock.ignored.iter().any(|(ignored, _)| ignored.as_str() == name);
    let is_event = |lock: &Lock| lock.events.contains_key(name);
    if is_event(recorded) && !is_event(current) {
        let what = format!("`{name}` is no longer an event type of its own");
        changes.push(Change::addition(what));
    }
    if is_ignored(recorded) && !is_ignored(current) {
        changes.push(Change::addition(format!("`{name}` is no longer passed over")));
    }
    changes
}

/// A name that was passed over in the streams of this category, and is no longer.
fn no_longer_ignored(current: &Lock, name: &str, category: &str) -> Option<Change> {
    let what = format!("`{name}` is no longer passed over in the streams of `{category}`");
    let is_read = current.events.iter().any(|(own, event)| {
        own_names(own, event).any(|own| own == name)
            || event.steps.iter().any(|((from, _), _)| from == name)
    });
    if is_read {
        return Some(Change::addition(what));
    }
    // That it is read nowhere is told by itself.
    reading(current, name)?;
    let mend = format!("list it in `#[aggregate(ignore({name:?}))]` of that aggregate again");
    Some(Change::breaking(what, mend))
}

/// All versions of a stored name that are recorded.
fn versions(lock: &Lock, name: &str) -> BTreeSet<u32> {
    let shapes = lock.shapes_of(name).map(|((_, version), _)| *version);
    let known = lock.events.get(name).map(|event| event.version);
    let steps = lock.events.values().flat_map(|event| &event.steps);
    let sources = steps.filter(|((from, _), _)| from == name).map(|((_, version), _)| *version);
    shapes.chain(known).chain(sources).collect()
}

/// Whether there is a step from this version, or none is needed.
fn is_covered(lock: &Lock, name: &str, version: u32) -> bool {
    let own = lock.events.iter().find(|(own, event)| own_names(own, event).any(|own| own == name));
    if let Some((own, event)) = own {
        // That the version went down is told by itself.
        return version >= event.version || has_step(event, own, version);
    }
    lock.ignored.iter().any(|(ignored, _)| ignored == name)
        || lock.events.values().any(|event| has_step(event, name, version))
}

fn has_step(event: &Event, name: &str, version: u32) -> bool {
    event.steps.iter().any(|((from, at), _)| from == name && *at == version)
}

/// Whether two shapes differ only in names of Rust types, and both show wholly what is stored.
fn is_respelled(before: &[String], after: &[String]) -> bool {
    let shows = |lines: &[String]| lines.iter().all(|line| shows_wholly(line));
    shows(before) && shows(after) && without_names(before) == without_names(after)
}

fn shows_wholly(line: &str) -> bool {
    const HIDDEN: [&str; 5] = ["opaque", "any", "like", "checked", "nobody"];
    !line.contains("~:") && words(line).all(|word| !HIDDEN.contains(&word))
}

/// The lines without the types as they are written, and with numbers for the names of types.
fn without_names(lines: &[String]) -> Vec<String> {
    let declared: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("type ").or_else(|| line.strip_prefix("enum ")))
        .filter_map(|rest| rest.split(' ').next())
        .collect();
    let line = |line: &String| {
        let untyped = match line.split_once(" as `") {
            Some((form, rest)) => {
                let attributes = rest.split_once('`').map_or("", |(_, attributes)| attributes);
                format!("{form}{attributes}")
            }
            None => line.clone(),
        };
        let mut text = String::new();
        let mut rest = untyped.as_str();
        while let Some(word) = words(rest).next() {
            let at = rest.find(word).unwrap_or(0);
            text.push_str(&rest[..at]);
            match declared.iter().position(|name| *name == word) {
                Some(number) => text.extend(["#", &number.to_string()]),
                None => text.push_str(word),
            }
            rest = &rest[at + word.len()..];
        }
        text.push_str(rest);
        text
    };
    lines.iter().map(line).collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !(character.is_alphanumeric() || "_.".contains(character)))
        .filter(|word| !word.is_empty())
}

/// The versions of the lock that none of these samples has.
pub(super) fn without_sample<'a>(
    recorded: &'a Lock,
    sampled: &'a BTreeSet<Kind>,
) -> impl Iterator<Item = String> + 'a {
    recorded.shapes.keys().filter(|kind| !sampled.contains(*kind)).map(shown)
}

//! What clients were told against what is stored.

use std::collections::BTreeMap;

use super::{Breach, Evidence, Stored, Violation};
use crate::domain::Order;
use crate::history::{Action, Effect, Entry, History, Outcome};

/// What is known of an operation from all of its calls.
struct Told<'a> {
    action: &'a Action,
    /// A call ended well.
    done: Option<&'a Outcome>,
    /// The last call was refused, or one after another that ended well.
    refused: bool,
    /// A call has no end, or one that tells nothing, and none was refused since.
    is_open: bool,
    /// The last call has not ended.
    is_under_way: bool,
}

/// The events of each operation, by their mark.
type Marked<'a> = BTreeMap<&'a str, Vec<&'a Stored>>;

pub(super) fn check(evidence: &Evidence, violations: &mut Vec<Violation>) {
    let told = told(&evidence.histories);
    let mut marked = Marked::new();
    for event in &evidence.log {
        marked.entry(&event.mark.op).or_default().push(event);
    }
    let mut asked = BTreeMap::new();
    for (op, told) in &told {
        for effect in told.action.effects(op) {
            let events = marked.get(&*effect.mark).map(Vec::as_slice).unwrap_or_default();
            one_effect(op, told, &effect, events, violations);
            asked.insert(effect.mark, told);
        }
        torn(op, told.action, &marked, violations);
    }
    for (mark, events) in &marked {
        if !asked.contains_key(*mark) {
            let Stored { stream, version, .. } = events[0];
            let found = format!("nobody asked for {mark}, which is {stream} v{version}");
            let violation = Violation::new(Breach::Unasked, found);
            violations.push(violation.at(stream, *version).of(mark));
        }
    }
    money(&told, &marked, &evidence.log, violations);
}

fn told(histories: &[History]) -> BTreeMap<&str, Told<'_>> {
    let mut all: BTreeMap<&str, Told<'_>> = BTreeMap::new();
    // Lives of a process follow each other, and have names in that order.
    for line in histories.iter().flat_map(|history| &history.lines) {
        match &line.entry {
            Entry::Call { action, .. } => {
                let new = Told {
                    action,
                    done: None,
                    refused: false,
                    is_open: false,
                    is_under_way: false,
                };
                let told = all.entry(&line.op).or_insert(new);
                // The call before was never heard of again.
                told.is_open |= told.is_under_way;
                told.is_under_way = true;
                // What was refused once may be carried out later; what was carried out must not be refused.
                told.refused &= told.done.is_some();
            }
            Entry::End(outcome) => {
                let Some(told) = all.get_mut(&*line.op) else { continue };
                told.is_under_way = false;
                match outcome {
                    Outcome::Done { .. } | Outcome::Found => told.done = Some(outcome),
                    // That is the last word, whatever was unknown before: its sender goes and does something else.
                    Outcome::Refused { .. } => (told.refused, told.is_open) = (true, false),
                    Outcome::Unknown { .. } | Outcome::Cancelled => told.is_open = true,
                    Outcome::Failed { .. } | Outcome::Saw { .. } => {}
                }
            }
        }
    }
    for told in all.values_mut() {
        told.is_open |= told.is_under_way;
    }
    all
}

fn one_effect(
    op: &str,
    told: &Told<'_>,
    Effect { mark, stream }: &Effect,
    events: &[&Stored],
    violations: &mut Vec<Violation>,
) {
    let mut breach = |breach, found: String| {
        let violation = Violation::new(breach, found).of(op);
        violations.push(match events.first() {
            Some(event) => violation.at(&event.stream, event.version),
            None => violation.in_stream(stream),
        });
    };
    let Some(first) = events.first() else {
        if told.done.is_some() {
            breach(Breach::Lost, format!("{mark} was acknowledged and is not in {stream}"));
        }
        return;
    };
    let places: Vec<_> =
        events.iter().map(|event| (&event.stream, event.version, event.mark.part)).collect();
    let parts = first.mark.parts;
    let zeros = events.iter().filter(|event| event.mark.part == 0).count();
    if zeros > 1 || events.len() > parts as usize {
        breach(Breach::Doubled, format!("{mark} is stored more than once: {places:?}"));
    } else {
        let expected: Vec<_> =
            (0..parts).map(|part| (stream, first.version + u64::from(part), part)).collect();
        if places != expected {
            breach(
                Breach::Partial,
                format!("{mark} has {parts} events, and stored are {places:?}"),
            );
        }
    }
    if told.refused {
        breach(Breach::Undead, format!("{mark} was refused and is stored: {places:?}"));
    } else if told.done.is_none() && !told.is_open {
        breach(Breach::Undead, format!("{mark} failed for certain and is stored: {places:?}"));
    }
    if let Some(Outcome::Done { version, position, .. }) = told.done {
        let last = events[events.len() - 1];
        let is_there = version.is_none_or(|version| version == last.version)
            && position.is_none_or(|position| position >= last.position);
        if !is_there {
            let said = format!("v{version:?} at {position:?}");
            breach(Breach::Misplaced, format!("{mark} was said to be {said}, and is {last:?}"));
        }
    }
}

fn torn(op: &str, action: &Action, marked: &Marked<'_>, violations: &mut Vec<Violation>) {
    if !matches!(action, Action::Transfer { .. }) {
        return;
    }
    let effects = action.effects(op);
    let stored: Vec<bool> =
        effects.iter().map(|effect| marked.contains_key(&*effect.mark)).collect();
    if let Some(missing) = stored.iter().position(|is_stored| !is_stored)
        && stored.contains(&true)
    {
        let Effect { mark, stream } = &effects[missing];
        let found =
            format!("of transfer {op}, {mark} is not in {stream} and the other step is there");
        violations.push(Violation::new(Breach::Torn, found).of(op).in_stream(stream));
    }
}

/// The money that is there is what was brought in, by the commands whose events are there.
fn money(
    told: &BTreeMap<&str, Told<'_>>,
    marked: &Marked<'_>,
    log: &[Stored],
    violations: &mut Vec<Violation>,
) {
    let brought: i64 = told
        .iter()
        .filter(|(op, _)| marked.contains_key(**op))
        .map(|(_, told)| match told.action {
            Action::Order { order: Order::Deposit { cents, parts }, .. } => {
                cents * i64::from(*parts)
            }
            Action::Order { order: Order::Withdraw { cents }, .. } => -cents,
            _ => 0,
        })
        .sum();
    let there: i64 = log.iter().map(|event| event.left + event.right).sum();
    if brought != there {
        let found = format!("{brought} cents were brought in, and {there} are there");
        violations.push(Violation::new(Breach::Money, found));
    }
}

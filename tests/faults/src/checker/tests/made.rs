//! Evidence that is made by hand.

use std::collections::BTreeMap;

use super::super::{Applied, Evidence, Stage, Stored};
use crate::domain::{Mark, Order, Place, Purse, Transfer};
use crate::history::{Action, Entry, History, Line, Outcome};
use crate::worker::Followed;

pub(super) const WALLET: &str = "wallet/a";
pub(super) const VAULT: &str = "vault/b";

pub(super) fn wallet() -> Place {
    Place { is_wallet: true, key: "a".to_owned() }
}

fn vault() -> Place {
    Place { is_wallet: false, key: "b".to_owned() }
}

fn line(op: &str, entry: Entry) -> Line {
    Line { at: 0, op: op.to_owned(), entry }
}

pub(super) fn called(op: &str, action: Action) -> Line {
    let keyed = matches!(action, Action::Transfer { .. });
    line(op, Entry::Call { action, keyed })
}

pub(super) fn ended(op: &str, outcome: Outcome) -> Line {
    line(op, Entry::End(outcome))
}

pub(super) fn deposit(cents: i64, parts: u32) -> Action {
    Action::Order { place: wallet(), order: Order::Deposit { cents, parts } }
}

pub(super) fn done(version: u64, position: u64) -> Outcome {
    Outcome::Done { version: Some(version), position: Some(position), replayed: false }
}

pub(super) fn failed(kind: &str) -> Outcome {
    Outcome::Failed { kind: kind.to_owned(), error: "some error".to_owned() }
}

pub(super) fn purse(left: i64, right: i64, events: u64) -> Purse {
    Purse { left, right, events }
}

/// An event of which the state before is to be made up.
fn event(stream: &str, op: &str, (part, parts): (u32, u32), (left, right): (i64, i64)) -> Stored {
    let mark = Mark { op: op.to_owned(), part, parts, seen: Purse::default() };
    Stored {
        position: 0,
        stream: stream.to_owned(),
        version: 0,
        mark,
        left,
        right,
        is_spoiled: false,
    }
}

/// Numbers events as a store does, and has them seen by all followers.
pub(super) fn evidence(mut log: Vec<Stored>, histories: Vec<Vec<Line>>) -> Evidence {
    let mut states: BTreeMap<String, Vec<Purse>> = BTreeMap::new();
    let mut batches: BTreeMap<String, Purse> = BTreeMap::new();
    for (event, position) in log.iter_mut().zip(1..) {
        let states = states.entry(event.stream.clone()).or_insert_with(|| vec![Purse::default()]);
        let before = states[states.len() - 1];
        let batch = batches.entry(event.mark.op.clone()).or_insert(before);
        event.mark.seen = *batch;
        event.position = position;
        event.version = before.events + 1;
        states.push(before.after(event.left, event.right));
    }
    let mut spoiled: Vec<&str> = Vec::new();
    let (mut parked, mut mended) = (Stage::default(), Stage::default());
    for event in &log {
        if event.is_spoiled {
            spoiled.push(&event.stream);
            for projection in crate::reading::FAILING {
                let place = (projection.to_owned(), event.stream.clone(), event.version);
                parked.parked.insert(place);
            }
        }
        take(&mut mended, event, &states, false);
        take(&mut parked, event, &states, spoiled.contains(&&*event.stream));
    }
    let seen: Vec<Followed> = log
        .iter()
        .map(|event| Followed {
            position: event.position,
            stream: event.stream.clone(),
            version: event.version,
        })
        .collect();
    let last = |states: &Vec<Purse>| (states.len() as u64 - 1, states[states.len() - 1]);
    let loaded = states.iter().map(|(stream, states)| (stream.clone(), last(states))).collect();
    let named = |(lines, number): (_, u32)| History { name: format!("writer-{number}"), lines };
    Evidence {
        read: seen.clone(),
        loaded,
        histories: histories.into_iter().zip(0..).map(named).collect(),
        parked,
        mended,
        followed: vec![("worker 0".to_owned(), seen)],
        log,
    }
}

fn take(stage: &mut Stage, event: &Stored, states: &BTreeMap<String, Vec<Purse>>, waits: bool) {
    let Stored { position, stream, version, left, right, .. } = event.clone();
    let category = stream.split('/').next().unwrap().to_owned();
    let total = stage.totals.entry(category).or_default();
    *total = (total.0 + left + right, total.1 + 1);
    if waits {
        return;
    }
    *stage.counters.entry(stream.clone()).or_default() += 1;
    let purse = states[&stream][usize::try_from(version).unwrap()];
    stage.balances.insert(stream.clone(), (purse, version));
    stage.applied.push(Applied { stream, version, position });
}

/// A bit of everything, and all of it is sound.
pub(super) fn sound() -> Evidence {
    let [out, into] = Transfer::steps("t");
    let spoiled = Stored { is_spoiled: true, ..event(VAULT, "s", (0, 1), (0, 0)) };
    let log = vec![
        event(WALLET, "d", (0, 2), (10, 0)),
        event(WALLET, "d", (1, 2), (10, 0)),
        event(WALLET, "m", (0, 2), (-5, 0)),
        event(WALLET, "m", (1, 2), (0, 5)),
        event(WALLET, &out, (0, 1), (-4, 0)),
        event(VAULT, &into, (0, 1), (4, 0)),
        spoiled,
        event(WALLET, "u", (0, 1), (1, 0)),
    ];
    let transfer = Action::Transfer { from: wallet(), to: vault(), cents: 4 };
    let order = |place, order| Action::Order { place, order };
    let first = vec![
        called("d", deposit(10, 2)),
        ended("d", done(2, 2)),
        called("r", order(wallet(), Order::Withdraw { cents: 100 })),
        ended("r", Outcome::Refused { seen: purse(20, 0, 2) }),
        called("m", order(wallet(), Order::Shift { cents: 5 })),
        ended("m", done(4, 4)),
        called("l", Action::Look { place: wallet() }),
        ended("l", Outcome::Saw { version: 4, state: purse(15, 5, 4) }),
        called("f", deposit(3, 1)),
        ended("f", failed("Busy")),
        called("t", transfer.clone()),
    ];
    let second = vec![
        called("t", transfer),
        ended("t", Outcome::Done { version: None, position: None, replayed: false }),
        called("s", order(vault(), Order::Spoil)),
        ended("s", Outcome::Cancelled),
        called("u", deposit(1, 1)),
        ended("u", Outcome::Unknown { error: "the connection broke".to_owned() }),
        called("n", deposit(1, 1)),
        ended("n", Outcome::Cancelled),
    ];
    evidence(log, vec![first, second])
}

/// Takes events out of the log as if they had never been stored.
pub(super) fn without(before: &Evidence, op: &str) -> Evidence {
    let mut log = before.log.clone();
    log.retain(|event| event.mark.op != op);
    let histories = before.histories.iter().map(|history| history.lines.clone()).collect();
    evidence(log, histories)
}

/// Has calls end in another way.
pub(super) fn rewrite(evidence: &mut Evidence, op: &str, outcome: &Outcome) {
    for line in evidence.histories.iter_mut().flat_map(|history| &mut history.lines) {
        if line.op == op && matches!(line.entry, Entry::End(_)) {
            line.entry = Entry::End(outcome.clone());
        }
    }
}

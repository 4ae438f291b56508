use cqrs::{Aggregate, Apply, Event};
use serde::{Deserialize, Serialize};

#[derive(Event)]
struct Opened;

#[derive(Default, Aggregate)]
#[aggregate(events(Opened), snapshot(every = 100))]
struct Nothing;

#[derive(Default, Serialize, Deserialize, Aggregate)]
#[aggregate(events(Opened), snapshot(replay_ms = 20))]
struct NoPartialEq;

impl Apply<Opened> for Nothing {
    fn apply(&mut self, _: Opened) {}
}

impl Apply<Opened> for NoPartialEq {
    fn apply(&mut self, _: Opened) {}
}

fn main() {}

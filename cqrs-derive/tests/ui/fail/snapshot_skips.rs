use cqrs::{Aggregate, Apply, Event};
use serde::{Deserialize, Serialize};

#[derive(Event)]
struct Opened;

#[derive(Default, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(events(Opened), snapshot(every = 100))]
struct Account {
    owner: String,
    #[serde(skip)]
    cached: u64,
    #[serde(default, skip_serializing)]
    other: u64,
}

impl Apply<Opened> for Account {
    fn apply(&mut self, _: Opened) {}
}

fn main() {}

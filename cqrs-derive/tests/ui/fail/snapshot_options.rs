use cqrs::{Aggregate, Apply, Event};
use serde::{Deserialize, Serialize};

#[derive(Event)]
struct Opened;

#[derive(Default, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(events(Opened), snapshot = 100)]
struct Assigned;

#[derive(Default, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(events(Opened), snapshot(every = 100, replay_ms = 20))]
struct Both;

#[derive(Default, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(events(Opened), snapshot(every = 0, version = 0, evry = 1))]
struct Zero;

#[derive(Default, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(events(Opened), snapshot(every = "100"))]
struct Quoted;

#[derive(Default, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(events(Opened), snapshot(every = 18446744073709551616))]
struct Large;

macro_rules! apply {
    ($($aggregate:ident)*) => {$(
        impl Apply<Opened> for $aggregate {
            fn apply(&mut self, _: Opened) {}
        }
    )*};
}

apply!(Assigned Both Zero Quoted Large);

fn main() {}

use cqrs::{Aggregate, Apply, Event};

#[derive(Event)]
struct Opened;

#[derive(Aggregate)]
#[aggregate(events(Opened))]
struct Account {
    owner: String,
}

impl Apply<Opened> for Account {
    fn apply(&mut self, _: Opened) {}
}

fn main() {}

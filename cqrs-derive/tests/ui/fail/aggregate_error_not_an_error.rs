use cqrs::{Aggregate, Apply, Event};

struct Refused;

#[derive(Event)]
struct Opened;

#[derive(Default, Aggregate)]
#[aggregate(events(Opened), error = Refused)]
struct Account;

impl Apply<Opened> for Account {
    fn apply(&mut self, _: Opened) {}
}

fn main() {}

use cqrs::{Aggregate, Apply, Command, Event};

#[derive(Event)]
struct Opened;

#[derive(Default, Aggregate)]
#[aggregate(events(Opened))]
struct Account;

impl Apply<Opened> for Account {
    fn apply(&mut self, _: Opened) {}
}

#[derive(Clone, Command)]
#[command(aggregate = Account, id = account)]
struct Open {
    account: String,
}

fn main() {}

use cqrs::{Aggregate, Apply, Command, Decision, Event, Handle, emit};

#[derive(Event)]
struct Opened;

#[derive(Default, Aggregate)]
#[aggregate(events(Opened))]
struct Account;

impl Apply<Opened> for Account {
    fn apply(&mut self, _: Opened) {}
}

impl<C> Handle<C> for Account {
    fn handle(&self, _: C) -> Decision<Self> {
        emit(Opened)
    }
}

#[derive(Clone, Command)]
#[command(aggregate = Account, id = account)]
enum Change {
    Open { account: String },
    Close { acount: String },
    Freeze,
}

#[derive(Clone, Command)]
#[command(aggregate = Account, id = account)]
enum Nothing {}

fn main() {}

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
#[command(aggregate = Account)]
struct Missing {
    account: String,
    cents: u64,
}

#[derive(Clone, Command)]
#[command(id = account)]
struct WithoutAggregate {
    account: String,
}

#[derive(Clone, Command)]
#[command(aggregate = Account, id = acount)]
struct Misspelled {
    account: String,
    cents: u64,
}

#[derive(Clone, Command)]
#[command(aggregate = Account, id = 1)]
struct NoSuchIndex(String);

#[derive(Clone, Command)]
#[command(aggregate = Account, id = account)]
struct NoFields;

#[derive(Clone, Command)]
#[command(aggregate = Account, id = "account")]
struct Quoted {
    account: String,
}

#[derive(Clone, Command)]
#[command(aggregate = Account, id = account.number)]
struct Inside {
    account: String,
}

#[derive(Clone, Command)]
#[command(aggregate = Account, id = account())]
struct Called {
    account: String,
}

fn main() {}

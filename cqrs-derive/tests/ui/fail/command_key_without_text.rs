use cqrs::{Aggregate, Apply, Command, Decision, Event, Handle, emit};

#[derive(Event)]
struct Opened;

#[derive(Default, Aggregate)]
#[aggregate(events(Opened))]
struct Account;

impl Apply<Opened> for Account {
    fn apply(&mut self, _: Opened) {}
}

#[derive(Clone)]
struct AccountId(u64);

#[derive(Clone, Command)]
#[command(aggregate = Account, id = account)]
struct Open {
    account: AccountId,
}

impl Handle<Open> for Account {
    fn handle(&self, _: Open) -> Decision<Self> {
        emit(Opened)
    }
}

fn main() {}

use cqrs::{Aggregate, Apply, Command, Decision, Event, Handle, emit};

#[derive(Event)]
struct Opened;

#[derive(Default, Aggregate)]
#[aggregate(events(Opened))]
struct Account;

impl Apply<Opened> for Account {
    fn apply(&mut self, _: Opened) {}
}

impl Handle<Change> for Account {
    fn handle(&self, _: Change) -> Decision<Self> {
        emit(Opened)
    }
}

#[derive(Clone, Command)]
#[command(aggregate = Account, id = account, likely_new)]
enum Change {
    Open { account: String },
    #[command(likely_new = true)]
    Close { account: String },
}

#[derive(Clone, Command)]
#[command(outcome = u64, likely_new)]
struct CloseAll;

#[derive(Clone, Command)]
#[command(outcome = u64)]
enum OpenAll {
    Now,
    #[command(likely_new)]
    Later,
    #[command(likely_new, likely_new)]
    Never,
}

fn main() {}

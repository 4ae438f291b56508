use cqrs::{Aggregate, Apply, Event};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[event(prefix = "account")]
enum AccountEvent {
    Opened,
    Closed,
}

#[derive(Event)]
#[event(name = "account.closed")]
struct Closed;

#[derive(Default, Aggregate)]
#[aggregate(events(AccountEvent, Closed))]
struct Account;

impl Apply<AccountEvent> for Account {
    fn apply(&mut self, _: AccountEvent) {}
}

impl Apply<Closed> for Account {
    fn apply(&mut self, _: Closed) {}
}

fn main() {}

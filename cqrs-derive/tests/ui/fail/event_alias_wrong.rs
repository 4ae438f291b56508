use cqrs::Event;
use serde::{Deserialize, Serialize};

#[derive(Event)]
#[event(name = "account.opened", alias = "account.opened", alias = "begun", alias = "begun")]
struct Opened;

#[derive(Event)]
#[event(alias = "account opened", alias = "")]
struct Closed;

#[derive(Serialize, Deserialize, Event)]
enum AccountEvent {
    #[event(name = "opened", alias = "account.opened")]
    Opened,
    #[event(alias = closed, alias, alias("x"))]
    Closed,
}

fn main() {}

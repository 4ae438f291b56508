use cqrs::Event;
use serde::{Deserialize, Serialize};

#[derive(Event)]
#[event]
struct Opened;

#[derive(Event)]
#[event = "closed"]
struct Closed;

#[derive(Serialize, Deserialize, Event)]
#[event["account"]]
enum AccountEvent {
    #[event{name = "opened"}]
    Opened,
}

fn main() {}

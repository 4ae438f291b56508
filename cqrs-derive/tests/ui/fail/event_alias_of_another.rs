use cqrs::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
enum AccountEvent {
    #[event(alias = "account.closed")]
    Opened,
    #[event(alias = "begun")]
    Closed,
    #[event(alias = "begun")]
    Frozen,
}

fn main() {}

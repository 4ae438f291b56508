use cqrs::Event;
use serde::{Deserialize, Serialize};

#[derive(Event)]
#[event(prefix = "account")]
struct Opened;

#[derive(Serialize, Deserialize, Event)]
#[event(name = "account", version = 2)]
enum AccountEvent {
    #[event(prefix = "account")]
    Opened {
        #[event(name = "owner")]
        owner: String,
    },
    #[event(crate = cqrs)]
    Closed,
}

fn main() {}

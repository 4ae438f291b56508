use cqrs::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[event(prefix = "a b", colour = 1, prefix = "x")]
#[event(crate)]
#[serde(untagged)]
enum AccountEvent {
    #[event(version = 0, name = 7)]
    One(String),
    #[event(name = "two", upcast(1 => f))]
    Two,
    #[event(name = "two")]
    Three {
        #[event(skip)]
        field: u8,
    },
}

fn main() {}

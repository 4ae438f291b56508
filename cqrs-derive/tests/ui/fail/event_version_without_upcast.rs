use cqrs::Event;
use serde::{Deserialize, Serialize};

#[derive(Event)]
#[event(version = 2)]
struct Opened;

#[derive(Serialize, Deserialize, Event)]
enum AccountEvent {
    #[event(version = 3)]
    Opened,
    #[event(version = 4000000000, alias = "closed")]
    Closed,
}

fn main() {}

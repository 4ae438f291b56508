use cqrs::Event;
use serde::{Deserialize, Serialize};

#[derive(Event)]
#[event(version = 0)]
struct Opened;

#[derive(Serialize, Deserialize, Event)]
enum AccountEvent {
    #[event(version = 0)]
    Opened,
}

fn main() {}

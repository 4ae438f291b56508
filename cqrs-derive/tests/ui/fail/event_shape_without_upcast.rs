use cqrs::Event;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct OpenedV1 {
    name: String,
}

#[derive(Event)]
#[event(version = 2, upcast(1 => type OpenedV1))]
struct Opened;

#[derive(Serialize, Deserialize, Event)]
enum AccountEvent {
    #[event(version = 3, upcast(1 => type String, 2 => type OpenedV1))]
    Opened,
}

fn main() {}

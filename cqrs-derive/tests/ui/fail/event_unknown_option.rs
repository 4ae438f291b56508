use cqrs::Event;
use serde::{Deserialize, Serialize};

#[derive(Event)]
#[event(nmae = "opened", colour = "red", version = 2)]
struct Opened;

#[derive(Serialize, Deserialize, Event)]
#[event(prefixes = "account")]
enum AccountEvent {
    #[event(verison = 2)]
    Opened,
}

fn main() {}

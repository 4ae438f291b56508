use cqrs::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
enum AccountEvent {
    Opened,
    #[event(name = "opened")]
    Begun,
    HTTPCalled,
    HttpCalled,
}

fn main() {}

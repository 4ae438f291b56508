use cqrs::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[event(prefix = "my account")]
enum AccountEvent {
    Opened,
    Closed,
}

#[derive(Serialize, Deserialize, Event)]
#[event(prefix = "order.")]
enum OrderEvent {
    Placed,
}

#[derive(Serialize, Deserialize, Event)]
enum KüchenEvent {
    Opened,
}

fn main() {}

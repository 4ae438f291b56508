use cqrs::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[event(name = "measured")]
struct Measured<T> {
    value: T,
}

struct NotSerde;

fn is_event<E: Event>() {}

fn main() {
    is_event::<Measured<NotSerde>>();
}

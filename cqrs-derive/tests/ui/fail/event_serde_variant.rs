use cqrs::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
enum AccountEvent {
    Opened,
    #[serde(skip)]
    Cached,
    #[serde(skip_serializing)]
    Old,
    #[serde(skip_deserializing)]
    New,
    #[serde(untagged)]
    Any(String),
}

#[derive(Deserialize, Serialize, Event)]
enum OrderEvent {
    Placed,
    #[serde(other)]
    Unknown,
}

fn main() {}

use cqrs::{Draft, Event, UpcastError};
use serde::{Deserialize, Serialize};

#[derive(Event)]
#[event(from("begun"))]
struct Opened;

#[derive(Event)]
#[event(from("locked", upcast()), from("shut", upcast(2 => step)), from = "frozen")]
struct Closed;

#[derive(Serialize, Deserialize, Event)]
enum AccountEvent {
    #[event(from(upcast(1 => step)))]
    WithoutName,
    #[event(from())]
    Empty,
    #[event(from("begun" upcast(1 => step)))]
    WithoutComma,
    #[event(from("begun", 1 => step))]
    WithoutList,
}

fn step(_: &mut Draft) -> Result<(), UpcastError> {
    Ok(())
}

fn main() {}

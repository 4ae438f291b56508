use cqrs::{Draft, Event, UpcastError};
use serde::{Deserialize, Serialize};

#[derive(Event)]
#[event(write_version = 1)]
struct Opened;

#[derive(Serialize, Deserialize, Event)]
enum AccountEvent {
    #[event(version = 2, upcast(1 => step), write_version = 0)]
    Zero,
    #[event(version = 2, upcast(1 => step), write_version = 2, downcast(2 => step))]
    Same,
    #[event(version = 2, upcast(1 => step), write_version = 3, downcast(3 => step))]
    Later,
    #[event(version = 2, upcast(1 => step), write_version = "1")]
    Text,
}

fn step(_: &mut Draft) -> Result<(), UpcastError> {
    Ok(())
}

fn main() {}

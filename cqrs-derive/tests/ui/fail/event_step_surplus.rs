use cqrs::{Draft, Event, UpcastError};
use serde::{Deserialize, Serialize};

#[derive(Event)]
#[event(version = 2, upcast(0 => step, 1 => step, 2 => step))]
struct Opened;

#[derive(Event)]
#[event(version = 1, upcast(1 => step))]
struct Closed;

#[derive(Serialize, Deserialize, Event)]
enum AccountEvent {
    #[event(version = 2, upcast(1 => step, 7 => step))]
    Opened,
    #[event(version = 2, upcast(1 => step, 4294967295 => step))]
    Closed,
    #[event(version = 2, upcast(1 => step, 4294967296 => step, -1 => step, 2u32 => step, 1.5 => step))]
    Frozen,
}

fn step(_: &mut Draft) -> Result<(), UpcastError> {
    Ok(())
}

fn main() {}

use cqrs::{Draft, Event, UpcastError};
use serde::{Deserialize, Serialize};

#[derive(Event)]
#[event(version = 2, upcast(1 => step), retired, write_version = 1, downcast(2 => step))]
struct Opened;

#[derive(Serialize, Deserialize, Event)]
enum AccountEvent {
    #[event(retired, write_version = 1)]
    Opened,
    #[event(retired = true)]
    Closed,
    #[event(retired, retired)]
    Frozen,
}

fn step(_: &mut Draft) -> Result<(), UpcastError> {
    Ok(())
}

fn main() {}

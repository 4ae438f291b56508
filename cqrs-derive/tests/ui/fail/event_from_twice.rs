use cqrs::{Draft, Event, UpcastError};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
enum AccountEvent {
    // Each variant may have its part.
    #[event(from("begun", upcast(1 => step)))]
    Opened,
    #[event(from("begun", upcast(1 => step)), from("begun", upcast(2 => step)))]
    Deposited,
}

fn step(_: &mut Draft) -> Result<(), UpcastError> {
    Ok(())
}

fn main() {}

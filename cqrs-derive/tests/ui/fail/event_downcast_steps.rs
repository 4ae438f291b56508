use cqrs::{Draft, Event, UpcastError};
use serde::{Deserialize, Serialize};

#[derive(Event)]
#[event(version = 3, upcast(1 => step, 2 => step), write_version = 1)]
struct Opened;

#[derive(Serialize, Deserialize, Event)]
enum AccountEvent {
    #[event(version = 4, upcast(1 => step, 2 => step, 3 => step), write_version = 1, downcast(2 => step, 4 => back))]
    Missing,
    #[event(version = 3, upcast(1 => step, 2 => step), write_version = 2, downcast(1 => step, 2 => step, 3 => step, 4 => step))]
    Surplus,
    #[event(version = 2, upcast(1 => step), downcast(2 => step))]
    WithoutWriteVersion,
    #[event(version = 2, upcast(1 => step), write_version = 1, downcast(2 => type Old))]
    Typed,
}

fn step(_: &mut Draft) -> Result<(), UpcastError> {
    Ok(())
}

fn main() {}

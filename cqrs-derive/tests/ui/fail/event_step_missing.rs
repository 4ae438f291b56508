use cqrs::{Draft, Event, UpcastError};
use serde::{Deserialize, Serialize};

#[derive(Event)]
#[event(version = 4, upcast(1 => step, 3 => steps::last))]
struct InTheMiddle;

#[derive(Event)]
#[event(version = 3, upcast(2 => type steps::Second))]
struct AtTheBeginning;

#[derive(Serialize, Deserialize, Event)]
enum AccountEvent {
    #[event(version = 3, upcast(1 => step))]
    AtTheEnd,
    #[event(version = 4000000000, upcast(1 => step, 2 => step))]
    Most,
}

fn step(_: &mut Draft) -> Result<(), UpcastError> {
    Ok(())
}

fn main() {}

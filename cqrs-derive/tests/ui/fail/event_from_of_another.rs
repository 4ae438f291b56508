use cqrs::{Draft, Event, UpcastError};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
enum AccountEvent {
    #[event(alias = "begun")]
    Opened,
    #[event(from("account.opened", upcast(1 => step)), from("begun", upcast(1 => step)))]
    Deposited,
    #[event(alias = "shut", from("account.closed", upcast(1 => step)), from("shut", upcast(1 => step)))]
    Closed,
}

#[derive(Event)]
#[event(name = "door.closed", from("door.closed", upcast(1 => step)), from("door closed", upcast(1 => step)))]
struct DoorClosed;

fn step(_: &mut Draft) -> Result<(), UpcastError> {
    Ok(())
}

fn main() {}

use cqrs::{Draft, Event, UpcastError};
use serde::{Deserialize, Serialize};

#[derive(Event)]
#[event(from("begun", upcst(1 => step), version = 2, alias = "x", colour = 1))]
struct Opened;

#[derive(Serialize, Deserialize, Event)]
enum AccountEvent {
    #[event(upcasts(1 => step), alais = "x", form("begun", upcast(1 => step)), retire, write_versoin = 1)]
    Opened,
}

fn step(_: &mut Draft) -> Result<(), UpcastError> {
    Ok(())
}

fn main() {}

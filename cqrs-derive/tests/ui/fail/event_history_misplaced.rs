use cqrs::{Draft, Event, UpcastError};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[event(alias = "account", upcast(1 => step), from("x", upcast(1 => step)), retired, write_version = 1)]
#[event(downcast(2 => step))]
enum AccountEvent {
    Opened {
        #[event(alias = "name")]
        owner: String,
    },
}

#[derive(Event)]
#[event(into = 2, aliases("a"), upcasts(1 => step))]
struct Opened;

fn step(_: &mut Draft) -> Result<(), UpcastError> {
    Ok(())
}

fn main() {}

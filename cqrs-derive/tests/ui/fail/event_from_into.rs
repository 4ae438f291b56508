use cqrs::{Draft, Event, UpcastError};
use serde::{Deserialize, Serialize};

#[derive(Event)]
#[event(from("begun", upcast(1 => step), into = 2))]
struct Opened;

#[derive(Serialize, Deserialize, Event)]
enum AccountEvent {
    #[event(version = 3, upcast(1 => step, 2 => step), from("begun", upcast(1 => step)))]
    Missing,
    #[event(version = 3, upcast(1 => step, 2 => step), from("begun", upcast(1 => step), into = 4))]
    Beyond,
    #[event(from("begun", upcast(1 => step), into = 0))]
    Zero,
    #[event(version = 2, upcast(1 => step), into = 2)]
    Outside,
}

fn step(_: &mut Draft) -> Result<(), UpcastError> {
    Ok(())
}

fn main() {}

use cqrs::{Draft, Event, UpcastError};

#[derive(Event)]
#[event(version = 3, upcast(1 => step, 2 => step, 1 => type Old))]
struct Opened;

#[derive(Event)]
#[event(version = 2, upcast(1 => step), upcast(1 => step))]
struct Closed;

#[derive(Event)]
#[event(version = 2, upcast(1 => step))]
#[event(write_version = 1, downcast(2 => step, 2 => step), write_version = 1)]
struct Frozen;

#[derive(Event)]
#[event(from("closed", upcast(1 => step, 1 => step), upcast(1 => step)))]
struct Thawed;

fn step(_: &mut Draft) -> Result<(), UpcastError> {
    Ok(())
}

fn main() {}

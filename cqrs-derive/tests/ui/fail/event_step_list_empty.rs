use cqrs::{Draft, Event, UpcastError};

#[derive(Event)]
#[event(version = 2, upcast())]
struct Opened;

#[derive(Event)]
#[event(version = 2, upcast)]
struct Closed;

#[derive(Event)]
#[event(version = 2, upcast(1 => step), write_version = 1, downcast())]
struct Frozen;

#[derive(Event)]
#[event(version = 2, upcast = step)]
struct Thawed;

fn step(_: &mut Draft) -> Result<(), UpcastError> {
    Ok(())
}

fn main() {}

use cqrs::{Draft, Event, RecordedEvent, UpcastError};
use serde::{Deserialize, Serialize};

#[derive(Event)]
#[event(version = 2, upcast(1 => step), write_version = 1, downcast(2 => split))]
struct Opened;

fn split(draft: Draft) -> Result<Vec<Draft>, UpcastError> {
    Ok(vec![draft])
}

#[derive(Serialize, Deserialize, Event)]
enum AccountEvent {
    #[event(version = 2, upcast(1 => step), write_version = 1, downcast(2 => knowing))]
    Opened,
}

fn knowing(_: &mut Draft, _: &RecordedEvent) -> Result<(), UpcastError> {
    Ok(())
}

fn step(_: &mut Draft) -> Result<(), UpcastError> {
    Ok(())
}

fn main() {}

use cqrs::{Draft, Event, Upcast, UpcastError};
use serde::Deserialize;

#[derive(Deserialize, Upcast)]
#[upcast(into = OpenedV2)]
struct OpenedV1 {}

// After it comes a function.
struct OpenedV2 {}

impl From<OpenedV1> for OpenedV2 {
    fn from(_: OpenedV1) -> Self {
        Self {}
    }
}

#[derive(Event)]
#[event(version = 3, upcast(1 => type OpenedV1, 2 => step))]
struct Opened;

fn step(_: &mut Draft) -> Result<(), UpcastError> {
    Ok(())
}

fn main() {}

use cqrs::{Event, Upcast};

#[derive(Event)]
#[event(version = 2, upcast(1 => type OpenedV1))]
struct Opened;

#[derive(Upcast)]
#[upcast(into = Opened)]
struct OpenedV1 {}

impl From<OpenedV1> for Opened {
    fn from(_: OpenedV1) -> Self {
        Self
    }
}

fn main() {}

use cqrs::{Draft, Event, RecordedEvent, UpcastError};
use serde::{Deserialize, Serialize};

#[derive(Event)]
#[event(version = 2, upcast(1 => by_value))]
struct Opened;

fn by_value(_: Draft) -> Result<(), UpcastError> {
    Ok(())
}

#[derive(Serialize, Deserialize, Event)]
enum AccountEvent {
    #[event(version = 3, upcast(1 => without_result, 2 => steps::event_alone))]
    Opened { owner: String },
    #[event(from("begun", upcast(1 => of_value)))]
    Closed,
}

fn without_result(_: &mut Draft) {}

mod steps {
    pub fn event_alone(_: &super::RecordedEvent) -> Result<(), super::UpcastError> {
        Ok(())
    }
}

fn of_value(owner: String) -> String {
    owner
}

fn main() {}

use cqrs::{Event, Upcast};
use serde::{Deserialize, Serialize};

#[derive(Deserialize, Upcast)]
#[upcast(into = OpenedV2)]
struct OpenedV1 {}

#[derive(Serialize, Deserialize, Upcast)]
#[upcast(into = AccountEvent)]
struct OpenedV2 {}

impl From<OpenedV1> for OpenedV2 {
    fn from(_: OpenedV1) -> Self {
        Self {}
    }
}

impl From<OpenedV2> for AccountEvent {
    fn from(_: OpenedV2) -> Self {
        Self::Opened
    }
}

#[derive(Serialize, Deserialize, Event)]
enum AccountEvent {
    Opened,
    // The last shape is that of another event.
    #[event(version = 2, upcast(1 => type OpenedV1))]
    Closed,
    // One shape is left out.
    #[event(version = 4, upcast(1 => type OpenedV2, 2 => type OpenedV1, 3 => type OpenedV2))]
    Frozen,
}

fn main() {}

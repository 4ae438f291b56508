use cqrs::{Event, Upcast};
use serde::Deserialize;

#[derive(Event)]
#[event(version = 2, upcast(1 => type OpenedV1))]
struct Opened;

#[derive(Deserialize, Upcast)]
#[upcast(into = Opened)]
struct OpenedV1 {}

#[derive(Deserialize, Upcast)]
#[upcast(try_into = Opened)]
struct Refusing {}

#[derive(Deserialize, Upcast)]
#[upcast(into = Option<Opened>)]
struct Perhaps {}

// There is `From` for one, not for several.
#[derive(Deserialize, Upcast)]
#[upcast(into = Vec<Opened>)]
struct Several {}

impl From<Several> for Opened {
    fn from(_: Several) -> Self {
        Self
    }
}

struct NoError;

#[derive(Deserialize, Upcast)]
#[upcast(try_into = Opened)]
struct Failing {}

impl TryFrom<Failing> for Opened {
    type Error = NoError;

    fn try_from(_: Failing) -> Result<Self, NoError> {
        Err(NoError)
    }
}

fn main() {}

use cqrs::Upcast;
use serde::Deserialize;

struct Next;

impl From<Old> for Next {
    fn from(_: Old) -> Self {
        Self
    }
}

#[derive(Deserialize, Upcast)]
#[upcast(into = Next)]
struct Old;

fn main() {}

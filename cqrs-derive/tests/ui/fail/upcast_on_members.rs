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
enum Old {
    #[upcast(into = Next)]
    A {
        #[upcast(try_into = u8)]
        field: u8,
    },
}

fn main() {}

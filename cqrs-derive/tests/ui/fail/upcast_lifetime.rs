use cqrs::Upcast;
use serde::Deserialize;

struct Next;

impl From<Old<'_>> for Next {
    fn from(_: Old<'_>) -> Self {
        Self
    }
}

#[derive(Deserialize, Upcast)]
#[upcast(into = Next)]
struct Old<'a> {
    name: &'a str,
}

fn main() {}

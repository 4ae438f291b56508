use std::cell::Cell;

use cqrs::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Opened {
    owner: Cell<u8>,
}

fn main() {}

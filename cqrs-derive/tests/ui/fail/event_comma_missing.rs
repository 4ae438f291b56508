use cqrs::Event;

#[derive(Event)]
#[event(name = "opened" version = 0, verson = 2)]
struct Opened;

#[derive(Event)]
#[event("closed")]
struct Closed;

#[derive(Event)]
#[event(, name = "frozen")]
struct Frozen;

fn main() {}

use cqrs::Event;

#[derive(Event)]
#[event(version = 2, upcast(1 => cents_of_units))]
struct Opened;

#[derive(Event)]
#[event(version = 2, upcast(1 => type OpenedV1))]
struct Closed;

fn main() {}

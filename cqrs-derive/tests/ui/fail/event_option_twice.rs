use cqrs::Event;

#[derive(Event)]
#[event(name = "opened", name = "begun")]
#[event(version = 2)]
#[event(version = 3)]
struct Opened;

fn main() {}

use cqrs::Event;

#[derive(Event)]
#[event(name, version, crate)]
struct Bare;

#[derive(Event)]
#[event(name = , version = )]
struct Unfinished;

#[derive(Event)]
#[event(name("opened"), version == 2)]
struct Parenthesized;

fn main() {}

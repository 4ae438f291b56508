use cqrs::Event;

#[derive(Event)]
#[event(name = opened, version = "2", crate = "cqrs")]
struct Swapped;

#[derive(Event)]
#[event(name = 'o', version = -1)]
struct Negative;

#[derive(Event)]
#[event(name = b"opened", version = 1.5)]
struct Fraction;

#[derive(Event)]
#[event(version = 2u32)]
struct Suffixed;

#[derive(Event)]
#[event(version = 4294967296)]
struct Large;

fn main() {}

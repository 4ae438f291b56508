use cqrs::{Aggregate, Apply, Draft, Event, UpcastError};

#[derive(Event)]
#[event(name = "door.opened", alias = "opened")]
struct Opened;

#[derive(Event)]
#[event(name = "door.begun", alias = "opened")]
struct Begun;

#[derive(Event)]
#[event(name = "door.split", from("door.opened", upcast(1 => step)))]
struct Split;

#[derive(Default, Aggregate)]
#[aggregate(events(Opened, Begun))]
struct ByAlias;

#[derive(Default, Aggregate)]
#[aggregate(events(Opened, Split))]
struct BySource;

impl Apply<Opened> for ByAlias {
    fn apply(&mut self, _: Opened) {}
}
impl Apply<Begun> for ByAlias {
    fn apply(&mut self, _: Begun) {}
}
impl Apply<Opened> for BySource {
    fn apply(&mut self, _: Opened) {}
}
impl Apply<Split> for BySource {
    fn apply(&mut self, _: Split) {}
}

fn step(_: &mut Draft) -> Result<(), UpcastError> {
    Ok(())
}

fn main() {}

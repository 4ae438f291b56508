use cqrs::{Aggregate, Apply, Draft, Event, UpcastError};

#[derive(Event)]
#[event(name = "door.opened", alias = "opened", from("begun", upcast(1 => step)))]
struct Opened;

#[derive(Event)]
#[event(name = "door.closed")]
struct Closed;

#[derive(Default, Aggregate)]
#[aggregate(events(Opened), ignore("door.painted", "door.opened"))]
struct ByName;

#[derive(Default, Aggregate)]
#[aggregate(events(Closed, Opened), ignore("opened"))]
struct ByAlias;

#[derive(Default, Aggregate)]
#[aggregate(events(Closed, Opened), ignore("begun"))]
struct BySource;

impl Apply<Opened> for ByName {
    fn apply(&mut self, _: Opened) {}
}
impl Apply<Opened> for ByAlias {
    fn apply(&mut self, _: Opened) {}
}
impl Apply<Closed> for ByAlias {
    fn apply(&mut self, _: Closed) {}
}
impl Apply<Opened> for BySource {
    fn apply(&mut self, _: Opened) {}
}
impl Apply<Closed> for BySource {
    fn apply(&mut self, _: Closed) {}
}

fn step(_: &mut Draft) -> Result<(), UpcastError> {
    Ok(())
}

fn main() {}

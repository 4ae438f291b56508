use cqrs::{Aggregate, Apply, Event};

#[derive(Event)]
struct Opened;

#[derive(Default, Aggregate)]
#[aggregate(category = "", events(Opened))]
struct Empty;

#[derive(Default, Aggregate)]
#[aggregate(category = "a/b", events(Opened))]
struct Slash;

#[derive(Default, Aggregate)]
#[aggregate(category = "c123456789c123456789c123456789c123456789c123456789c123456789c1234", events(Opened))]
struct Long;

#[derive(Default, Aggregate)]
#[aggregate(events(Opened))]
struct Größe;

impl Apply<Opened> for Empty {
    fn apply(&mut self, _: Opened) {}
}
impl Apply<Opened> for Slash {
    fn apply(&mut self, _: Opened) {}
}
impl Apply<Opened> for Long {
    fn apply(&mut self, _: Opened) {}
}
impl Apply<Opened> for Größe {
    fn apply(&mut self, _: Opened) {}
}

fn main() {}

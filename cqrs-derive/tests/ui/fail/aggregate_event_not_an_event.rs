use cqrs::{Aggregate, Apply, Event};

struct Opened;

#[derive(Event)]
struct Closed;

#[derive(Default, Aggregate)]
#[aggregate(events(Opened))]
struct One;

impl Apply<Opened> for One {
    fn apply(&mut self, _: Opened) {}
}

#[derive(Default, Aggregate)]
#[aggregate(events(Closed, Opened))]
struct Several;

impl Apply<Opened> for Several {
    fn apply(&mut self, _: Opened) {}
}

impl Apply<Closed> for Several {
    fn apply(&mut self, _: Closed) {}
}

#[derive(Default, Aggregate)]
#[aggregate(events(Openned))]
struct Misspelled;

fn main() {}

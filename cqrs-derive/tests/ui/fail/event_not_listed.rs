use cqrs::{Aggregate, Apply, Command, Decision, Event, Handle, emit};

#[derive(Event)]
struct Opened;

#[derive(Event)]
struct Closed;

#[derive(Event)]
struct Frozen;

#[derive(Default, Aggregate)]
#[aggregate(events(Opened))]
struct One;

#[derive(Default, Aggregate)]
#[aggregate(events(Opened, Closed))]
struct Several;

impl Apply<Opened> for One {
    fn apply(&mut self, _: Opened) {}
}

impl Apply<Opened> for Several {
    fn apply(&mut self, _: Opened) {}
}

impl Apply<Closed> for Several {
    fn apply(&mut self, _: Closed) {}
}

#[derive(Clone, Command)]
#[command(outcome = ())]
struct Freeze;

impl Handle<Freeze> for One {
    fn handle(&self, _: Freeze) -> Decision<Self> {
        emit(Frozen)
    }
}

impl Handle<Freeze> for Several {
    fn handle(&self, _: Freeze) -> Decision<Self> {
        emit((Opened, Frozen))
    }
}

fn main() {}

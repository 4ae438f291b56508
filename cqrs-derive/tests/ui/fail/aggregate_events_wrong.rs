use cqrs::{Aggregate, Apply, Event};

#[derive(Event)]
struct Opened;

#[derive(Default, Aggregate)]
#[aggregate(events(Opened, Opened))]
struct Twice;

impl Apply<Opened> for Twice {
    fn apply(&mut self, _: Opened) {}
}

#[derive(Default, Aggregate)]
#[aggregate(events(&'static str, (Opened,), Self))]
struct NotNames;

#[derive(Default, Aggregate)]
#[aggregate(events(Opened; Opened))]
struct Semicolon;

#[derive(Default, Aggregate)]
#[aggregate(events("opened"))]
struct Quoted;

fn main() {}

use cqrs::{Aggregate, Apply, Event};

mod shared {
    #[derive(cqrs::Event)]
    pub struct Audited;
}

#[derive(Event)]
struct Opened;

#[derive(Default, Aggregate)]
#[aggregate(events(Opened))]
struct One;

#[derive(Default, Aggregate)]
#[aggregate(events(Opened, shared::Audited))]
struct Several;

impl Apply<Opened> for Several {
    fn apply(&mut self, _: Opened) {}
}

fn main() {}

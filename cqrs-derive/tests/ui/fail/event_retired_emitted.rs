use cqrs::{Aggregate, Apply, Command, Decision, Event, Handle, emit};

#[derive(Event)]
#[event(retired)]
struct Opened;

#[derive(Default, Aggregate)]
#[aggregate(events(Opened))]
struct Door;

impl Apply<Opened> for Door {
    fn apply(&mut self, _: Opened) {}
}

#[derive(Clone, Command)]
#[command(aggregate = Door, id = 0)]
struct Open(u8);

impl Handle<Open> for Door {
    fn handle(&self, _: Open) -> Decision<Self> {
        emit((Some(Opened), Opened))
    }
}

fn main() {
    let _ = Door.handle(Open(1));
}

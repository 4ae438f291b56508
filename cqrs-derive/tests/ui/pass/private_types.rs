//! An aggregate may be more visible than several events it lists, and everything may be as private as it likes.

#![deny(warnings)]

mod domain {
    use cqrs::{Aggregate, Apply, Command, Decision, Event, Handle, emit};

    #[derive(Event)]
    struct Opened;

    #[derive(Event)]
    pub(super) struct Closed;

    #[derive(Default, Aggregate)]
    #[aggregate(events(Opened, Closed))]
    pub struct Account;

    impl Apply<Opened> for Account {
        fn apply(&mut self, _: Opened) {}
    }

    impl Apply<Closed> for Account {
        fn apply(&mut self, _: Closed) {}
    }

    #[derive(Clone, Command)]
    #[command(aggregate = Account, id = 0)]
    pub(super) struct Open(pub(super) u64);

    impl Handle<Open> for Account {
        fn handle(&self, _: Open) -> Decision<Self> {
            emit((Opened, Closed))
        }
    }
}

fn main() {
    use cqrs::{Aggregate, AggregateCommand, Event, StreamKey};

    assert_eq!(<domain::Account as Aggregate>::Event::TYPES.len(), 2);
    assert_eq!(domain::Open(7).stream_key().with_text(str::len), 1);
}

//! An aggregate or a projection may be more visible than several events it lists, and everything may be as private as
//! it likes.

#![deny(warnings)]

mod domain {
    use cqrs::{
        Aggregate, Apply, BoxError, Command, Decision, Event, Handle, MemoryModel, Project,
        Projection, RecordedEvent, Transaction, emit,
    };

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

    #[derive(Projection)]
    #[projection(model = MemoryModel<u64>, events(Opened, Closed))]
    pub struct Doors;

    impl Project<Opened> for Doors {
        async fn project(
            &self,
            _: Opened,
            _: &RecordedEvent,
            _: &mut Transaction<Self>,
        ) -> Result<(), BoxError> {
            Ok(())
        }
    }

    impl Project<Closed> for Doors {
        async fn project(
            &self,
            _: Closed,
            _: &RecordedEvent,
            _: &mut Transaction<Self>,
        ) -> Result<(), BoxError> {
            Ok(())
        }
    }
}

fn main() {
    use cqrs::{Aggregate, AggregateCommand, Event, Projection, StreamKey};

    assert_eq!(<domain::Account as Aggregate>::Event::TYPES.len(), 2);
    assert_eq!(<domain::Doors as Projection>::Event::TYPES.len(), 2);
    assert_eq!(domain::Open(7).stream_key().with_text(str::len), 1);
}

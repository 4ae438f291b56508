//! An aggregate, a projection or a view may be more visible than several events it lists, and everything may be as private as
//! it likes.

#![deny(warnings)]

mod domain {
    use cqrs::{
        Aggregate, Apply, BoxError, Command, Decision, Event, Fold, Handle, MemoryModel, Project,
        Projection, Received, Transaction, View, emit,
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
            _: &Received<'_>,
            _: &mut Transaction<Self>,
        ) -> Result<(), BoxError> {
            Ok(())
        }
    }

    impl Project<Closed> for Doors {
        async fn project(
            &self,
            _: Closed,
            _: &Received<'_>,
            _: &mut Transaction<Self>,
        ) -> Result<(), BoxError> {
            Ok(())
        }
    }

    #[derive(Clone, View)]
    #[view(key(door), events(Opened, Closed))]
    pub struct Row {
        door: u64,
        cents: Option<u64>,
    }

    impl Row {
        pub fn new(door: u64) -> Self {
            Self { door, cents: None }
        }
    }

    impl Fold<Opened> for Row {
        fn rows(_: &Opened, _: &Received<'_>) -> impl IntoIterator<Item = u64> {
            [1]
        }

        fn fold(
            row: &mut Option<Self>,
            door: &u64,
            _: &Opened,
            _: &Received<'_>,
        ) -> Result<(), BoxError> {
            *row = Some(Self::new(*door));
            Ok(())
        }
    }

    impl Fold<Closed> for Row {
        fn rows(_: &Closed, _: &Received<'_>) -> impl IntoIterator<Item = u64> {
            [1]
        }

        fn fold(
            row: &mut Option<Self>,
            _: &u64,
            _: &Closed,
            _: &Received<'_>,
        ) -> Result<(), BoxError> {
            *row = None;
            Ok(())
        }
    }
}

fn main() {
    use cqrs::{Aggregate, AggregateCommand, Event, Projection, StreamKey, View};

    assert_eq!(<domain::Account as Aggregate>::Event::TYPES.len(), 2);
    assert_eq!(<domain::Doors as Projection>::Event::TYPES.len(), 2);
    assert_eq!(<domain::Row as View>::Event::TYPES.len(), 2);
    assert_eq!(domain::Row::new(7).key(), 7);
    assert_eq!(domain::Open(7).stream_key().with_text(str::len), 1);
}

use cqrs::{BoxError, Event, Fold, Received, View};

#[derive(Event)]
struct Opened;

struct Closed;

#[derive(Clone, View)]
#[view(key(account), events(Closed))]
struct One {
    account: String,
}

#[derive(Clone, View)]
#[view(key(account), events(Opened, Closed))]
struct Several {
    account: String,
}

macro_rules! fold {
    ($($view:ty),*) => {$(
        impl Fold<Opened> for $view {
            fn rows(_: &Opened, _: &Received<'_>) -> impl IntoIterator<Item = Self::Key> {
                None
            }

            fn fold(
                _: &mut Option<Self>,
                _: &Self::Key,
                _: &Opened,
                _: &Received<'_>,
            ) -> Result<(), BoxError> {
                Ok(())
            }
        }
    )*};
}

fold!(Several);

fn main() {}

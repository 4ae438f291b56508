use cqrs::{BoxError, Event, Fold, Received, View};

#[derive(Event)]
struct Opened;

#[derive(View)]
#[view(key(account), events(Opened))]
struct NotClone {
    account: String,
}

#[derive(Clone, View)]
#[view(key(account), events(Opened))]
struct NotSync {
    account: String,
    #[view(json)]
    cents: std::cell::Cell<u64>,
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

fold!(NotClone, NotSync);

fn main() {}

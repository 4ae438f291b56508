use cqrs::{BoxError, Column, Event, Fold, Received, View};

#[derive(Event)]
struct Opened;

mod shared {
    #[derive(cqrs::Event)]
    pub struct Audited;
}

#[derive(Clone, View)]
#[view(key(account), events(Opened))]
struct One {
    account: String,
}

#[derive(Clone, View)]
#[view(key(account), events(Opened, shared::Audited))]
struct Several {
    account: String,
}

#[derive(Clone, View)]
#[view(key(account), events(Opened))]
struct Generic<T: Column + Clone + Send + Sync + 'static> {
    account: String,
    value: T,
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

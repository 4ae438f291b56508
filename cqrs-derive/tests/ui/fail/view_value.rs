use cqrs::{BoxError, Event, Fold, Received, View};

#[derive(Event)]
struct Opened;

#[derive(Clone, View)]
#[view(key(account), events(Opened), document = true, name = 7, version = 0, table = balances)]
struct Values {
    account: String,
}

#[derive(Clone, View)]
#[view(key(account), events(Opened))]
struct OnField {
    account: String,
    #[view(json = "yes", column = cents)]
    cents: u64,
    #[view(column("owner"))]
    owner: String,
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

fold!(Values, OnField);

fn main() {}

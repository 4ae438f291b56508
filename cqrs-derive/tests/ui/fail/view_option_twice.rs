use cqrs::{BoxError, Event, Fold, Received, View};
use serde::{Deserialize, Serialize};

#[derive(Event)]
struct Opened;

#[derive(Clone, Serialize, Deserialize, View)]
#[view(key(account), name = "a", key(account), events(Opened), document, document, table = "a", table = "b")]
struct Twice {
    account: String,
}

#[derive(Clone, View)]
#[view(key(account), events(Opened))]
struct OnField {
    account: String,
    #[view(json, json)]
    owner: String,
    #[view(column = "a")]
    #[view(column = "b")]
    cents: u64,
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

fold!(Twice, OnField);

fn main() {}

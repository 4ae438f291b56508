use cqrs::{BoxError, Event, Fold, Received, View};
use serde::{Deserialize, Serialize};

#[derive(Event)]
struct Opened;

#[derive(Clone, Serialize, Deserialize, View)]
#[view(document, key(account), index(cents), events(Opened))]
struct Index {
    account: String,
    cents: u64,
}

#[derive(Clone, Serialize, Deserialize, View)]
#[view(document, key(account), events(Opened))]
struct OnField {
    account: String,
    #[view(json)]
    tags: Vec<String>,
    #[view(column = "amount")]
    cents: u64,
}

#[derive(Clone, Serialize, Deserialize, View)]
#[view(document, key(document), events(Opened))]
struct Taken {
    document: String,
}

#[derive(Clone, Serialize, Deserialize, View)]
#[view(document, key(account), events(Opened))]
struct Skips {
    account: String,
    #[serde(skip)]
    cents: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
}

#[derive(Clone, Serialize, Deserialize, View)]
#[view(document, key(acount), events(Opened))]
struct Misspelled {
    #[view(column = "id")]
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

fold!(Misspelled, Index, OnField, Taken, Skips);

fn main() {}

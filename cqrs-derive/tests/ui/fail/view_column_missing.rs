use cqrs::{BoxError, Event, Fold, Received, View};

#[derive(Event)]
struct Opened;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Money(u64);

#[derive(Clone, View)]
#[view(key(account), index(money), events(Opened))]
struct Balance {
    account: String,
    money: Money,
    tags: Option<Vec<String>>,
}

#[derive(Clone, View)]
#[view(key(money), events(Opened))]
struct Key {
    money: Money,
    cents: u128,
}

#[derive(Clone, View)]
#[view(key(account), events(Opened))]
struct Generic<T: Clone + Send + Sync + 'static> {
    account: String,
    value: T,
}

impl<T: Clone + Send + Sync + 'static> Fold<Opened> for Generic<T> {
    fn rows(_: &Opened, _: &Received<'_>) -> impl IntoIterator<Item = String> {
        None
    }

    fn fold(
        _: &mut Option<Self>,
        _: &String,
        _: &Opened,
        _: &Received<'_>,
    ) -> Result<(), BoxError> {
        Ok(())
    }
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

fold!(Balance, Key);

fn main() {}

use cqrs::{BoxError, Event, Fold, Received, View};

#[derive(Event)]
struct Opened;

#[derive(serde::Serialize, serde::Deserialize, Event)]
#[event(prefix = "")]
enum AccountEvent {
    Opened,
}

#[derive(Clone, View)]
#[view(key(account), events(Opened, AccountEvent))]
struct Balance {
    account: String,
}

impl Fold<AccountEvent> for Balance {
    fn rows(_: &AccountEvent, _: &Received<'_>) -> impl IntoIterator<Item = String> {
        None
    }

    fn fold(
        _: &mut Option<Self>,
        _: &String,
        _: &AccountEvent,
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

fold!(Balance);

fn main() {}

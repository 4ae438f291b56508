use cqrs::{BoxError, Event, Fold, Received, View};

#[derive(Event)]
struct Opened;

#[derive(Clone, View)]
#[view(key(account))]
struct Missing {
    account: String,
}

#[derive(Clone, View)]
#[view(key(account), events())]
struct Empty {
    account: String,
}

#[derive(Clone, View)]
#[view(key(account), event(Opened))]
struct One {
    account: String,
}

#[derive(Clone, View)]
#[view(key(account), events(Opened, Opened))]
struct Twice {
    account: String,
}

#[derive(Clone, View)]
#[view(key(account), events(Opened, Self))]
struct ItSelf {
    account: String,
}

#[derive(Clone, View)]
#[view(name = "nothing_else")]
struct NoKeyEither {
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

fold!(Missing, NoKeyEither, Empty, One, Twice, ItSelf);

fn main() {}

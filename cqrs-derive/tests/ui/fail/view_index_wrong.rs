use cqrs::{BoxError, Event, Fold, Received, View};

#[derive(Event)]
struct Opened;

#[derive(Clone, View)]
#[view(key(account), index(ownr), events(Opened))]
struct Unknown {
    account: String,
    owner: String,
    cents: u64,
    #[view(json)]
    tags: Vec<String>,
}

#[derive(Clone, View)]
#[view(key(account), index(owner, owner), events(Opened))]
struct Twice {
    account: String,
    owner: String,
    cents: u64,
    #[view(json)]
    tags: Vec<String>,
}

#[derive(Clone, View)]
#[view(key(account), index(owner, cents), index = (owner, cents), events(Opened))]
struct Again {
    account: String,
    owner: String,
    cents: u64,
    #[view(json)]
    tags: Vec<String>,
}

#[derive(Clone, View)]
#[view(key(account, owner), index(account, owner), events(Opened))]
struct Key {
    account: String,
    owner: String,
    cents: u64,
    #[view(json)]
    tags: Vec<String>,
}

#[derive(Clone, View)]
#[view(key(account), index(owner, tags), events(Opened))]
struct Json {
    account: String,
    owner: String,
    cents: u64,
    #[view(json)]
    tags: Vec<String>,
}

#[derive(Clone, View)]
#[view(key(account), index(), events(Opened))]
struct Empty {
    account: String,
    owner: String,
    cents: u64,
    #[view(json)]
    tags: Vec<String>,
}

#[derive(Clone, View)]
#[view(key(account), index, events(Opened))]
struct NoFields {
    account: String,
    owner: String,
    cents: u64,
    #[view(json)]
    tags: Vec<String>,
}

#[derive(Clone, View)]
#[view(key(account), indexes(owner), events(Opened))]
struct Plural {
    account: String,
    owner: String,
    cents: u64,
    #[view(json)]
    tags: Vec<String>,
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

fold!(Unknown, Twice, Again, Key, Json, Empty, NoFields, Plural);

fn main() {}

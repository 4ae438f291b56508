use cqrs::{BoxError, Event, Fold, Received, View};

#[derive(Event)]
struct Opened;

#[derive(Clone, View)]
#[view(key(account), events(Opened), tabel = "balances")]
struct Misspelled {
    account: String,
}

#[derive(Clone, View)]
#[view(key(account), events(Opened), colour = "red")]
struct Unknown {
    account: String,
}

#[derive(Clone, View)]
#[view(key(account), events(Opened), model = MemoryModel<u64>)]
struct Model {
    account: String,
}

#[derive(Clone, View)]
#[view(key(account), events(Opened), tables = "CREATE TABLE balances (cents bigint)")]
struct Tables {
    account: String,
}

#[derive(Clone, View)]
#[view(key(account), events(Opened), category = "account")]
struct Category {
    account: String,
}

#[derive(Clone, View)]
#[view(id = account, events(Opened))]
struct Id {
    account: String,
}

#[derive(Clone, View)]
#[view(key(account), events(Opened), json, column = "cents")]
struct OnType {
    account: String,
}

#[derive(Clone, View)]
#[view]
struct NoParentheses {
    account: String,
}

#[derive(Clone, View)]
#[view(key(account), events(Opened))]
struct OnField {
    #[view(name = "id", key, colour)]
    account: String,
    #[view(skip)]
    cents: u64,
    #[view(jsn)]
    tags: Vec<String>,
    #[view]
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

fold!(Misspelled, Unknown, Model, Tables, Category, Id, OnType, NoParentheses, OnField);

fn main() {}

use cqrs::{BoxError, Event, Fold, Received, View};

#[derive(Event)]
struct Opened;

#[derive(Clone, View)]
#[view(name = "", key(account), events(Opened))]
struct Empty {
    account: String,
}

#[derive(Clone, View)]
#[view(name = "all balances", key(account), events(Opened))]
struct Space {
    account: String,
}

#[derive(Clone, View)]
#[view(key(account), events(Opened))]
struct Größe {
    account: String,
}

#[derive(Clone, View)]
#[view(table = "cqrs_balances", key(account), events(Opened))]
struct OfTheFramework {
    account: String,
}

#[derive(Clone, View)]
#[view(table = "SQLite_balances", key(account), events(Opened))]
struct OfSqlite {
    account: String,
}

#[derive(Clone, View)]
#[view(key(account), events(Opened))]
struct PgBalances {
    account: String,
}

#[derive(Clone, View)]
#[view(name = "accounts.balances", key(account), events(Opened))]
struct Schema {
    account: String,
}

#[derive(Clone, View)]
#[view(table = "balances\"; --", key(account), events(Opened))]
struct Quote {
    account: String,
}

#[derive(Clone, View)]
#[view(table = "bal\0ances", key(account), events(Opened))]
struct Nul {
    account: String,
}

#[derive(Clone, View)]
#[view(table = "", key(account), events(Opened))]
struct NoTable {
    account: String,
}

#[derive(Clone, View)]
#[view(table = "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt", key(account), events(Opened))]
struct Long {
    account: String,
}

#[derive(Clone, View)]
#[view(key(account), events(Opened))]
struct Columns {
    account: String,
    #[view(column = "Account")]
    owner: String,
    #[view(column = "")]
    cents: u64,
    #[view(column = "it's")]
    rate: f64,
    pg_type: String,
    xmin: u32,
    #[view(json, column = "rate")]
    tags: Vec<String>,
    rates: f64,
    #[view(column = "rates")]
    r#type: u8,
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

fold!(Empty, Space, Größe, OfTheFramework, OfSqlite, PgBalances, Schema, Quote, Nul, NoTable, Long, Columns);

fn main() {}

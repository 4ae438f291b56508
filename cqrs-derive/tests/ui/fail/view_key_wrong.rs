use cqrs::{BoxError, Event, Fold, Received, View};

#[derive(Event)]
struct Opened;

#[derive(Clone, View)]
#[view(events(Opened))]
struct Missing {
    account: String,
}

#[derive(Clone, View)]
#[view(key(), events(Opened))]
struct Empty {
    account: String,
}

#[derive(Clone, View)]
#[view(key(acount), events(Opened))]
struct Unknown {
    account: String,
}

#[derive(Clone, View)]
#[view(key(line), events(Opened))]
struct Other {
    account: String,
    cents: u64,
}

#[derive(Clone, View)]
#[view(key(account, account), events(Opened))]
struct Twice {
    account: String,
}

#[derive(Clone, View)]
#[view(key = "account", events(Opened))]
struct Quoted {
    account: String,
}

#[derive(Clone, View)]
#[view(key(account.id), events(Opened))]
struct Inside {
    account: String,
}

#[derive(Clone, View)]
#[view(key, events(Opened))]
struct NoValue {
    account: String,
}

#[derive(Clone, View)]
#[view(key = 0, events(Opened))]
struct Index {
    account: String,
}

#[derive(Clone, View)]
#[view(key(account), events(Opened))]
struct Nothing {

}

#[derive(Clone, View)]
#[view(key(account), events(Opened))]
struct Json {
    #[view(json)]
    account: Vec<u8>,
}

#[derive(Clone, View)]
#[view(key(account, line), events(Opened))]
struct Nullable {
    account: Option<String>,
    line: u32,
}

#[derive(Clone, View)]
#[view(key(line, rate), events(Opened))]
struct Real {
    rate: f64,
    line: u32,
}

#[derive(Clone, View)]
#[view(key(a, b, c, d, e, f, g, h, i, j, k, l, m), events(Opened))]
struct Long {
    a: u8,
    b: u8,
    c: u8,
    d: u8,
    e: u8,
    f: u8,
    g: u8,
    h: u8,
    i: u8,
    j: u8,
    k: u8,
    l: u8,
    m: u8,
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

fold!(Missing, Empty, Unknown, Other, Twice, Quoted, Inside, NoValue, Index, Nothing, Json, Nullable, Real, Long);

fn main() {}

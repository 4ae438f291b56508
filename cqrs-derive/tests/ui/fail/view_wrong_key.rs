use cqrs::{BoxError, Event, Fold, Received, View};

#[derive(Event)]
struct Opened;

#[derive(Clone, View)]
#[view(key(account, line), events(Opened))]
struct Balance {
    account: String,
    line: u64,
}

impl Fold<Opened> for Balance {
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

fn main() {}

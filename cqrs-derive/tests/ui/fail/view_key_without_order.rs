use cqrs::{BoxError, Column, ColumnError, ColumnType, Event, Fold, Received, Value, View};

#[derive(Event)]
struct Opened;

#[derive(Clone)]
struct Account;

impl Column for Account {
    const TYPE: ColumnType = ColumnType::Text;

    fn to_value(&self) -> Result<Value<'_>, ColumnError> {
        Ok(Value::Null)
    }

    fn from_value(_: Value<'_>) -> Result<Self, ColumnError> {
        Ok(Self)
    }
}

#[derive(Clone, View)]
#[view(key(account), events(Opened))]
struct One {
    account: Account,
}

#[derive(Clone, View)]
#[view(key(line, account), events(Opened))]
struct Several {
    line: u64,
    account: Account,
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

fold!(One, Several);

fn main() {}

use std::fmt::Debug;
use std::hash::Hash;

use cqrs::{BoxError, Column, ColumnError, ColumnType, Event, Fold, Received, Table, Value, View};

#[derive(Event)]
struct Opened;

type Maybe = Option<String>;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Rate;

impl Column for Rate {
    const TYPE: ColumnType = ColumnType::Real;

    fn to_value(&self) -> Result<Value<'_>, ColumnError> {
        Ok(Value::Null)
    }

    fn from_value(_: Value<'_>) -> Result<Self, ColumnError> {
        Ok(Self)
    }
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Document;

impl Column for Document {
    const TYPE: ColumnType = ColumnType::Json;

    fn to_value(&self) -> Result<Value<'_>, ColumnError> {
        Ok(Value::Null)
    }

    fn from_value(_: Value<'_>) -> Result<Self, ColumnError> {
        Ok(Self)
    }
}

#[derive(Clone, View)]
#[view(key(account), events(Opened))]
struct Nullable {
    account: Maybe,
}

#[derive(Clone, View)]
#[view(key(account, rate), events(Opened))]
struct Real {
    account: String,
    rate: Rate,
}

#[derive(Clone, View)]
#[view(key(document), index(account, more), events(Opened))]
struct Json {
    account: Maybe,
    document: Document,
    more: Document,
}

#[derive(Clone, View)]
#[view(key(account), events(Opened))]
struct Generic<T: Column + Clone + Ord + Hash + Debug + Send + Sync + 'static> {
    account: T,
}

impl<T: Column + Clone + Ord + Hash + Debug + Send + Sync + 'static> Fold<Opened> for Generic<T> {
    fn rows(_: &Opened, _: &Received<'_>) -> impl IntoIterator<Item = T> {
        None
    }

    fn fold(
        _: &mut Option<Self>,
        _: &T,
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

fold!(Nullable, Real, Json);

const FINE: Table = Generic::<String>::TABLE;
const HIDDEN: Table = Generic::<Maybe>::TABLE;

fn main() {}

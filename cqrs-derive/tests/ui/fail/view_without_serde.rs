use cqrs::{BoxError, Event, Fold, Received, View};

#[derive(Event)]
struct Opened;

#[derive(Clone)]
struct Tags(Vec<String>);

#[derive(Clone, View)]
#[view(key(account), events(Opened))]
struct Json {
    account: String,
    #[view(json)]
    tags: Tags,
}

#[derive(Clone, View)]
#[view(document, key(account), events(Opened))]
struct Document {
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

fold!(Json, Document);

fn main() {}

//! Old and new programs side by side.

use cqrs::prelude::*;
use cqrs::{EventStore as _, LogFilter, MemoryStore, Position, Repository};

/// The release that knows version 1 alone.
mod old {
    use cqrs::prelude::*;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(name = "lamp.dimmed")]
    pub(super) struct Dimmed {
        pub(super) percent: u32,
    }

    #[derive(Debug, Default, PartialEq, Aggregate)]
    #[aggregate(category = "lamp", events(Dimmed))]
    pub(super) struct Lamp {
        pub(super) percent: u32,
    }

    impl Apply<Dimmed> for Lamp {
        fn apply(&mut self, Dimmed { percent }: Dimmed) {
            self.percent = percent;
        }
    }

    #[derive(Debug, Clone, Command)]
    #[command(aggregate = Lamp, id = lamp)]
    pub(super) struct Dim {
        pub(super) lamp: String,
        pub(super) percent: u32,
    }

    impl Handle<Dim> for Lamp {
        fn handle(&self, Dim { percent, .. }: Dim) -> Decision<Self> {
            emit(Dimmed { percent })
        }
    }
}

/// Releases that know version 2, and write the one or the other.
macro_rules! newer {
    ($release:ident, $event:meta) => {
        mod $release {
            use cqrs::prelude::*;
            use cqrs::{Draft, UpcastError};
            use serde::{Deserialize, Serialize};

            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
            #[$event]
            pub(super) struct Dimmed {
                pub(super) permille: u32,
            }

            fn permille(draft: &mut Draft) -> Result<(), UpcastError> {
                draft.rename("percent", "permille")?;
                draft.map("permille", |percent: u32| percent * 10)
            }

            #[allow(dead_code, reason = "one of the releases writes the newest version only")]
            fn percent(draft: &mut Draft) -> Result<(), UpcastError> {
                draft.rename("permille", "percent")?;
                draft.convert("percent", |permille: u32| match permille % 10 {
                    0 => Ok(permille / 10),
                    _ => Err("not a whole number of percents"),
                })
            }

            #[derive(Debug, Default, PartialEq, Aggregate)]
            #[aggregate(category = "lamp", events(Dimmed))]
            pub(super) struct Lamp {
                pub(super) permille: u32,
            }

            impl Apply<Dimmed> for Lamp {
                fn apply(&mut self, Dimmed { permille }: Dimmed) {
                    self.permille = permille;
                }
            }

            #[derive(Debug, Clone, Command)]
            #[command(aggregate = Lamp, id = lamp)]
            pub(super) struct Dim {
                pub(super) lamp: String,
                pub(super) permille: u32,
            }

            impl Handle<Dim> for Lamp {
                fn handle(&self, Dim { permille, .. }: Dim) -> Decision<Self> {
                    emit(Dimmed { permille })
                }
            }
        }
    };
}

newer!(
    between,
    event(
        name = "lamp.dimmed",
        version = 2,
        upcast(1 => permille),
        write_version = 1,
        downcast(2 => percent),
    )
);
newer!(new, event(name = "lamp.dimmed", version = 2, upcast(1 => permille)));

async fn newest_version(store: &MemoryStore) -> u32 {
    let page = store.read_log(&LogFilter::all(), Position::START, 100).await.unwrap();
    page.events.last().unwrap().schema_version
}

#[tokio::test]
async fn a_deployment_in_two_steps_refuses_nobody() {
    let store = MemoryStore::new();
    let old = Bus::builder(store.clone()).aggregate::<old::Lamp>().build().unwrap();
    let between = Bus::builder(store.clone()).aggregate::<between::Lamp>().build().unwrap();
    let new = Bus::builder(store.clone()).aggregate::<new::Lamp>().build().unwrap();
    let lamp = || "l".to_owned();

    // The first step: both read both, and write what both can read.
    old.send(old::Dim { lamp: lamp(), percent: 5 }).await.unwrap();
    between.send(between::Dim { lamp: lamp(), permille: 70 }).await.unwrap();
    assert_eq!(newest_version(&store).await, 1);
    old.send(old::Dim { lamp: lamp(), percent: 9 }).await.unwrap();
    let loaded = Repository::new(store.clone()).load::<old::Lamp>("l").await.unwrap();
    assert_eq!(loaded.state.percent, 9);
    let loaded = Repository::new(store.clone()).load::<between::Lamp>("l").await.unwrap();
    assert_eq!(loaded.state.permille, 90);

    // What the older version can't say is refused, and nothing is stored.
    let error = between.send(between::Dim { lamp: lamp(), permille: 55 }).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, DispatchError::Invalid(_)), "{text}");
    assert!(text.contains("version that is written") && text.contains("whole number"), "{text}");
    assert_eq!(store.head().await.unwrap().last.get(), 3);

    // The second step: the newest version is written, and those in between can read it.
    new.send(new::Dim { lamp: lamp(), permille: 55 }).await.unwrap();
    assert_eq!(newest_version(&store).await, 2);
    between.send(between::Dim { lamp: lamp(), permille: 60 }).await.unwrap();
    let loaded = Repository::new(store.clone()).load::<new::Lamp>("l").await.unwrap();
    assert_eq!(loaded.state.permille, 60);
}

#[tokio::test]
async fn g11_an_older_program_refuses_commands_where_a_newer_one_has_written() {
    let store = MemoryStore::new();
    let old = Bus::builder(store.clone()).aggregate::<old::Lamp>().build().unwrap();
    let new = Bus::builder(store.clone()).aggregate::<new::Lamp>().build().unwrap();
    old.send(old::Dim { lamp: "l".into(), percent: 5 }).await.unwrap();
    new.send(new::Dim { lamp: "l".into(), permille: 55 }).await.unwrap();

    let refused = old.send(old::Dim { lamp: "l".into(), percent: 6 }).await.unwrap_err();
    let DispatchError::Decode(error) = refused else { panic!("{refused}") };
    assert!(error.is_newer());
    assert_eq!(
        error.to_string(),
        "can't read event `lamp.dimmed` v2 at version 2 of stream `lamp/l` (position 2): this program reads it up to v1; a \
         newer program has written it, so deploy that here as well"
    );
    assert_eq!(store.head().await.unwrap().last.get(), 2, "nothing was stored");
    // Other streams are as they were.
    old.send(old::Dim { lamp: "m".into(), percent: 6 }).await.unwrap();
}

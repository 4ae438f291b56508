//! Snapshots of one release, met by another.

use cqrs::prelude::*;
use cqrs::{MemoryStore, Repository};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use super::{append, stored};

/// A release of the program: how its events are declared, and what the aggregate makes of them.
macro_rules! release {
    ($release:ident, $event:meta, { $($field:ident: $type:ty),* }, $state:ty, |$self:ident, $fields:ident| $apply:expr
     $(, $step:item)*) => {
        mod $release {
            use cqrs::prelude::*;
            #[allow(unused_imports, reason = "not every release has steps")]
            use cqrs::{Draft, UpcastError};
            use serde::{Deserialize, Serialize};

            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
            #[$event]
            pub(super) struct Counted { $(pub(super) $field: $type),* }

            $($step)*

            #[derive(Debug, Default, PartialEq, Serialize, Deserialize, Aggregate)]
            #[aggregate(category = "meter", events(Counted), snapshot(every = 2))]
            pub(super) struct Meter {
                pub(super) state: $state,
            }

            impl Apply<Counted> for Meter {
                fn apply(&mut self, event: Counted) {
                    let ($self, $fields) = (self, event);
                    $apply
                }
            }

            #[derive(Debug, Clone, Command)]
            #[command(aggregate = Meter, id = meter)]
            pub(super) struct Count {
                pub(super) meter: String,
                pub(super) event: Counted,
            }

            impl Handle<Count> for Meter {
                fn handle(&self, Count { event, .. }: Count) -> Decision<Self> {
                    emit(event)
                }
            }
        }
    };
}

release!(first, event(name = "meter.counted"), { units: i64 }, i64, |meter, event| {
    meter.state += event.units;
});
// Another version of the event, and so another number in the state.
release!(
    second,
    event(name = "meter.counted", version = 2, upcast(1 => in_cents)),
    { cents: i64 },
    i64,
    |meter, event| meter.state += event.cents,
    fn in_cents(draft: &mut Draft) -> Result<(), UpcastError> {
        draft.rename("units", "cents")?;
        draft.map("cents", |units: i64| units * 100)
    }
);
// Another step, with the same versions: it is another program.
release!(
    third,
    event(name = "meter.counted", version = 2, upcast(1 => in_thousandths)),
    { cents: i64 },
    i64,
    |meter, event| meter.state += event.cents,
    fn in_thousandths(draft: &mut Draft) -> Result<(), UpcastError> {
        draft.rename("units", "cents")?;
        draft.map("cents", |units: i64| units * 1_000)
    }
);
// An event that was not of this type counts as well.
release!(
    fourth,
    event(name = "meter.counted", from("meter.sighed", upcast(1 => as_one))),
    { units: i64 },
    i64,
    |meter, event| meter.state += event.units,
    fn as_one(draft: &mut Draft) -> Result<(), UpcastError> {
        draft.set("units", &1)
    }
);
// Another shape of the state.
release!(fifth, event(name = "meter.counted"), { units: i64 }, Vec<i64>, |meter, event| {
    meter.state.push(event.units);
});

/// Loads the meter as a release sees it and with its snapshots, and has a command take a snapshot more.
macro_rules! visit {
    ($release:ident, $store:expr, $event:expr) => {{
        use $release::{Count, Counted, Meter};
        let loaded = Repository::new($store.clone()).load::<Meter>("m").await.unwrap();
        let bus = Bus::builder($store.clone()).aggregate::<Meter>().build().unwrap();
        let event: Option<Counted> = $event;
        if let Some(event) = event {
            bus.send(Count { meter: "m".into(), event }).await.unwrap();
        }
        loaded.state.state
    }};
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Releases that can read each other's events take turns on one stream.
    #[test]
    fn g9_snapshots_of_another_release_are_never_used(turns in vec((0..3_usize, -9..9_i64), 1..24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = MemoryStore::new();
            let mut units: Vec<i64> = Vec::new();
            for (turn, amount) in turns {
                let sum: i64 = units.iter().sum();
                match turn {
                    0 => {
                        let event = first::Counted { units: amount };
                        prop_assert_eq!(visit!(first, store, Some(event)), sum);
                    }
                    1 => {
                        let event = fifth::Counted { units: amount };
                        prop_assert_eq!(visit!(fifth, store, Some(event)), units.clone());
                    }
                    _ => {
                        let event = fourth::Counted { units: amount };
                        prop_assert_eq!(visit!(fourth, store, Some(event)), sum);
                    }
                }
                units.push(amount);
                // These would write what the others can't read.
                let sum: i64 = units.iter().sum();
                prop_assert_eq!(visit!(second, store, None), sum * 100);
                prop_assert_eq!(visit!(third, store, None), sum * 1_000);
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn g9_a_source_that_is_added_or_removed_is_another_release() {
    let store = MemoryStore::new();
    let stream = cqrs::StreamId::new("meter", "m").unwrap();
    let stored = [
        stored("meter.counted", 1, json!({ "units": 5 })),
        stored("meter.sighed", 1, json!({})),
        stored("meter.counted", 1, json!({ "units": 2 })),
    ];
    append(&store, &stream, &stored[..1]).await;
    assert_eq!(visit!(first, store, Some(Counted { units: 1 })), 5);
    append(&store, &stream, &stored[1..]).await;
    assert_eq!(visit!(fourth, store, Some(Counted { units: 1 })), 5 + 1 + 1 + 2);
    // It can't read the stream, and does not take the snapshot of one that can.
    let error = Repository::new(store).load::<first::Meter>("m").await.unwrap_err();
    assert!(error.to_string().contains("`meter.sighed`"), "{error}");
}

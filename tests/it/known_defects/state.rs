//! States that are not those of the events: from a snapshot, or from memory.

use cqrs::prelude::*;
use cqrs::{MemoryStore, Repository};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "shelf.changed")]
struct Changed {
    book: u8,
    came: bool,
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("it is not there")]
struct NotThere;

/// A shelf, with what stands in it in order: doubled, left out or taken in another order, an event shows.
macro_rules! shelf {
    ($shelf:ident, $put:ident $(, $option:meta)*) => {
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Aggregate)]
        #[aggregate(category = "shelf", events(Changed), error = NotThere $(, $option)*)]
        struct $shelf {
            books: Vec<u8>,
            changes: u64,
        }

        impl Apply<Changed> for $shelf {
            fn apply(&mut self, Changed { book, came }: Changed) {
                self.changes += 1;
                match self.books.iter().rposition(|other| *other == book) {
                    Some(place) if !came => drop(self.books.remove(place)),
                    _ => self.books.push(book),
                }
            }
        }

        #[derive(Debug, Clone, Command)]
        #[command(aggregate = $shelf, id = 0)]
        struct $put(&'static str, Vec<(u8, bool)>);

        impl Handle<$put> for $shelf {
            fn handle(&self, $put(_, changes): $put) -> Decision<Self> {
                let known = changes.iter().all(|(book, came)| *came || self.books.contains(book));
                ensure(known, NotThere)?;
                let changes = changes.into_iter().map(|(book, came)| Changed { book, came });
                emit(changes.collect::<Vec<_>>())
            }
        }
    };
}

shelf!(Plain, PutPlain);
shelf!(Cached, PutCached, cache = 2);
shelf!(EveryTime, PutEveryTime, snapshot(every = 1));
shelf!(EveryThird, PutEveryThird, snapshot(every = 3));
shelf!(CachedToo, PutCachedToo, cache = 1, snapshot(every = 2));

fn commands() -> impl Strategy<Value = Vec<(bool, Vec<(u8, bool)>)>> {
    let changes = prop::collection::vec((0..4_u8, any::<bool>()), 0..5);
    prop::collection::vec((any::<bool>(), changes), 0..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Everyone is told the same of every command, whether or not it keeps states, and is in the same state after it.
    #[test]
    fn g9_states_are_those_of_the_events_however_they_are_kept(commands in commands()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            macro_rules! outcomes {
                ($shelf:ident, $put:ident) => {{
                    let store = MemoryStore::new();
                    let bus = Bus::builder(store.clone()).aggregate::<$shelf>().build().unwrap();
                    let mut outcomes = Vec::new();
                    for (first, changes) in commands.clone() {
                        let key = if first { "first" } else { "second" };
                        let sent = bus.send($put(key, changes)).await;
                        let told = sent.map(|done| done.version).map_err(|error| error.to_string());
                        let here = bus.load::<$shelf>(key).await.unwrap();
                        let anew = Repository::new(store.clone()).load::<$shelf>(key).await.unwrap();
                        assert_eq!((&here.state, here.version), (&anew.state, anew.version));
                        outcomes.push((told, here.version, here.state.books, here.state.changes));
                    }
                    outcomes
                }};
            }
            let plain = outcomes!(Plain, PutPlain);
            assert_eq!(outcomes!(Cached, PutCached), plain);
            assert_eq!(outcomes!(EveryTime, PutEveryTime), plain);
            assert_eq!(outcomes!(EveryThird, PutEveryThird), plain);
            assert_eq!(outcomes!(CachedToo, PutCachedToo), plain);
        });
    }
}

/// What was loaded belongs to whoever loaded it.
#[tokio::test]
async fn g9_changing_a_state_that_was_loaded_changes_no_cache_and_no_snapshot() {
    let store = MemoryStore::new();
    let bus = Bus::builder(store.clone()).aggregate::<CachedToo>().build().unwrap();
    for round in 1..8 {
        bus.send(PutCachedToo("s", vec![(1, true)])).await.unwrap();
        let mut loaded = bus.load::<CachedToo>("s").await.unwrap();
        assert_eq!(loaded.state.changes, round);
        loaded.state.books.clear();
        loaded.state.changes = 1_000;
    }
    let anew = Repository::new(store).load::<CachedToo>("s").await.unwrap();
    assert_eq!((anew.state.changes, anew.state.books.len()), (7, 7));
}

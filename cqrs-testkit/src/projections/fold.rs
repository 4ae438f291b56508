//! The rows of a view, folded without a runtime.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::time::SystemTime;

use cqrs_core::{Event, Position, Received, RecordedEvent, StreamId, Version, View};

use super::events::{GivenEvents, Happened};
use crate::given::report::{difference, indented};

impl GivenEvents {
    /// The view has these rows, in any order, and no others.
    ///
    /// The events are folded as the framework folds them: the rows an event touches, one after the other, each once.
    /// After each event the rows are what a table would give back. The events are recorded at the first moment of 1970,
    /// in the order they are given, from position 1 on.
    ///
    /// # Panics
    /// When the rows are others; the message shows the difference. When an event can't be folded, or a row can't be
    /// stored.
    #[track_caller]
    pub fn expect_rows<V: View + PartialEq + Debug>(&self, rows: impl IntoIterator<Item = V>) {
        let mut expected = BTreeMap::new();
        for row in rows {
            let row = self.stored("an expected row", &row);
            if let Some(twice) = expected.insert(row.key(), row) {
                panic!("two rows with the key {:?} are expected of view `{}`", twice.key(), V::NAME)
            }
        }
        let found = self.folded::<V>();
        if found != expected {
            let texts = |rows: &BTreeMap<V::Key, V>| -> Vec<String> {
                rows.values().map(|row| format!("{row:#?}")).collect()
            };
            let difference = difference(&texts(&expected), &texts(&found));
            self.fail::<V>("has other rows", &difference);
        }
    }

    /// The view has no rows.
    ///
    /// # Panics
    /// When it has; the message shows them. When an event can't be folded, or a row can't be stored.
    #[track_caller]
    pub fn expect_no_rows<V: View + PartialEq + Debug>(&self) {
        self.expect_rows::<V>([]);
    }

    #[track_caller]
    fn folded<V: View + Debug>(&self) -> BTreeMap<V::Key, V> {
        let mut rows: BTreeMap<V::Key, V> = BTreeMap::new();
        let mut versions: HashMap<&StreamId, u64> = HashMap::new();
        for (position, happened) in (1..).zip(&self.all) {
            let version = versions.entry(&happened.stream).or_default();
            *version += 1;
            let recorded = RecordedEvent::new(
                happened.event.clone(),
                happened.stream.clone(),
                Version::new(*version),
                Position::new(position),
                SystemTime::UNIX_EPOCH,
            );
            if !V::Event::knows(&recorded.event_type) {
                continue;
            }
            let events = match V::Event::decode(&recorded) {
                Ok(events) => events,
                Err(error) => panic!(
                    "an event does not read back for view `{}`: {error}\n\n{}",
                    V::NAME,
                    indented(&happened.to_string())
                ),
            };
            let received = Received::new(&recorded, false);
            for event in events {
                self.fold(&mut rows, &event, &received, happened);
            }
        }
        rows
    }

    /// Folds an event into the rows it touches.
    #[track_caller]
    fn fold<V: View + Debug>(
        &self,
        rows: &mut BTreeMap<V::Key, V>,
        event: &V::Event,
        received: &Received<'_>,
        happened: &Happened,
    ) {
        let mut keys = V::touched(event, received);
        let mut seen = Vec::new();
        keys.retain(|key| {
            !seen.contains(key) && {
                seen.push(key.clone());
                true
            }
        });
        for key in keys {
            let mut row = rows.remove(&key);
            if let Err(error) = V::fold(&mut row, &key, event, received) {
                fail_to_fold::<V>(happened, &key, &error.to_string());
            }
            if let Some(row) = row {
                if row.key() != key {
                    let now = format!("it made the row one with key {:?}", row.key());
                    fail_to_fold::<V>(happened, &key, &now);
                }
                let row = self.stored("a row", &row);
                rows.insert(key, row);
            }
        }
    }

    /// A row after it was stored and read back.
    #[track_caller]
    fn stored<V: View + Debug>(&self, what: &str, row: &V) -> V {
        let values = match row.values() {
            Ok(values) => values,
            Err(error) => {
                self.fail::<V>(&format!("can't store {what}: {error}"), &format!("{row:#?}"))
            }
        };
        match V::from_values(values) {
            Ok(row) => row,
            Err(error) => {
                self.fail::<V>(&format!("can't read {what} back: {error}"), &format!("{row:#?}"))
            }
        }
    }

    #[track_caller]
    fn fail<V: View>(&self, what: &str, shown: &str) -> ! {
        let given = indented(&self.to_string());
        let shown = indented(shown);
        panic!(
            "view `{}` {what}\n\ngiven\n{given}\nrows (- expected, + found)\n{shown}\n",
            V::NAME
        );
    }
}

#[track_caller]
fn fail_to_fold<V: View>(happened: &Happened, key: &V::Key, error: &str) -> ! {
    let event = indented(&happened.to_string());
    panic!(
        "view `{}` can't fold an event into the row with key {key:?}: {error}\n\n{event}\n",
        V::NAME
    )
}

//! Views: rows folded from events, kept in memory.

use std::collections::BTreeMap;
use std::time::Duration;

use cqrs::prelude::*;
use cqrs::{
    BoxError, Maintain as _, MemoryModel, MemoryStore, MemoryView, Position, Projector, Received,
    Rows as _, Running,
};

use super::LONG;
use crate::domain::{AddAll, Counter, CounterEvent, Renamed};

/// A row of each counter, and one of them all.
#[derive(Debug, Clone, PartialEq, View)]
#[view(name = "sums", key(counter), events(CounterEvent, Renamed))]
struct Row {
    counter: String,
    sum: i64,
    /// Too small for some sums.
    last: u64,
    name: Option<String>,
}

const ALL: &str = "all";

impl Fold<CounterEvent> for Row {
    fn rows(_: &CounterEvent, received: &Received<'_>) -> impl IntoIterator<Item = String> {
        let counter = received.stream.key();
        // Named twice, it counts once.
        [counter, ALL, counter].map(ToOwned::to_owned)
    }

    fn fold(
        row: &mut Option<Self>,
        key: &String,
        event: &CounterEvent,
        _: &Received<'_>,
    ) -> Result<(), BoxError> {
        let CounterEvent::Added { amount } = *event else { return Ok(()) };
        if amount == 13 {
            return Err("13 can't be taken".into());
        }
        assert_ne!(amount, 99, "a fold with a mistake");
        if amount == 1_000 {
            *row = None;
            return Ok(());
        }
        let counter = if amount == 404 { "another".to_owned() } else { key.clone() };
        let none = Self { counter: counter.clone(), sum: 0, last: 0, name: None };
        let row = row.get_or_insert(none);
        row.counter = counter;
        row.sum += amount;
        // What a column can't hold.
        row.last = row.last.max(if amount == 7 { u64::MAX } else { 0 });
        Ok(())
    }
}

impl Fold<Renamed> for Row {
    fn rows(_: &Renamed, received: &Received<'_>) -> impl IntoIterator<Item = String> {
        Some(received.stream.key().to_owned())
    }

    fn fold(
        row: &mut Option<Self>,
        _: &String,
        event: &Renamed,
        _: &Received<'_>,
    ) -> Result<(), BoxError> {
        if let Some(row) = row {
            row.name = Some(event.name.clone());
        }
        Ok(())
    }
}

struct Setting {
    bus: Bus,
    store: MemoryStore,
    model: MemoryView<Row>,
}

impl Setting {
    fn new() -> Self {
        let store = MemoryStore::new();
        let bus = Bus::builder(store.clone()).aggregate::<Counter>().build().unwrap();
        Self { bus, store, model: MemoryModel::new(BTreeMap::new()) }
    }

    fn start(&self) -> Running {
        let projector = Projector::new(self.store.clone()).attempts(2);
        projector.start_view::<Row>(self.model.clone())
    }

    async fn add(&self, counter: &str, amounts: &[i64]) -> Position {
        let amounts = amounts.to_vec();
        let all = AddAll { counter: counter.into(), amounts, name: Some(counter.to_uppercase()) };
        self.bus.send(all).await.unwrap().position
    }

    async fn sum(&self, key: &str) -> Option<i64> {
        self.model.row(&key.to_owned()).await.unwrap().map(|row| row.sum)
    }

    async fn parked(&self) -> Vec<(String, u64, String)> {
        let parked = self.model.parked("sums", 1).await.unwrap();
        let told = parked
            .into_iter()
            .map(|parked| (parked.stream.key().to_owned(), parked.version.get(), parked.error));
        told.collect()
    }
}

#[tokio::test]
async fn g7_rows_are_folded_from_the_events_of_several_streams() {
    let setting = Setting::new();
    // Some of it is there when it starts, some comes while it runs, in batches of all sizes.
    let mut sums = [0_i64; 5];
    let mut running = None;
    let mut last = Position::START;
    for round in 0..100_usize {
        let counter = round % 5;
        let amounts: Vec<i64> = (20..20 + i64::try_from(round % 7).unwrap()).collect();
        sums[counter] += amounts.iter().sum::<i64>();
        last = setting.add(&format!("c{counter}"), &amounts).await;
        if round == 50 {
            running = Some(setting.start());
        }
    }
    running.unwrap().wait_for(last, LONG).await.unwrap();
    for (counter, sum) in sums.iter().enumerate() {
        assert_eq!(setting.sum(&format!("c{counter}")).await, Some(*sum));
    }
    assert_eq!(setting.sum(ALL).await, Some(sums.iter().sum()));
    let row = setting.model.row(&"c1".to_owned()).await.unwrap().unwrap();
    assert_eq!(row.name.as_deref(), Some("C1"));
}

#[tokio::test]
async fn a_row_is_deleted_and_comes_again() {
    let setting = Setting::new();
    let running = setting.start();
    running.wait_for(setting.add("a", &[1, 2]).await, LONG).await.unwrap();
    assert_eq!(setting.sum("a").await, Some(3));
    // In one batch deleted and made again, and then deleted for good.
    running.wait_for(setting.add("a", &[1_000, 5]).await, LONG).await.unwrap();
    assert_eq!((setting.sum("a").await, setting.sum(ALL).await), (Some(5), Some(5)));
    running.wait_for(setting.add("a", &[1_000]).await, LONG).await.unwrap();
    assert_eq!((setting.sum("a").await, setting.sum(ALL).await), (None, None));
}

#[tokio::test]
async fn g8_an_event_that_can_not_be_folded_parks_its_stream() {
    let setting = Setting::new();
    // Refused by the fold, by a panic, by the framework, and by the column of a row.
    for (counter, amount) in [("a", 13), ("b", 99), ("c", 404), ("d", 7)] {
        setting.add(counter, &[1, 2, amount, 3]).await;
        setting.add("good", &[1, 2]).await;
    }
    let last = setting.add("good", &[1]).await;
    let running = setting.start();
    running.wait_for(last, LONG).await.unwrap();
    assert_eq!(setting.sum("good").await, Some(13));
    let parked = setting.parked().await;
    let places: Vec<_> = parked.iter().map(|(key, version, _)| (&key[..], *version)).collect();
    assert_eq!(places, [("a", 3), ("b", 3), ("c", 3), ("d", 3)]);
    let errors: Vec<&str> = parked.iter().map(|(_, _, error)| &error[..]).collect();
    assert_eq!(errors[0], "13 can't be taken");
    assert!(errors[1].contains("panicked") && errors[1].contains("a fold with a mistake"));
    assert!(errors[2].contains("a row keeps its key"), "{}", errors[2]);
    assert!(errors[3].contains("column `last`"), "{}", errors[3]);
    // What came before is there, what comes after it waits.
    for counter in ["a", "b", "c", "d"] {
        assert_eq!(setting.sum(counter).await, Some(3), "{counter}");
    }
    // Others of the thread are not held up, and given up is the one event alone.
    let stream = super::stream("a");
    tokio::time::timeout(Duration::from_secs(30), running.discard(stream)).await.unwrap().unwrap();
    assert_eq!(setting.sum("a").await, Some(6));
}

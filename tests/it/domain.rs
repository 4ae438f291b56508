//! The little domain the tests here work with.

use cqrs::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(prefix = "counter")]
pub(crate) enum CounterEvent {
    Added { amount: i64 },
    Measured { value: f64 },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "counter.renamed")]
pub(crate) struct Renamed {
    pub(crate) name: String,
}

#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum CounterError {
    #[error("the counter would be negative")]
    Negative,
}

#[derive(Debug, Clone, Command)]
#[command(aggregate = Counter, id = counter)]
pub(crate) struct Add {
    pub(crate) counter: String,
    pub(crate) amount: i64,
}

/// Adds each amount as an event of its own, and names the counter after them.
#[derive(Debug, Clone, Command)]
#[command(aggregate = Counter, id = counter)]
pub(crate) struct AddAll {
    pub(crate) counter: String,
    pub(crate) amounts: Vec<i64>,
    pub(crate) name: Option<String>,
}

#[derive(Debug, Clone, Command)]
#[command(aggregate = Counter, id = counter)]
pub(crate) struct Measure {
    pub(crate) counter: String,
    pub(crate) value: f64,
}

#[derive(Debug, Default, PartialEq, Aggregate)]
#[aggregate(category = "counter", events(CounterEvent, Renamed), error = CounterError)]
pub(crate) struct Counter {
    pub(crate) sum: i64,
    pub(crate) name: String,
}

impl Apply<CounterEvent> for Counter {
    fn apply(&mut self, event: CounterEvent) {
        match event {
            CounterEvent::Added { amount } => self.sum += amount,
            CounterEvent::Measured { .. } => {}
        }
    }
}

impl Apply<Renamed> for Counter {
    fn apply(&mut self, event: Renamed) {
        self.name = event.name;
    }
}

impl Handle<Add> for Counter {
    fn handle(&self, command: Add) -> Decision<Self> {
        let amount = command.amount;
        ensure(self.sum + amount >= 0, CounterError::Negative)?;
        emit(CounterEvent::Added { amount })
    }
}

impl Handle<AddAll> for Counter {
    fn handle(&self, command: AddAll) -> Decision<Self> {
        let added = command.amounts.into_iter().map(|amount| CounterEvent::Added { amount });
        let renamed = command.name.map(|name| Renamed { name });
        emit((added.collect::<Vec<_>>(), renamed))
    }
}

impl Handle<Measure> for Counter {
    fn handle(&self, command: Measure) -> Decision<Self> {
        emit(CounterEvent::Measured { value: command.value })
    }
}

pub(crate) fn add(counter: &str, amount: i64) -> Add {
    Add { counter: counter.to_owned(), amount }
}

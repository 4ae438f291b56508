//! Projections: each event counts exactly once (G7), failures are loud and narrow (G8), workers share the slots.

mod folds;
mod newer;
mod once;
mod parked;
mod phases;
mod refused;
mod renamed;
mod rolled_back;
mod slots;
mod updates;
mod versions;
mod waiting;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use cqrs::prelude::*;
use cqrs::{
    BoxError, MemoryModel, MemoryStore, MemoryTransaction, Position, Projector, Received, Running,
    StoreError, StoreErrorKind, StreamId,
};
use cqrs_testkit::FaultyStore;

use crate::domain::{AddAll, Counter, CounterEvent, Renamed};

/// Long enough for anything that happens at all.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// Instead of an amount that is refused: nothing can be taken.
const OUTAGE: i64 = i64::MAX;

/// What each counter has gone through, in order.
pub(crate) type Histories = BTreeMap<String, Vec<String>>;

#[derive(Projection)]
#[projection(
    name = "histories",
    model = MemoryModel<Histories>,
    events(CounterEvent, Renamed),
    tables = "histories"
)]
pub(crate) struct History {
    /// An amount that can't be taken.
    refused: Arc<AtomicI64>,
}

impl History {
    pub(crate) fn new() -> (Self, Arc<AtomicI64>) {
        let refused = Arc::new(AtomicI64::new(i64::MIN));
        (Self { refused: refused.clone() }, refused)
    }

    fn note(received: &Received<'_>, transaction: &mut MemoryTransaction<Histories>, what: String) {
        let key = received.stream.key().to_owned();
        transaction.value.entry(key).or_default().push(what);
    }
}

impl Project<CounterEvent> for History {
    async fn project(
        &self,
        event: CounterEvent,
        received: &Received<'_>,
        transaction: &mut MemoryTransaction<Histories>,
    ) -> Result<(), BoxError> {
        let CounterEvent::Added { amount } = event else { return Ok(()) };
        // Written first, to be rolled back.
        Self::note(received, transaction, amount.to_string());
        match self.refused.load(Ordering::SeqCst) {
            OUTAGE => Err(StoreError::new(StoreErrorKind::Unavailable, "out of order").into()),
            refused if refused == amount => Err(format!("{amount} can't be taken").into()),
            _ => Ok(()),
        }
    }
}

impl Project<Renamed> for History {
    async fn project(
        &self,
        event: Renamed,
        received: &Received<'_>,
        transaction: &mut MemoryTransaction<Histories>,
    ) -> Result<(), BoxError> {
        Self::note(received, transaction, event.name);
        Ok(())
    }
}

pub(crate) struct Setting {
    store: Arc<FaultyStore<MemoryStore>>,
    bus: Bus,
    pub(crate) model: MemoryModel<Histories>,
}

impl Setting {
    pub(crate) fn new() -> Self {
        let events = MemoryStore::new();
        // Only the projections meet the faults.
        let store = Arc::new(FaultyStore::new(events.clone()));
        let bus = Bus::builder(events).aggregate::<Counter>().build().unwrap();
        Self { store, bus, model: MemoryModel::new(Histories::new()) }
    }

    pub(crate) fn projector(&self) -> Projector {
        // Of a lease that runs out while the machine stands still, somebody else would do the work.
        Projector::new(self.store.clone()).batch(7).attempts(2).lease(Duration::from_secs(10))
    }

    fn start(&self) -> (Running, Arc<AtomicI64>) {
        let (projection, refused) = History::new();
        (self.projector().start(projection, self.model.clone()), refused)
    }

    pub(crate) async fn add(&self, counter: &str, amounts: &[i64]) -> Position {
        let amounts = amounts.to_vec();
        let all = AddAll { counter: counter.into(), amounts, name: Some("named".into()) };
        self.bus.send(all).await.unwrap().position
    }

    fn history(&self, counter: &str) -> String {
        self.model.read(|all| all.get(counter).cloned().unwrap_or_default().join(" "))
    }
}

pub(crate) fn stream(counter: &str) -> StreamId {
    StreamId::new("counter", counter).unwrap()
}

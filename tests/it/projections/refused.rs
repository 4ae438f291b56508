//! A commit that the database refuses for what was written: nobody knows which event it is, until that is alone (G8).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cqrs::prelude::*;
use cqrs::sqlite::{SqliteModel, SqliteTransaction};
use cqrs::{BoxError, Maintain as _, MemoryStore, Projector, Received, StreamId};

use super::{LONG, stream};
use crate::domain::{Counter, CounterEvent, add};

/// An amount that is written without its colour, which the database finds out at the commit.
const REFUSED: i64 = 13;

#[derive(Projection)]
#[projection(
    name = "amounts",
    model = SqliteModel,
    events(CounterEvent),
    tables = "CREATE TABLE colours (amount INTEGER PRIMARY KEY); \
              CREATE TABLE amounts (amount INTEGER REFERENCES colours (amount) DEFERRABLE INITIALLY DEFERRED)"
)]
pub(super) struct Amounts {
    /// How many times an event was taken, whatever became of it.
    pub(super) taken: Arc<AtomicUsize>,
}

impl Project<CounterEvent> for Amounts {
    async fn project(
        &self,
        event: CounterEvent,
        _: &Received<'_>,
        transaction: &mut SqliteTransaction,
    ) -> Result<(), BoxError> {
        let CounterEvent::Added { amount } = event else { return Ok(()) };
        self.taken.fetch_add(1, Ordering::SeqCst);
        if amount != REFUSED {
            let colour = sqlx::query("INSERT OR IGNORE INTO colours VALUES (?1)").bind(amount);
            colour.execute(&mut **transaction).await?;
        }
        let amount = sqlx::query("INSERT INTO amounts VALUES (?1)").bind(amount);
        amount.execute(&mut **transaction).await?;
        Ok(())
    }
}

#[tokio::test]
async fn g8_of_a_batch_that_is_refused_at_the_commit_one_stream_is_parked() {
    const EVENTS: usize = 64;
    let store = MemoryStore::new();
    let bus = Bus::builder(store.clone()).aggregate::<Counter>().build().unwrap();
    let mut last = None;
    for counter in 0..EVENTS {
        let amount = if counter == 40 { REFUSED } else { 1_000 };
        last = Some(bus.send(add(&format!("c{counter}"), amount)).await.unwrap().position);
    }
    let (model, taken) = (SqliteModel::in_memory().await.unwrap(), Arc::new(AtomicUsize::new(0)));
    let projection = Amounts { taken: taken.clone() };
    // Whoever is tried alone and fails is parked.
    let running = Projector::new(store).attempts(1).start(projection, model.clone());
    running.wait_for(last.unwrap(), LONG).await.unwrap();
    let parked = model.parked("amounts", 1).await.unwrap();
    let streams: Vec<&StreamId> = parked.iter().map(|parked| &parked.stream).collect();
    assert_eq!(streams, [&stream("c40")]);
    assert!(parked[0].error.contains("FOREIGN KEY"), "{}", parked[0].error);
    let stored: Vec<i64> = sqlx::query_scalar("SELECT amount FROM amounts WHERE amount = 1000")
        .fetch_all(model.pool())
        .await
        .unwrap();
    assert_eq!(stored.len(), EVENTS - 1);
    // In halves, an event is taken again a few times; one by one, those behind it would be each time.
    let taken = taken.load(Ordering::SeqCst);
    assert!(taken < 8 * EVENTS, "{taken}");
}

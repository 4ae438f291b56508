//! What is measured in a store of one size.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cqrs::prelude::*;
use cqrs::{
    Append, BoxError, EventId, EventStore as _, ExpectedVersion, LogFilter, Metadata, NewEvent,
    Position, Projector, Repository, Store, StreamId,
};

use super::view::Total;
use super::{Arguments, Cost, Large};
use crate::child::LONG;
use crate::console::Console;
use crate::memory::{NotKept, Sent as _};
use crate::report::median;
use crate::write_side::{Deposit, Measured, Teller, TellerEvent, run};

/// The workloads that are measured by the command.
pub const COMMANDS: [&str; 5] = [
    "to new accounts, 64 callers",
    "to accounts in the cache, 64 callers",
    "to any account, no cache, 64 callers",
    "to one account, 16 callers",
    "to accounts in the cache, 1 caller",
];

/// Those that are measured by the event.
pub const EVENTS: [&str; 3] =
    ["loading 1 000 events", "reading the end of the log", "a view of it that catches up"];

/// Events at the end of the log that are read.
const TAIL: u64 = 100_000;

/// Events of the account that is loaded.
const LONG_STREAM: u32 = 1_000;

pub struct Work<'a, D> {
    pub database: &'a D,
    pub accounts: u64,
    pub stored: u64,
    /// Whether nothing was measured in this database before.
    pub is_first: bool,
    pub arguments: &'a Arguments,
    pub console: &'a Console,
}

impl<D: Large> Work<'_, D> {
    pub async fn measure(&self) -> Result<Vec<Cost>, BoxError> {
        let store: Arc<dyn Store> = Arc::new(self.database.store());
        let bus = Bus::builder(store.clone()).aggregate::<Teller>().build()?;
        let not_kept = Bus::builder(store.clone()).aggregate::<NotKept>().build()?;
        let repository = Repository::new(store);
        let long = format!("long {}", self.stored);
        self.store_stream(&long).await?;

        let next = Arc::new(AtomicU64::new(0));
        let (stored, accounts) = (self.stored, self.accounts);
        let kept = accounts.min(5_000);
        let to = |bus: &Bus, key: Arc<dyn Fn(u64) -> String + Send + Sync>| {
            let bus = bus.clone();
            move |chance: u64| {
                let (bus, teller) = (bus.clone(), key(scattered(chance)));
                async move {
                    bus.send(Deposit { teller, cents: 100 }).await?;
                    Ok(1)
                }
            }
        };
        let new = Arc::new(move |_| format!("n {stored} {}", next.fetch_add(1, Ordering::Relaxed)));
        let spread = Arc::new(move |chance: u64| format!("t{}", chance % kept * (accounts / kept)));
        let any = move |chance: u64| {
            let (bus, account) = (not_kept.clone(), format!("t{}", scattered(chance) % accounts));
            async move {
                bus.send(NotKept::command(account)).await?;
                Ok(1)
            }
        };
        let load = move |_| {
            let (repository, long) = (repository.clone(), long.clone());
            async move {
                let loaded = repository.load::<Teller>(&long).await?;
                if loaded.version.get() != u64::from(LONG_STREAM) {
                    return Err("events are missing".into());
                }
                Ok(LONG_STREAM)
            }
        };
        Ok(vec![
            self.rounds(COMMANDS[0], 64, to(&bus, new)).await?,
            {
                // From here on they are in the cache.
                let each = |account| Deposit { teller: spread(account), cents: 100 };
                send_all(&bus, (0..kept).map(each).collect()).await?;
                self.rounds(COMMANDS[1], 64, to(&bus, spread.clone())).await?
            },
            self.rounds(COMMANDS[3], 16, to(&bus, Arc::new(|_| "t1".to_owned()))).await?,
            self.rounds(COMMANDS[4], 1, to(&bus, spread)).await?,
            // Last of these: what it appends to is in the cache no longer as it was.
            self.rounds(COMMANDS[2], 64, any).await?,
            self.rounds(EVENTS[0], 1, load).await?,
            self.read_log().await?,
            self.catch_up().await?,
        ])
    }

    fn round_count(&self) -> usize {
        self.arguments.rounds.unwrap_or(if self.arguments.quick { 1 } else { 3 }).max(1)
    }

    async fn rounds<F, W>(
        &self,
        workload: &'static str,
        callers: usize,
        work: F,
    ) -> Result<Cost, BoxError>
    where
        F: Fn(u64) -> W + Clone + Send + 'static,
        W: Future<Output = Result<u32, BoxError>> + Send,
    {
        self.says(workload);
        let seconds = if self.arguments.quick { 0.1 } else { self.arguments.seconds };
        let time = Duration::from_secs_f64(seconds);
        // What is measured first finds everything cold.
        run(callers, time / 4, work.clone()).await?;
        let mut measured = Vec::new();
        for _ in 0..self.round_count() {
            measured.push(run(callers, time, work.clone()).await?);
        }
        Ok(self.cost(workload, &measured))
    }

    /// Reads the end of the log by page, as a subscription does.
    async fn read_log(&self) -> Result<Cost, BoxError> {
        self.says(EVENTS[1]);
        let (behind, end) = self.tail().await?;
        let mut measured = Vec::new();
        for _ in 0..=self.round_count() {
            let begun = Instant::now();
            let events = self.read(behind, end).await?;
            measured.push(at_once(events, begun.elapsed()));
        }
        // The first has found everything cold.
        Ok(self.cost(EVENTS[1], &measured[1..]))
    }

    /// Brings a view from a checkpoint that is so far behind.
    async fn catch_up(&self) -> Result<Cost, BoxError> {
        self.says(EVENTS[2]);
        let projector = Projector::new(self.database.store());
        let (behind, end) = self.tail().await?;
        let events = self.read(behind, end).await?;
        if self.is_first {
            // Makes its tables.
            let running = projector.start_view::<Total>(self.database.model());
            running.wait_for(end, LONG).await?;
            running.stop().await;
        }
        let mut measured = Vec::new();
        for _ in 0..=self.round_count() {
            self.database.rewind(i64::try_from(behind.get())?).await?;
            let begun = Instant::now();
            let running = projector.start_view::<Total>(self.database.model());
            running.wait_for(end, LONG).await?;
            let time = begun.elapsed();
            running.stop().await;
            let counted = self.database.counted().await?;
            if usize::try_from(counted)? != events {
                return Err(format!("the view has counted {counted} of {events} events").into());
            }
            measured.push(at_once(events, time));
        }
        Ok(self.cost(EVENTS[2], &measured[1..]))
    }

    /// Where the events that are read begin, and the end of the log.
    async fn tail(&self) -> Result<(Position, Position), BoxError> {
        let end = self.database.store().head().await?.visible;
        Ok((Position::new(end.get().saturating_sub(TAIL.min(self.stored / 2))), end))
    }

    /// Reads the log page by page: how many events there are.
    async fn read(&self, after: Position, end: Position) -> Result<usize, BoxError> {
        let store = self.database.store();
        let (mut after, mut events) = (after, 0);
        while after < end {
            let page = store.read_log(&LogFilter::all(), after, 10_000).await?;
            events += page.events.len();
            after = page.through;
        }
        Ok(events)
    }

    async fn store_stream(&self, key: &str) -> Result<(), BoxError> {
        let event = |_| {
            let id = EventId::random();
            let reference = "RF18 5390 0754 7034".to_owned();
            let event = TellerEvent::Deposited { cents: 1, reference };
            NewEvent::of(&event, id, Arc::new(Metadata::of(id.as_uuid())))
        };
        let events: Result<Vec<_>, _> = (0..LONG_STREAM).map(event).collect();
        let append =
            Append::new(StreamId::new("teller", key)?, ExpectedVersion::NoStream, events?)?;
        self.database.store().append(&append).await?;
        Ok(())
    }

    fn says(&self, workload: &str) {
        self.console.says(format!("{}, {} events stored: {workload}", D::KIND, self.stored));
    }

    fn cost(&self, workload: &'static str, measured: &[Measured]) -> Cost {
        let middle = |value: fn(&Measured) -> f64| median(measured.iter().map(value).collect());
        let per_second = middle(|one| one.per_second);
        Cost {
            store: D::KIND,
            stored: self.stored,
            workload,
            per_second,
            microseconds: 1e6 / per_second,
            p50: middle(|one| one.p50),
            p99: middle(|one| one.p99),
        }
    }
}

/// Sends them, 64 at a time.
async fn send_all(bus: &Bus, commands: Vec<Deposit>) -> Result<(), BoxError> {
    let parts = commands.chunks(commands.len().div_ceil(64).max(1)).map(<[Deposit]>::to_vec);
    let senders = parts.map(|part| {
        let bus = bus.clone();
        tokio::spawn(async move {
            for command in part {
                bus.send(command).await?;
            }
            Ok::<_, BoxError>(())
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await??;
    }
    Ok(())
}

/// A round that is one call.
#[expect(clippy::cast_precision_loss, reason = "there are not so many")]
fn at_once(events: usize, time: Duration) -> Measured {
    let milliseconds = time.as_secs_f64() * 1e3;
    let per_second = events as f64 / time.as_secs_f64();
    Measured { per_second, p50: milliseconds, p99: milliseconds }
}

/// Numbers that come one after the other, without the order.
fn scattered(chance: u64) -> u64 {
    chance.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
}

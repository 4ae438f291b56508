//! The memory of caches, and of stores with many callers: `cqrs-bench memory`. Each is measured in a process of its own.

use std::sync::Arc;
use std::time::Duration;

use cqrs::prelude::*;
use cqrs::{Append, BoxError, EventId, ExpectedVersion, Metadata, NewEvent, Store, StreamId};
use serde::Serialize;

use crate::child::{self, Task, Told};
use crate::console::Console;
use crate::database::Kind;
use crate::report::{Section, number};
use crate::write_side::{Deposit, Place, Teller, TellerEvent, run};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Which databases; PostgreSQL and SQLite if left out.
    #[arg(long, value_delimiter = ',')]
    store: Vec<Kind>,
    /// How many aggregates; 100 000, or 500 with `--quick`.
    #[arg(long)]
    aggregates: Option<usize>,
    /// Few aggregates, to see whether it works. The numbers mean little.
    #[arg(long)]
    pub quick: bool,
}

/// How many callers there are at once.
const CALLERS: usize = 256;

/// An account that is kept, and one that is not: else, they are the same.
macro_rules! account {
    ($account:ident, $open:ident $(, $cache:meta)?) => {
        #[derive(Debug, Clone, Default, Aggregate)]
        #[aggregate(category = "teller", events(TellerEvent) $(, $cache)?)]
        pub struct $account {
            owner: String,
            cents: u64,
        }

        impl Apply<TellerEvent> for $account {
            fn apply(&mut self, event: TellerEvent) {
                match event {
                    TellerEvent::Deposited { cents, reference } => {
                        self.cents += cents;
                        self.owner = reference;
                    }
                    TellerEvent::Withdrawn { cents } => self.cents -= cents,
                }
            }
        }

        #[derive(Debug, Clone, Command)]
        #[command(aggregate = $account, id = account)]
        pub struct $open {
            account: String,
        }

        impl Handle<$open> for $account {
            fn handle(&self, $open { account }: $open) -> Decision<Self> {
                emit(TellerEvent::Deposited { cents: 100, reference: format!("owner of {account}") })
            }
        }

        impl Sent for $account {
            type Command = $open;

            fn command(account: String) -> $open {
                $open { account }
            }
        }
    };
}

/// An aggregate that commands are sent to.
pub trait Sent: Aggregate {
    type Command: Command;

    fn command(account: String) -> Self::Command;
}

account!(Kept, OpenKept, cache = 100_000);
account!(NotKept, OpenNotKept);

/// What a process came to.
#[derive(Debug, Serialize)]
struct Line {
    what: &'static str,
    store: Kind,
    aggregates: usize,
    before_mib: f64,
    peak_mib: f64,
    after_mib: f64,
    /// What is there afterwards and was not before, for each aggregate.
    bytes_per_aggregate: Option<f64>,
}

/// Measures all that is asked for.
///
/// # Errors
/// When a database or a process fails.
pub async fn measure(arguments: &Arguments, console: &Console) -> Result<Vec<Section>, BoxError> {
    let aggregates = arguments.aggregates.unwrap_or(if arguments.quick { 500 } else { 100_000 });
    let columns = [
        "Process",
        "Store",
        "#Aggregates",
        "#Before, MiB",
        "#Peak, MiB",
        "#After, MiB",
        "#Bytes an aggregate",
    ];
    let mut section = Section::new("Memory of caches and callers", &columns);
    let is_wanted = |kind| arguments.store.is_empty() || arguments.store.contains(&kind);
    for kind in [Kind::Postgres, Kind::Sqlite].into_iter().filter(|kind| is_wanted(*kind)) {
        let mut without_cache = 0.0;
        for (what, task) in [
            ("a command to each, none kept", Task::NotCached),
            ("a command to each, all kept", Task::Cached),
            ("256 callers for a while", Task::Callers),
            ("one with ten times as many events is loaded", Task::Load),
        ] {
            console.says(format!("{kind}: memory, {what}"));
            let place = Place::create(kind).await?;
            if let Task::Load = task {
                fill(&*place.store, aggregates * 10).await?;
            }
            let (mut process, told) =
                child::start_at(kind, &place.address, task, aggregates).await?;
            process.wait().await?;
            let line = line(what, kind, aggregates, &told, task, without_cache);
            if let Task::NotCached = task {
                without_cache = line.after_mib;
            }
            section.add(
                "cache",
                &line,
                [
                    what.to_owned(),
                    kind.to_string(),
                    aggregates.to_string(),
                    number(line.before_mib, 1),
                    number(line.peak_mib, 1),
                    number(line.after_mib, 1),
                    number(line.bytes_per_aggregate, 0),
                ],
            )?;
        }
    }
    section.note(
        "Bytes an aggregate: what is there at rest beyond the same process without a cache, for an aggregate with a name \
         of some 15 characters and a number, its key included.",
    );
    Ok(vec![section])
}

#[expect(clippy::cast_precision_loss, reason = "there is not so much")]
fn line(
    what: &'static str,
    store: Kind,
    aggregates: usize,
    told: &Told,
    task: Task,
    without_cache: f64,
) -> Line {
    let mib = |kib: u64| kib as f64 / 1024.0;
    let after_mib = mib(told.after_kib);
    let kept = (after_mib - without_cache) * 1024.0 * 1024.0 / aggregates as f64;
    Line {
        what,
        store,
        aggregates,
        before_mib: mib(told.before_kib),
        peak_mib: mib(told.peak_kib),
        after_mib,
        bytes_per_aggregate: matches!(task, Task::Cached).then_some(kept),
    }
}

/// Sends a command to each of so many aggregates, 64 at a time. The bus keeps what it keeps for as long as it is held.
///
/// # Errors
/// When a command fails.
pub async fn send_to_each<A>(store: impl Store, aggregates: usize) -> Result<Bus, BoxError>
where
    A: Sent,
    A::Command: Send,
{
    let store: Arc<dyn Store> = Arc::new(store);
    let bus = Bus::builder(store).aggregate::<A>().build()?;
    let clients: Vec<_> = (0..64)
        .map(|first| {
            let bus = bus.clone();
            tokio::spawn(async move {
                for account in (first..aggregates).step_by(64) {
                    bus.send(A::command(format!("{account}"))).await?;
                }
                Ok::<_, BoxError>(())
            })
        })
        .collect();
    for client in clients {
        client.await??;
    }
    Ok(bus)
}

/// The key of an aggregate with many events.
const LONG: &str = "long";

/// Stores the events of that aggregate.
async fn fill(store: &dyn Store, events: usize) -> Result<(), BoxError> {
    const AT_ONCE: usize = 10_000;
    let stream = StreamId::new(NotKept::CATEGORY, LONG)?;
    for first in (0..events).step_by(AT_ONCE) {
        let metadata = Arc::new(Metadata::of(EventId::random().as_uuid()));
        let event = |_| {
            let reference = "RF18 5390 0754 7034".to_owned();
            let event = TellerEvent::Deposited { cents: 100, reference };
            NewEvent::of(&event, EventId::random(), metadata.clone())
        };
        let events = (first..events.min(first + AT_ONCE)).map(event).collect::<Result<_, _>>()?;
        store.append(&Append::new(stream.clone(), ExpectedVersion::Any, events)?).await?;
    }
    Ok(())
}

/// Loads that aggregate.
///
/// # Errors
/// When it can't be loaded, or has no events.
pub async fn load(store: impl Store) -> Result<Bus, BoxError> {
    let bus = Bus::builder(store).aggregate::<NotKept>().build()?;
    if bus.load::<NotKept>(LONG).await?.exists() { Ok(bus) } else { Err("it has no events".into()) }
}

/// Has 256 callers send commands for a while, to so many aggregates.
///
/// # Errors
/// When a command fails.
pub async fn call(store: impl Store, aggregates: usize) -> Result<Bus, BoxError> {
    let store: Arc<dyn Store> = Arc::new(store);
    let bus = Bus::builder(store).aggregate::<Teller>().build()?;
    let seconds = if aggregates < 10_000 { 0.2 } else { 10.0 };
    let sender = bus.clone();
    let send = move |chance: u64| {
        let bus = sender.clone();
        async move {
            let teller = format!("c{}", chance % aggregates as u64);
            bus.send(Deposit { teller, cents: 100 }).await?;
            Ok(1)
        }
    };
    run(CALLERS, Duration::from_secs_f64(seconds), send).await?;
    Ok(bus)
}

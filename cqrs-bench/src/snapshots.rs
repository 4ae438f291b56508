//! What a command costs with snapshots every so many events: `cqrs-bench snapshots`.
//!
//! Few snapshots mean many events to be read for each command, many snapshots mean much to be written.

use std::sync::Arc;
use std::time::Instant;

use cqrs::prelude::*;
use cqrs::{BoxError, Store};
use serde::{Deserialize, Serialize};

use crate::console::Console;
use crate::database::Kind;
use crate::report::{Section, median, number};
use crate::write_side::{Place, TellerEvent};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Which databases; PostgreSQL and SQLite if left out.
    #[arg(long, value_delimiter = ',')]
    store: Vec<Kind>,
    /// How many rounds, in which all take turns; 3, or 1 with `--quick`.
    #[arg(long)]
    rounds: Option<usize>,
    /// Few commands, to see whether it works. The numbers mean little.
    #[arg(long)]
    pub quick: bool,
}

/// Numbers in a small state, and in a large one.
const SMALL: usize = 4;
const LARGE: usize = 1_000;

/// An account that keeps its last deposits, with a snapshot every so many events.
macro_rules! account {
    ($account:ident, $deposit:ident, $kept:expr, $every:literal) => {
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Aggregate)]
        #[aggregate(category = "teller", events(TellerEvent), snapshot(every = $every))]
        struct $account {
            cents: u64,
            deposits: u64,
            last: Vec<u64>,
        }

        impl Apply<TellerEvent> for $account {
            fn apply(&mut self, event: TellerEvent) {
                match event {
                    TellerEvent::Deposited { cents, .. } => {
                        self.cents += cents;
                        let at = usize::try_from(self.deposits).unwrap_or_default() % $kept;
                        self.deposits += 1;
                        match self.last.get_mut(at) {
                            Some(last) => *last = self.cents,
                            None => self.last.push(self.cents),
                        }
                    }
                    TellerEvent::Withdrawn { cents } => self.cents -= cents,
                }
            }
        }

        #[derive(Debug, Clone, Command)]
        #[command(aggregate = $account, id = account)]
        struct $deposit {
            account: &'static str,
        }

        impl Handle<$deposit> for $account {
            fn handle(&self, $deposit { .. }: $deposit) -> Decision<Self> {
                let reference = "RF18 5390 0754 7034".to_owned();
                emit(TellerEvent::Deposited { cents: 100, reference })
            }
        }
    };
}

account!(Small10, Small10Deposit, SMALL, 10);
account!(Small30, Small30Deposit, SMALL, 30);
account!(Small100, Small100Deposit, SMALL, 100);
account!(Small300, Small300Deposit, SMALL, 300);
account!(Small1000, Small1000Deposit, SMALL, 1_000);
account!(Large10, Large10Deposit, LARGE, 10);
account!(Large30, Large30Deposit, LARGE, 30);
account!(Large100, Large100Deposit, LARGE, 100);
account!(Large300, Large300Deposit, LARGE, 300);
account!(Large1000, Large1000Deposit, LARGE, 1_000);

#[derive(Debug, Serialize)]
struct Line {
    store: Kind,
    state: &'static str,
    every: u64,
    /// Microseconds of a command, the median of all rounds.
    microseconds: f64,
    /// How much more than where it costs least.
    ratio: f64,
}

/// Measures all that is asked for.
///
/// # Errors
/// When a database or a command fails.
pub async fn measure(arguments: &Arguments, console: &Console) -> Result<Vec<Section>, BoxError> {
    let (rounds, commands) =
        if arguments.quick { (1, 50) } else { (arguments.rounds.unwrap_or(3), 2_000) };
    let columns = ["Store", "State", "#Snapshot every", "#µs a command", "#To the best"];
    let mut section = Section::new("Snapshots", &columns);
    let is_wanted = |kind| arguments.store.is_empty() || arguments.store.contains(&kind);
    for kind in [Kind::Postgres, Kind::Sqlite].into_iter().filter(|kind| is_wanted(*kind)) {
        let place = Place::create(kind).await?;
        for (state, is_large) in [("4 numbers", false), ("1 000 numbers", true)] {
            console.says(format!("{kind}: snapshots of {state}"));
            let mut lines: Vec<Line> = Vec::new();
            let mut measured = [const { Vec::new() }; 5];
            // The first round fills what is measured, and does not count.
            for _ in 0..=rounds {
                let store = place.store.clone();
                let round = if is_large {
                    large(store, commands).await?
                } else {
                    small(store, commands).await?
                };
                for (all, one) in measured.iter_mut().zip(round) {
                    all.push(one);
                }
            }
            for (every, all) in [10, 30, 100, 300, 1_000].into_iter().zip(measured) {
                let microseconds = median(all[1..].to_vec());
                lines.push(Line { store: kind, state, every, microseconds, ratio: f64::NAN });
            }
            let best = lines.iter().map(|line| line.microseconds).fold(f64::INFINITY, f64::min);
            for line in &mut lines {
                line.ratio = line.microseconds / best;
                section.add(
                    "snapshots",
                    &*line,
                    [
                        kind.to_string(),
                        state.to_owned(),
                        line.every.to_string(),
                        number(line.microseconds, 0),
                        number(line.ratio, 2),
                    ],
                )?;
            }
        }
    }
    section.note(
        "One caller, one account, no cache: each command loads the snapshot and the events after it, and appends one \
         event; every so many events it also writes a snapshot.",
    );
    Ok(vec![section])
}

async fn small(store: Arc<dyn Store>, commands: u32) -> Result<[f64; 5], BoxError> {
    Ok([
        run::<Small10, _>(&store, commands, || Small10Deposit { account: "small10" }).await?,
        run::<Small30, _>(&store, commands, || Small30Deposit { account: "small30" }).await?,
        run::<Small100, _>(&store, commands, || Small100Deposit { account: "small100" }).await?,
        run::<Small300, _>(&store, commands, || Small300Deposit { account: "small300" }).await?,
        run::<Small1000, _>(&store, commands, || Small1000Deposit { account: "small1000" }).await?,
    ])
}

async fn large(store: Arc<dyn Store>, commands: u32) -> Result<[f64; 5], BoxError> {
    Ok([
        run::<Large10, _>(&store, commands, || Large10Deposit { account: "large10" }).await?,
        run::<Large30, _>(&store, commands, || Large30Deposit { account: "large30" }).await?,
        run::<Large100, _>(&store, commands, || Large100Deposit { account: "large100" }).await?,
        run::<Large300, _>(&store, commands, || Large300Deposit { account: "large300" }).await?,
        run::<Large1000, _>(&store, commands, || Large1000Deposit { account: "large1000" }).await?,
    ])
}

/// Sends commands one after the other; microseconds of each.
async fn run<A: Aggregate, C: Command + Send>(
    store: &Arc<dyn Store>,
    commands: u32,
    command: fn() -> C,
) -> Result<f64, BoxError> {
    let bus = Bus::builder(store.clone()).aggregate::<A>().build()?;
    // On a thread of the runtime, as in a service: on that of `main`, each answer takes another change of threads.
    let sent = tokio::spawn(async move {
        let began = Instant::now();
        for _ in 0..commands {
            bus.send(command()).await?;
        }
        Ok::<_, BoxError>(began.elapsed())
    });
    Ok(sent.await??.as_secs_f64() * 1e6 / f64::from(commands))
}

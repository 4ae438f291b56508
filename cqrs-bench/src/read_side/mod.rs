//! The read side: `cqrs-bench read-side`.

mod catch_up;
mod in_memory;
mod latency;
mod memory;

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use cqrs::BoxError;
use indicatif::ProgressBar;

use crate::database::{Database, Kind, Postgres, Sqlite};
use crate::report::Report;

#[derive(clap::Args)]
pub struct Arguments {
    /// How many events the views catch up with; 200 000, or 10 000 with `--quick`.
    #[arg(long)]
    events: Option<usize>,
    /// Which databases; all if left out. `DATABASE_URL` names the PostgreSQL server; without it, one is started and
    /// thrown away.
    #[arg(long, value_delimiter = ',')]
    store: Vec<Kind>,
    /// Which workloads; all if left out.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Workload>,
    /// How many rounds; 5, or 1 with `--quick`.
    #[arg(long)]
    rounds: Option<usize>,
    /// Few of everything, to see whether it works. The numbers mean little.
    #[arg(long)]
    quick: bool,
    /// Also writes the results to this file, a line of JSON each.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Workload {
    /// A view catches up.
    View,
    /// A projection with a statement an event catches up.
    Rows,
    /// A view that wants one event in a hundred catches up.
    Filter,
    /// From an append to the rows that show it.
    Latency,
    /// How much memory catching up takes.
    Memory,
}

/// How much of everything.
struct Sizes {
    events: usize,
    rounds: usize,
    /// Appends whose latency is measured.
    samples: usize,
    /// Events of a log, and the bytes of most of them.
    memory: [(usize, usize); 2],
}

/// Tells people what is going on.
struct Console(ProgressBar);

impl Console {
    fn says(&self, text: impl Into<String>) {
        self.0.set_message(text.into());
    }
}

impl Arguments {
    fn sizes(&self) -> Sizes {
        let quick = self.quick;
        let events = self.events.unwrap_or(if quick { 10_000 } else { 200_000 });
        Sizes {
            events,
            rounds: self.rounds.unwrap_or(if quick { 1 } else { 5 }).max(1),
            samples: if quick { events.min(100) } else { 1_000 },
            memory: if quick {
                [(events, 200), (events.min(200), 64 * 1024)]
            } else {
                [(1_000_000, 200), (20_000, 64 * 1024)]
            },
        }
    }

    fn wants(&self, workload: Workload) -> bool {
        self.only.is_empty() || self.only.contains(&workload)
    }
}

pub async fn run(arguments: &Arguments) -> Result<(), BoxError> {
    let console = Console(ProgressBar::new_spinner());
    console.0.enable_steady_tick(Duration::from_millis(200));
    let mut report = Report::default();
    let is_wanted = |kind| arguments.store.is_empty() || arguments.store.contains(&kind);
    if is_wanted(Kind::Postgres) {
        workloads::<Postgres>(arguments, &console, &mut report).await?;
    }
    if is_wanted(Kind::Sqlite) {
        workloads::<Sqlite>(arguments, &console, &mut report).await?;
    }
    if is_wanted(Kind::Memory) && arguments.wants(Workload::View) {
        let Sizes { events, rounds, .. } = arguments.sizes();
        report.rates.push(in_memory::measure(events, rounds, &console).await?);
    }
    console.0.finish_and_clear();
    if let Some(path) = &arguments.json {
        std::fs::write(path, report.json_lines()?)?;
    }
    print!("{}", report.markdown());
    Ok(())
}

async fn workloads<D: Database>(
    arguments: &Arguments,
    console: &Console,
    report: &mut Report,
) -> Result<(), BoxError> {
    let sizes = arguments.sizes();
    let catching_up: Vec<_> =
        catch_up::ALL.iter().filter(|workload| arguments.wants(workload.kind)).collect();
    if !catching_up.is_empty() {
        report.rates.extend(catch_up::measure::<D>(&catching_up, &sizes, console).await?);
    }
    if arguments.wants(Workload::Latency) {
        report.latencies.extend(latency::measure::<D>(sizes.samples, console).await?);
    }
    if arguments.wants(Workload::Memory) {
        for (events, bytes) in sizes.memory {
            report.memories.push(memory::measure::<D>(events, bytes, console).await?);
        }
    }
    Ok(())
}

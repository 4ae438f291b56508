//! The read side: `cqrs-bench read-side`.

mod catch_up;
mod in_memory;
mod latency;
mod memory;
mod results;

use std::path::PathBuf;

use clap::ValueEnum;
use cqrs::BoxError;

use self::results::{Latency, Memory, Rate};
use crate::console::Console;
use crate::database::{Database, Kind, Postgres, Sqlite};
use crate::peers;
use crate::report::Section;

#[derive(Debug, clap::Args)]
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
    /// Also measures how fast other crates catch up on PostgreSQL; they are built first.
    #[arg(long)]
    peers: bool,
    /// How many rounds; 5, or 1 with `--quick`.
    #[arg(long)]
    rounds: Option<usize>,
    /// Few of everything, to see whether it works. The numbers mean little.
    #[arg(long)]
    pub quick: bool,
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
    /// Events that other crates catch up with: most are much slower.
    peer_events: usize,
    /// The program of the other crates, if they are wanted.
    peers: Option<PathBuf>,
}

/// Everything that was measured.
#[derive(Default)]
struct Results {
    rates: Vec<Rate>,
    latencies: Vec<Latency>,
    memories: Vec<Memory>,
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
            peer_events: if quick { 200 } else { 20_000 },
            peers: None,
        }
    }

    fn wants(&self, workload: Workload) -> bool {
        self.only.is_empty() || self.only.contains(&workload)
    }
}

/// Measures all that is asked for.
///
/// # Errors
/// When a database fails, or the rows are not what they must be.
pub async fn measure(arguments: &Arguments, console: &Console) -> Result<Vec<Section>, BoxError> {
    let mut results = Results::default();
    let mut sizes = arguments.sizes();
    if arguments.peers {
        sizes.peers = Some(peers::program().await?);
    }
    let is_wanted = |kind| arguments.store.is_empty() || arguments.store.contains(&kind);
    if is_wanted(Kind::Postgres) {
        workloads::<Postgres>(arguments, &sizes, console, &mut results).await?;
    }
    if is_wanted(Kind::Sqlite) {
        workloads::<Sqlite>(arguments, &sizes, console, &mut results).await?;
    }
    if is_wanted(Kind::Memory) && arguments.wants(Workload::View) {
        results.rates.push(in_memory::measure(sizes.events, sizes.rounds, console).await?);
    }
    let mut sections = Vec::new();
    if !results.rates.is_empty() {
        sections.push(results::rates(&results.rates)?);
    }
    if !results.latencies.is_empty() {
        sections.push(results::latencies(&results.latencies)?);
    }
    if !results.memories.is_empty() {
        sections.push(results::memories(&results.memories)?);
    }
    Ok(sections)
}

async fn workloads<D: Database>(
    arguments: &Arguments,
    sizes: &Sizes,
    console: &Console,
    results: &mut Results,
) -> Result<(), BoxError> {
    let catching_up: Vec<_> =
        catch_up::ALL.iter().filter(|workload| arguments.wants(workload.kind)).collect();
    if !catching_up.is_empty() {
        results.rates.extend(catch_up::measure::<D>(&catching_up, sizes, console).await?);
    }
    if arguments.wants(Workload::Latency) {
        results.latencies.extend(latency::measure::<D>(sizes.samples, console).await?);
    }
    if arguments.wants(Workload::Memory) {
        for (events, bytes) in sizes.memory {
            results.memories.push(memory::measure::<D>(events, bytes, console).await?);
        }
    }
    Ok(())
}

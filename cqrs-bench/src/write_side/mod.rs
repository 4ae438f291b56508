//! The write side: `cqrs-bench write-side`.

mod place;
mod teller;
mod work;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use cqrs::BoxError;
use serde::Serialize;

use self::place::Place;
use self::work::{Clients, Measured};
use crate::database::Kind;
use crate::report::median;

#[derive(clap::Args)]
pub struct Arguments {
    /// Which databases; all if left out. `DATABASE_URL` names the PostgreSQL server; without it, one is started and
    /// thrown away.
    #[arg(long, value_delimiter = ',')]
    store: Vec<Kind>,
    /// Which workloads; all if left out.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Workload>,
    /// How many rounds, in which ours and the twin take turns; 5, or 1 with `--quick`.
    #[arg(long)]
    rounds: Option<usize>,
    /// How long a workload runs in a round.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Short rounds, to see whether it works. The numbers mean little.
    #[arg(long)]
    quick: bool,
    /// Also writes the results to this file, a line of JSON each.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Workload {
    /// Commands to accounts that are new, from 64 callers.
    New,
    /// Commands to accounts with ten events each, from 64 callers.
    Existing,
    /// The same from one caller.
    Single,
    /// Commands to one account, from 16 callers.
    Hot,
    /// Loads an aggregate of 1 000 events.
    Load,
}

const ALL: [Workload; 5] =
    [Workload::New, Workload::Existing, Workload::Single, Workload::Hot, Workload::Load];

/// A workload on a database.
#[derive(Debug, Serialize)]
struct Line {
    workload: Workload,
    store: Kind,
    callers: usize,
    /// Commands a second, the median of all rounds; for loading, events.
    ours_per_second: f64,
    /// Inserts a second, each in a transaction of its own, by as many callers on as many connections; for loading, rows.
    twin_per_second: Option<f64>,
    /// The median of the ratios of all rounds.
    ratio: Option<f64>,
    /// Milliseconds.
    p50: f64,
    p99: f64,
    twin_p50: Option<f64>,
}

/// Measures all that is asked for and prints a table.
///
/// # Errors
/// When a database fails, or the events are not what they must be.
pub async fn run(arguments: &Arguments) -> Result<(), BoxError> {
    let kinds = [Kind::Postgres, Kind::Sqlite, Kind::Memory];
    let mut lines = Vec::new();
    for kind in kinds {
        if !arguments.store.is_empty() && !arguments.store.contains(&kind) {
            continue;
        }
        for workload in ALL {
            if arguments.only.is_empty() || arguments.only.contains(&workload) {
                let line = measure(kind, workload, arguments).await?;
                eprintln!("{line:?}");
                lines.push(line);
            }
        }
    }
    println!(
        "\n| Workload | Store | Callers | Ours, 1/s | p50 ms | p99 ms | By hand, 1/s | p50 ms | Ratio |"
    );
    println!("|--|--|--:|--:|--:|--:|--:|--:|--:|");
    for line in &lines {
        let Line { workload, store, callers, ours_per_second, p50, p99, .. } = line;
        let shown = |value: Option<f64>, digits| {
            value.map_or_else(String::new, |value| format!("{value:.digits$}"))
        };
        let (twin, twin_p50) = (shown(line.twin_per_second, 0), shown(line.twin_p50, 2));
        let ratio = shown(line.ratio, 2);
        println!(
            "| {workload:?} | {store} | {callers} | {ours_per_second:.0} | {p50:.2} | {p99:.2} | {twin} | {twin_p50} | \
             {ratio} |"
        );
    }
    if let Some(path) = &arguments.json {
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        for line in &lines {
            writeln!(file, "{}", serde_json::to_string(line)?)?;
        }
    }
    Ok(())
}

async fn measure(kind: Kind, workload: Workload, arguments: &Arguments) -> Result<Line, BoxError> {
    let rounds = arguments.rounds.unwrap_or(if arguments.quick { 1 } else { 5 });
    let seconds = if arguments.quick { 0.2 } else { arguments.seconds };
    let time = Duration::from_secs_f64(seconds);
    let callers = match workload {
        Workload::New | Workload::Existing => 64,
        Workload::Hot => 16,
        Workload::Single | Workload::Load => 1,
    };
    let place = Place::create(kind).await?;
    let clients = Clients::prepare(&place, workload, callers, arguments.quick).await?;
    // What is measured first finds everything cold.
    clients.ours(time / 4).await?;
    clients.twin(time / 4).await?;
    let (mut ours, mut twins, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let (mut p50, mut p99, mut twin_p50) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let measured = clients.ours(time).await?;
        ours.push(measured.per_second);
        p50.push(measured.p50);
        p99.push(measured.p99);
        if let Some(Measured { per_second, p50, .. }) = clients.twin(time).await? {
            twins.push(per_second);
            ratios.push(measured.per_second / per_second);
            twin_p50.push(p50);
        }
    }
    clients.check().await?;
    let some = |values: Vec<f64>| (!values.is_empty()).then(|| median(values));
    Ok(Line {
        workload,
        store: kind,
        callers,
        ours_per_second: median(ours),
        twin_per_second: some(twins),
        ratio: some(ratios),
        p50: median(p50),
        p99: median(p99),
        twin_p50: some(twin_p50),
    })
}

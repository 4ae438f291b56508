//! Parts that run in a process of their own: what another process sees of a view, and how much memory something takes.

use std::process::Stdio;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use cqrs::{BoxError, PostgresStore, Projector, Rows, SqliteStore, Store};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::bank::Balance;
use crate::database::{Database, Kind};
use crate::memory;
use crate::process::{peak_kib, resident_kib};

#[derive(clap::Args)]
pub struct Arguments {
    /// What it does.
    task: Task,
    /// Which database.
    #[arg(long)]
    store: Kind,
    /// How to reach it.
    #[arg(long)]
    at: String,
    /// How many aggregates, for those that send commands.
    #[arg(long, default_value_t = 0)]
    aggregates: usize,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Task {
    /// Runs the view, and goes on until its input ends.
    Follow,
    /// Runs the view to the end of the log.
    CatchUp,
    /// Sends a command to each aggregate, and keeps them.
    Cached,
    /// Sends a command to each aggregate, and keeps none.
    NotCached,
    /// Sends commands from 256 callers for a while.
    Callers,
    /// Loads an aggregate that has many events.
    Load,
}

/// What it tells when it is done.
#[derive(Debug, Serialize, Deserialize)]
pub struct Told {
    /// Most memory it had before it began, in KiB.
    pub before_kib: u64,
    /// Most memory it has had since, and what it has now.
    pub peak_kib: u64,
    pub after_kib: u64,
    pub seconds: f64,
}

pub async fn run(arguments: &Arguments) -> Result<(), BoxError> {
    match arguments.store {
        Kind::Postgres => {
            let store = PostgresStore::connect(&arguments.at).await?;
            let model = store.model();
            task(store, model, arguments).await
        }
        Kind::Sqlite => {
            let store = SqliteStore::open(&arguments.at).await?;
            let model = store.model();
            task(store, model, arguments).await
        }
        Kind::Memory => Err("what is in memory is in no other process".into()),
    }
}

async fn task(
    store: impl Store + Clone,
    model: impl Rows<Balance>,
    arguments: &Arguments,
) -> Result<(), BoxError> {
    let begun = Instant::now();
    let before_kib = peak_kib()?;
    let tell = || {
        let seconds = begun.elapsed().as_secs_f64();
        let (peak_kib, after_kib) = (peak_kib()?, resident_kib()?);
        println!("{}", serde_json::to_string(&Told { before_kib, peak_kib, after_kib, seconds })?);
        Ok::<_, BoxError>(())
    };
    let aggregates = arguments.aggregates;
    match arguments.task {
        Task::Follow | Task::CatchUp => {
            let end = store.head().await?.visible;
            let running = Projector::new(store).start_view::<Balance>(model);
            running.wait_for(end, LONG).await?;
            tell()?;
            if let Task::Follow = arguments.task {
                tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
            }
            running.stop().await;
            Ok(())
        }
        // What is kept is kept by what they return, until it is counted.
        Task::Cached => {
            memory::send_to_each::<memory::Kept>(store, aggregates).await.and_then(|_| tell())
        }
        Task::NotCached => {
            memory::send_to_each::<memory::NotKept>(store, aggregates).await.and_then(|_| tell())
        }
        Task::Callers => memory::call(store, aggregates).await.and_then(|_| tell()),
        Task::Load => memory::load(store).await.and_then(|_| tell()),
    }
}

/// Beyond what any workload takes.
pub const LONG: Duration = Duration::from_mins(10);

/// Starts a process that runs the view; done when it has seen the log. It ends when its input is closed, or with this
/// process.
pub async fn start<D: Database>(database: &D, task: Task) -> Result<(Child, Told), BoxError> {
    start_at(D::KIND, &database.address(), task, 0).await
}

/// Starts a process that does its task with so many aggregates; done when it has told what came of it.
pub async fn start_at(
    kind: Kind,
    address: &str,
    task: Task,
    aggregates: usize,
) -> Result<(Child, Told), BoxError> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["child", &name(&task), "--store", &name(&kind), "--at", address]);
    command.args(["--aggregates", &aggregates.to_string()]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn()?;
    let output = child.stdout.take().ok_or("the other process has no output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).await?;
    let told = serde_json::from_str(&line).map_err(|_| "the other process has failed")?;
    Ok((child, told))
}

/// The argument that means this value.
fn name(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

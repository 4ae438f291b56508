//! The view in a process of its own: what another process sees of it, and how much memory it takes.

use std::process::Stdio;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use cqrs::{BoxError, EventStore, PostgresStore, Projector, Rows, SqliteStore};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::bank::Balance;
use crate::database::{Database, Kind};

#[derive(clap::Args)]
pub struct Arguments {
    /// What it does when it has seen the log.
    task: Task,
    /// Which database.
    #[arg(long)]
    store: Kind,
    /// How to reach it.
    #[arg(long)]
    at: String,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Task {
    /// Goes on until its input ends.
    Follow,
    /// Ends.
    CatchUp,
}

/// What it tells when it has seen the log.
#[derive(Debug, Serialize, Deserialize)]
pub struct Told {
    /// Most memory it had before the view was started, in KiB.
    pub before_kib: u64,
    /// Most memory it has had since.
    pub peak_kib: u64,
    pub seconds: f64,
}

pub async fn run(arguments: &Arguments) -> Result<(), BoxError> {
    match arguments.store {
        Kind::Postgres => {
            let store = PostgresStore::connect(&arguments.at).await?;
            view(store.clone(), store.model(), arguments.task).await
        }
        Kind::Sqlite => {
            let store = SqliteStore::open(&arguments.at).await?;
            view(store.clone(), store.model(), arguments.task).await
        }
        Kind::Memory => Err("what is in memory is in no other process".into()),
    }
}

async fn view(
    store: impl EventStore + Clone,
    model: impl Rows<Balance>,
    task: Task,
) -> Result<(), BoxError> {
    let end = store.head().await?.visible;
    let before_kib = peak_kib()?;
    let begun = Instant::now();
    let running = Projector::new(store).start_view::<Balance>(model);
    running.wait_for(end, LONG).await?;
    let seconds = begun.elapsed().as_secs_f64();
    println!("{}", serde_json::to_string(&Told { before_kib, peak_kib: peak_kib()?, seconds })?);
    if let Task::Follow = task {
        tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    }
    running.stop().await;
    Ok(())
}

/// The most memory this process has had.
fn peak_kib() -> Result<u64, BoxError> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("/proc/self/status does not tell `VmHWM`")?.parse()?)
}

/// Beyond what any workload takes.
pub const LONG: Duration = Duration::from_mins(10);

/// Starts a process that runs the view; done when it has seen the log. It ends when its input is closed, or with this
/// process.
pub async fn start<D: Database>(database: &D, task: Task) -> Result<(Child, Told), BoxError> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["child", &name(&task), "--store", &name(&D::KIND), "--at", &database.address()]);
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

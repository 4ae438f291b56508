//! Other crates, each in a process of its own: `peers`, a package beside this one with a lock file of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use cqrs::BoxError;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Those that are measured, by the names of their crates.
pub const NAMES: [&str; 4] = ["cqrs-es", "esrs", "disintegrate", "evento"];

/// What a peer begins with.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    pub workload: &'static str,
    pub callers: usize,
    /// How many accounts there are, and the events of each.
    pub accounts: usize,
    pub events: usize,
}

/// What a round of a peer came to.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Measured {
    pub per_second: f64,
    /// Milliseconds.
    pub p50: f64,
    pub p99: f64,
}

/// A peer that waits for its turn.
pub struct Peer {
    pub name: &'static str,
    _process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    /// Kept for as long as it is used.
    _database: cqrs_test_harness::Database,
}

/// Builds the peers, and tells where the program is. The first time takes some minutes.
///
/// # Errors
/// When they can't be built: without a network, say.
pub async fn program() -> Result<PathBuf, BoxError> {
    let own = std::env::current_exe()?;
    let target = own.ancestors().nth(2).ok_or("this program is in no directory of cargo")?;
    let target = target.join("peers");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/Cargo.toml");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--release", "--locked", "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(&target)
        .status()
        .await?;
    if !built.success() {
        return Err("the peers could not be built".into());
    }
    Ok(target.join("release/cqrs-bench-peers"))
}

impl Peer {
    /// Starts a peer on a new database and waits until it has made what the workload begins with.
    ///
    /// # Errors
    /// When it fails; it has said why on standard error.
    pub async fn start(program: &Path, name: &'static str, setup: Setup) -> Result<Self, BoxError> {
        let server = tokio::task::spawn_blocking(cqrs_test_harness::postgres).await??;
        let database = server.database("bench_peer").await?;
        let numbers =
            [setup.callers, setup.accounts, setup.events].map(|number| number.to_string());
        let mut process = Command::new(program)
            .args([name, setup.workload, &database.url()])
            .args(numbers)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let input = process.stdin.take().ok_or("the peer has no input")?;
        let output = process.stdout.take().ok_or("the peer has no output")?;
        let output = BufReader::new(output).lines();
        let mut peer = Self { name, _process: process, input, output, _database: database };
        peer.line().await?;
        Ok(peer)
    }

    /// Has it do the workload for so many seconds.
    ///
    /// # Errors
    /// When it fails; it has said why on standard error.
    pub async fn measure(&mut self, seconds: f64) -> Result<Measured, BoxError> {
        self.input.write_all(format!("{seconds}\n").as_bytes()).await?;
        self.input.flush().await?;
        Ok(serde_json::from_str(&self.line().await?)?)
    }

    async fn line(&mut self) -> Result<String, BoxError> {
        let line = self.output.next_line().await?;
        line.ok_or_else(|| format!("{} has failed", self.name).into())
    }
}

//! A bank that carries out instructions from a file or from standard input.
//!
//! ```sh
//! cargo run --example bank                                   # the sample, on SQLite in `bank.db`
//! cargo run --example bank -- more.ndjson --details          # your own instructions
//! generate | cargo run --example bank -- -                   # from standard input
//! cargo run --example bank -- --statement A-1                # what happened to an account
//! cargo run --example bank --features postgres -- --store postgres://localhost/bank
//! ```
//!
//! It may be killed at any moment: run it again, and it goes on where it was, with nothing lost and nothing doubled.
//! That rests on three things: an instruction's events are stored all or not at all; each instruction has an id, which
//! is the idempotency key of its commands; and a refusal is recorded like everything else.
//!
//! What it prints it reads from tables in the same database, `balances`, `statement` and `refusals`: `views.rs` tells how
//! their rows follow from the events. They are kept up to date while instructions are carried out.

#![allow(unreachable_pub, reason = "`pub` reads better in a program than `pub(crate)`")]

mod account;
mod database;
mod input;
mod ledger;
mod refusal;
mod summary;
mod teller;
mod transfer;
mod views;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

use crate::database::Database;
use crate::input::Lines;
use crate::summary::Run;
use crate::teller::{Outcome, Teller};

/// A bank that carries out instructions, one JSON object a line, each once.
#[derive(Parser)]
struct Arguments {
    /// File with the instructions, `-` for standard input; the sample that comes with the example if left out.
    input: Option<PathBuf>,
    /// Where events are stored: a file for SQLite, or the `postgres://` address of a database.
    #[arg(long, default_value = "bank.db")]
    store: String,
    /// Show every account and every refused instruction.
    #[arg(long)]
    details: bool,
    /// Carry nothing out; show what happened to this account.
    #[arg(long, value_name = "ACCOUNT", conflicts_with_all = ["input", "details"])]
    statement: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bank: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(
    Arguments { input, store, details, statement }: Arguments,
) -> Result<(), Box<dyn Error>> {
    if let Some(account) = statement {
        let database = Database::open(&store).await?;
        let views = database.start_views();
        views.catch_up().await?;
        summary::print_statement(&database, &account).await?;
        views.stop().await;
        return Ok(());
    }
    let (lines, progress) = open_input(input.as_deref())?;
    if input.is_none() {
        eprintln!("carrying out the sample, which has two bad lines on purpose");
    }
    let database = Database::open(&store).await?;
    let views = database.start_views();
    let run = carry_out(lines, &progress, &database).await?;
    views.catch_up().await?;
    progress.finish_and_clear();
    summary::print(&database, &run, details).await?;
    views.stop().await;
    Ok(())
}

/// Carries out what is left to do.
async fn carry_out(
    mut lines: Lines,
    progress: &ProgressBar,
    database: &Database,
) -> Result<Run, Box<dyn Error>> {
    let mut teller = Teller::new(database.store()).await?;
    let mut run = Run::default();
    let began = Instant::now();
    while let Some((line, instruction)) = lines.next()? {
        let outcome = match instruction {
            Ok(instruction) => teller.carry_out(instruction).await.map_err(|error| {
                format!(
                    "line {line}: {error}\nNothing is lost: run the same command again to go on."
                )
            })?,
            Err(problem) => Outcome::Bad(problem),
        };
        match outcome {
            Outcome::Done => run.done += 1,
            Outcome::Refused => run.refused += 1,
            Outcome::DoneBefore => run.done_before += 1,
            Outcome::Bad(problem) => {
                run.bad += 1;
                progress.suspend(|| eprintln!("line {line} skipped: {problem}"));
            }
        }
        progress.set_position(lines.number());
    }
    run.took = began.elapsed();
    Ok(run)
}

/// The instructions, and a bar that shows the progress through them on a terminal.
fn open_input(input: Option<&Path>) -> Result<(Lines, ProgressBar), Box<dyn Error>> {
    if input == Some(Path::new("-")) {
        let style = ProgressStyle::with_template("{spinner} {pos} lines, {per_sec}")?;
        return Ok((Lines::of_stdin(), ProgressBar::no_length().with_style(style)));
    }
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/bank/sample.ndjson");
    let path = input.unwrap_or(&sample);
    let (lines, count) =
        Lines::of_file(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let style =
        ProgressStyle::with_template("{wide_bar} {pos}/{len} lines, {per_sec}, {eta} left")?;
    Ok((lines, ProgressBar::new(count).with_style(style)))
}

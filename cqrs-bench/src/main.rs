//! Measures the framework against what one would write by hand, side by side.
//!
//! ```sh
//! cargo run --release -p cqrs-bench -- read-side                                # everything; some ten minutes
//! cargo run --release -p cqrs-bench -- read-side --quick                        # only whether it works
//! cargo run --release -p cqrs-bench -- read-side --store postgres --only view   # one workload
//! cargo run --release -p cqrs-bench -- write-side                               # commands
//! cargo run --release -p cqrs-bench -- codec                                    # decoding and upcasters
//! ```
//!
//! Each workload runs in rounds, in which ours and the hand-written twin take turns on the same database; what counts
//! is the median of the ratios. After each run, the rows are compared with those that must come of the log.

#![allow(unreachable_pub, reason = "`pub` reads better in a program than `pub(crate)`")]

mod bank;
mod child;
mod codec;
mod database;
mod read_side;
mod report;
mod twin;
mod write_side;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Benchmarks of the framework against hand-written twins.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Views and projections: how fast they catch up, how soon they show an event, what memory they take.
    ReadSide(read_side::Arguments),
    /// Commands: how many a second, and how long they take.
    WriteSide(write_side::Arguments),
    /// Decoding events, and what upcasters cost.
    Codec(codec::Arguments),
    /// Runs a view in a process of its own, for the workloads that ask for one.
    #[command(hide = true)]
    Child(child::Arguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Arguments::parse().what {
        What::ReadSide(arguments) => read_side::run(&arguments).await,
        What::WriteSide(arguments) => write_side::run(&arguments).await,
        What::Codec(arguments) => codec::run(&arguments),
        What::Child(arguments) => child::run(&arguments).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cqrs-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

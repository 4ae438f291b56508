//! Measures the framework against what one would write by hand, and against other crates, side by side.
//!
//! ```sh
//! cargo run --release -p cqrs-bench -- all --json results.jsonl --plot results.svg   # everything; some hours
//! cargo run --release -p cqrs-bench -- all --quick                                   # only whether it works
//! cargo run --release -p cqrs-bench -- write-side --peers --store postgres           # commands
//! cargo run --release -p cqrs-bench -- read-side --store postgres --only view        # views that catch up
//! cargo run --release -p cqrs-bench -- scale                                         # cost over the size of a store
//! cargo run --release -p cqrs-bench -- bus                                           # dispatch in memory
//! cargo run --release -p cqrs-bench -- codec                                         # decoding and upcasters
//! cargo run --release -p cqrs-bench -- memory                                        # of caches and callers
//! cargo run --release -p cqrs-bench -- snapshots                                     # how many pay off
//! cargo run --release -p cqrs-bench -- compile-time                                  # of derives
//! ```
//!
//! Each workload runs in rounds, in which ours, the hand-written twin and other crates take turns on the same server; what
//! counts is the median of the ratios. After each run, what is stored is compared with what must be.

#![allow(unreachable_pub, reason = "`pub` reads better in a program than `pub(crate)`")]

mod all;
mod bank;
mod bus;
mod child;
mod codec;
mod compile_time;
mod console;
mod database;
mod memory;
mod peers;
mod process;
mod read_side;
mod report;
mod scale;
mod snapshots;
mod twin;
mod write_side;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use cqrs::BoxError;

use self::console::Console;
use self::report::{Output, Section, print};

/// Benchmarks of the framework against hand-written twins.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    output: Output,
}

#[derive(Subcommand)]
enum What {
    /// Everything below, one after the other.
    All(all::Arguments),
    #[command(flatten)]
    Suite(Suite),
    /// Runs a part in a process of its own, for the workloads that ask for one.
    #[command(hide = true)]
    Child(child::Arguments),
}

/// What can be measured by itself.
#[derive(Debug, Subcommand)]
enum Suite {
    /// Commands: how many a second, and how long they take.
    WriteSide(write_side::Arguments),
    /// Views and projections: how fast they catch up, how soon they show an event, what memory they take.
    ReadSide(read_side::Arguments),
    /// What commands, reading and bytes cost in stores of different sizes.
    Scale(scale::Arguments),
    /// What the bus adds to a direct call of a handler.
    Bus(bus::Arguments),
    /// Decoding events, and what upcasters cost.
    Codec(codec::Arguments),
    /// The memory of caches, and of stores with many callers.
    Memory(memory::Arguments),
    /// What a command costs with snapshots every so many events.
    Snapshots(snapshots::Arguments),
    /// How long a crate with many types compiles.
    CompileTime(compile_time::Arguments),
}

impl Suite {
    async fn measure(&self, console: &Console) -> Result<Vec<Section>, BoxError> {
        match self {
            Self::WriteSide(arguments) => write_side::measure(arguments, console).await,
            Self::ReadSide(arguments) => read_side::measure(arguments, console).await,
            Self::Scale(arguments) => scale::measure(arguments, console).await,
            Self::Bus(arguments) => bus::measure(arguments),
            Self::Codec(arguments) => codec::measure(arguments),
            Self::Memory(arguments) => memory::measure(arguments, console).await,
            Self::Snapshots(arguments) => snapshots::measure(arguments, console).await,
            Self::CompileTime(arguments) => compile_time::measure(arguments, console),
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { what, output } = Arguments::parse();
    let done = match what {
        What::All(arguments) => all::run(&arguments, &output).await,
        What::Suite(suite) => alone(&suite, &output).await,
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

async fn alone(suite: &Suite, output: &Output) -> Result<(), BoxError> {
    let console = Console::start();
    let sections = suite.measure(&console).await?;
    console.end();
    print(&sections);
    output.write(&sections)
}

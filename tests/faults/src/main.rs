//! Runs rounds of faults: `cargo run --release -p cqrs-faults -- --store postgres --seed 7 --for 60s`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use cqrs_faults::base::Error;
use cqrs_faults::child;
use cqrs_faults::random::fresh_seed;
use cqrs_faults::round::{Kind, Settings, round};
use cqrs_faults::schedule::Schedule;

/// Injects faults into processes and their database for a time, and checks that nothing is lost, doubled or out of
/// order. Ends with an error if something is.
#[derive(Debug, Parser)]
#[command(name = "cqrs-faults")]
struct Arguments {
    /// The store.
    #[arg(long, value_enum, default_value = "postgres")]
    store: Kind,
    /// What determines the faults of the first round, and with one more those of the next; a new one each time if it is
    /// left out.
    #[arg(long)]
    seed: Option<u64>,
    /// How long faults are injected in each round: 90s, 5m, 1h.
    #[arg(long = "for", default_value = "60s", value_parser = time)]
    length: Duration,
    /// How many rounds there are.
    #[arg(long, default_value_t = 1)]
    rounds: u64,
    /// Processes that send commands.
    #[arg(long, default_value_t = 2, value_parser = 1..=20)]
    writers: i64,
    /// Processes that follow the log.
    #[arg(long, default_value_t = 2, value_parser = 1..=20)]
    workers: i64,
    /// Prints which faults would be injected when, and does nothing.
    #[arg(long)]
    print: bool,
}

fn time(text: &str) -> Result<Duration, String> {
    let (number, unit) =
        text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "s" | "" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err("write a number and s, m or h".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "write a number first".to_owned())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(|| "too long".to_owned())
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let done = match (arguments.next(), arguments.next()) {
        (Some(first), Some(job)) if first == child::ARGUMENT => {
            child::run(&job).map(|()| true).map_err(|error| error.to_string())
        }
        _ => rounds(&Arguments::parse()).map_err(|error| error.to_string()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Whether there was no violation.
fn rounds(arguments: &Arguments) -> Result<bool, Error> {
    let Arguments { store, seed, length, rounds, writers, workers, print } = *arguments;
    let first = seed.unwrap_or_else(fresh_seed);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut violations = 0;
    for seed in (0..rounds).map(|number| first.wrapping_add(number)) {
        let settings = Settings {
            writers: usize::try_from(writers)?,
            workers: usize::try_from(workers)?,
            ..Settings::new(store, seed, length, std::env::current_exe()?)
        };
        if print {
            println!("{}", Schedule::new(seed, length, &settings.targets()));
            continue;
        }
        let report = runtime.block_on(round(&settings))?;
        println!("{report}");
        violations += report.violations.len();
    }
    if rounds > 1 && !print {
        println!("{rounds} rounds from seed {first} on, violations: {violations}");
    }
    Ok(violations == 0)
}

//! A console for projections: what those of an application are doing, and what can be done about them.
//!
//! ```sh
//! cargo run --example bank                                                  # makes `bank.db`
//! cargo run --example projections -- bank.db                                # what its projections are doing
//! cargo run --example projections -- bank.db --watch                        # the same, again every second
//! cargo run --example projections -- bank.db parked                         # streams that wait, and why
//! cargo run --example projections -- bank.db replay balances account/A-1    # once the cause is mended
//! cargo run --example projections -- bank.db rescale balances 4             # into four slots
//! cargo run --example projections -- bank.db promote balances@2             # a version that was built beside
//! cargo run --example projections --features postgres -- postgres://localhost/bank
//! ```
//!
//! It knows nothing of the application, whose events and rows it never decodes: it works with any database. Except for
//! what it is asked to change, it changes nothing.

#![allow(unreachable_pub, reason = "`pub` reads better in a program than `pub(crate)`")]

mod database;
mod look;
mod request;

use std::error::Error;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use cqrs::Projections;

use crate::look::Look;
use crate::request::Request;

/// What the projections of an application are doing, and what can be done about them.
#[derive(Parser)]
struct Arguments {
    /// The database of the read models: an SQLite file, or the `postgres://` address of a database.
    database: String,
    /// The database of the events, where it is another one.
    #[arg(long, value_name = "DATABASE")]
    log: Option<String>,
    /// Show it again every second.
    #[arg(long)]
    watch: bool,
    #[command(subcommand)]
    request: Option<Request>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("projections: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let Arguments { database, log, watch, request } = arguments;
    let projections = database::open(&database, log.as_deref()).await?;
    match request {
        Some(request) => println!("{}", request::carry_out(&projections, request).await?),
        None if watch => self::watch(&projections).await?,
        None => println!("{}", Look::at(&projections).await?.show(None)),
    }
    Ok(())
}

/// Looks every second, until it is interrupted. A terminal shows the latest look, anything else gets one after another.
async fn watch(projections: &Projections) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout();
    let is_terminal = out.is_terminal();
    let mut earlier: Option<Look> = None;
    loop {
        let text = match Look::at(projections).await {
            Ok(look) => {
                let text = look.show(earlier.as_ref());
                earlier = Some(look);
                text
            }
            // It may pass: the next look tells.
            Err(error) => format!("projections: {error}"),
        };
        if is_terminal {
            // From the top left corner, over what was there, and the rest cleared: nothing flickers.
            write!(out, "\x1b[H{}\x1b[K\n\x1b[J", text.replace('\n', "\x1b[K\n"))?;
        } else {
            writeln!(out, "{text}\n")?;
        }
        out.flush()?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

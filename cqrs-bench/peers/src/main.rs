//! One workload of `cqrs-bench`, done with another crate.
//!
//! `cqrs-bench` starts a process of this for each peer: `cqrs-bench-peers PEER WORKLOAD ADDRESS CALLERS ACCOUNTS EVENTS`.
//! It makes what the workload begins with and says `ready`; then it reads numbers of seconds, a line each, does the
//! workload for so long, and answers with a line of JSON. It ends with its input.
//!
//! Each peer is set up as its documentation has it, with a pool of 64 connections. Those that leave it to the caller to
//! repeat a command after a conflict are repeated at once; the time of a command is that of all its attempts.

mod cqrs_es;
mod disintegrate;
mod esrs;
mod evento;
#[path = "../../src/report/statistics.rs"]
#[allow(dead_code, reason = "`cqrs-bench` uses all of it")]
mod statistics;
mod work;

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use self::work::{Peer, Setup, Workload};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cqrs-bench-peers {}: {error:#}", arguments.join(" "));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &[String]) -> anyhow::Result<()> {
    let [peer, workload, address, callers, accounts, events] = arguments else {
        bail!("expected a peer, a workload, an address, and how many callers, accounts and events");
    };
    let setup = Setup {
        workload: Workload::parse(workload)?,
        address: address.clone(),
        callers: callers.parse().context("callers")?,
        accounts: accounts.parse().context("accounts")?,
        events: events.parse().context("events")?,
    };
    match &peer[..] {
        "cqrs-es" => answer::<cqrs_es::CqrsEs>(&setup).await,
        "esrs" => answer::<esrs::Esrs>(&setup).await,
        "disintegrate" => answer::<disintegrate::Disintegrate>(&setup).await,
        "evento" => answer::<evento::Evento>(&setup).await,
        other => bail!("there is no peer `{other}`"),
    }
}

async fn answer<P: Peer>(setup: &Setup) -> anyhow::Result<()> {
    let bench = work::prepare::<P>(setup).await?;
    println!("ready");
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let measured = bench.measure::<P>(line.trim().parse().context("seconds")?).await?;
        println!("{}", serde_json::to_string(&measured)?);
    }
    Ok(())
}

//! A program at version 4 that reads what its version 1 has written.
//!
//! ```sh
//! cargo run --example evolution                                 # all of it, on a temporary SQLite file
//! cargo run --example evolution -- list                         # events, versions, upcasters
//! cargo run --example evolution -- dry-run                      # can everything be read?
//! cargo run --example evolution -- catalogue                    # in Markdown; `--format json-schema`
//! cargo run --example evolution -- samples                      # samples of what is stored, for the tests
//! cargo run --example evolution -- record > examples/evolution/v1.ndjson
//! ```
//!
//! `v1.ndjson` is what version 1 has stored, made by `v1.rs`. `events.rs` has the events at version 4 and says what became of
//! the old ones; `upcasters.rs` has the steps; `member.rs` and `view.rs` know the newest events alone.

#![allow(unreachable_pub, reason = "`pub` reads better in a program than `pub(crate)`")]

mod events;
mod member;
#[cfg(test)]
mod tests;
mod upcasters;
mod v1;
mod view;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, process};

use clap::{Parser, Subcommand};
use cqrs::prelude::*;
use cqrs::{
    Append, Catalogue, EventId, EventStore, ExpectedVersion, Metadata, NewEvent, Payload,
    Repository, Rows as _, SqliteStore, StreamId,
};
use cqrs_testkit::record_samples;
use cqrs_tools::Tools;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::events::Money;
use crate::member::{ChangePlan, Member, Pay};
use crate::view::MemberRow;

/// What version 1 has stored.
const V1: &str = include_str!("v1.ndjson");

/// For what takes a moment.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program at version 4 that reads what its version 1 has written.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand)]
enum What {
    #[command(flatten)]
    Tools(Tools),
    /// Writes what version 1 has stored, as it was made.
    Record,
    /// Adds samples of what is stored to `events.samples.ndjson`.
    Samples,
}

/// All that this program stores and reads.
pub fn catalogue() -> Catalogue {
    Catalogue::new().aggregate::<Member>().command::<Pay>().command::<ChangePlan>()
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse().what).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("evolution: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(what: Option<What>) -> Result<(), Box<dyn Error>> {
    if let Some(What::Record) = what {
        print!("{}", v1::events());
        return Ok(());
    }
    let directory = std::env::temp_dir().join(format!("cqrs-evolution-{}", process::id()));
    fs::create_dir_all(&directory)?;
    let done = on_store(&SqliteStore::open(directory.join("members.db")).await?, what).await;
    fs::remove_dir_all(&directory)?;
    done
}

async fn on_store(store: &SqliteStore, what: Option<What>) -> Result<(), Box<dyn Error>> {
    let events = import(store, V1).await?;
    if let Some(What::Tools(tools)) = what {
        return Ok(tools.run(&catalogue(), store).await?);
    }
    if let Some(What::Samples) = what {
        let added = record_samples(store, "examples/evolution/events.samples.ndjson", 3).await?;
        println!("{added} samples added");
        return Ok(());
    }
    println!("Version 1 has stored {events} events.\n");
    Tools::List.run(&catalogue(), store).await?;
    println!();
    Tools::DryRun { examples: 3 }.run(&catalogue(), store).await?;

    let members = Repository::new(store.clone());
    let Member { plan, paid_cents, .. } = members.load::<Member>("m-006").await?.state;
    println!(
        "\nm-006 joined and paid at once, and has the plan {plan:?}, and paid {paid_cents} cents."
    );

    let model = store.model();
    let view = Projector::new(store.clone()).start_view::<MemberRow>(model.clone());
    let bus = Bus::builder(store.clone()).aggregate::<Member>().view(view.progress()).build()?;
    let member = || "m-006".to_owned();
    let amount = Money { cents: 4_250, currency: "EUR".into() };
    let done = bus.send(Pay { member: member(), amount }).await?;
    view.wait_for(&done, PATIENCE).await?;
    let row: Option<MemberRow> = model.row(&member()).await?;
    match row {
        Some(row) => println!("Now they have paid once more: {row:?}"),
        None => return Err("the view has no row of m-006".into()),
    }
    view.stop().await;
    store.close().await;
    Ok(())
}

/// A line of `v1.ndjson`.
#[derive(Deserialize)]
struct Line<'a> {
    stream: &'a str,
    #[serde(rename = "type")]
    event_type: &'a str,
    #[serde(borrow)]
    payload: &'a RawValue,
}

/// Stores the events as they are.
pub async fn import(store: &impl EventStore, lines: &str) -> Result<usize, Box<dyn Error>> {
    for line in lines.lines() {
        let Line { stream, event_type, payload } = serde_json::from_str(line)?;
        let id = EventId::random();
        let metadata = Arc::new(Metadata::of(id.as_uuid()));
        let payload = Payload::from_json(payload.get())?;
        let event = NewEvent::from_parts(id, event_type.to_owned(), 1, payload, metadata)?;
        let stream = StreamId::new("member", stream)?;
        store.append(&Append::new(stream, ExpectedVersion::Any, vec![event])?).await?;
    }
    Ok(lines.lines().count())
}

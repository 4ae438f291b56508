//! Changes a view while commands arrive: its new version is built beside the one that answers queries, and takes its place
//! when it has seen as much.
//!
//! ```sh
//! cargo run --example rebuild                                  # on a temporary SQLite file
//! cargo run --example rebuild -- --roll-back                   # and puts the old version back in the end
//! cargo run --example rebuild -- --events 500000 --rate 20000  # more of it
//! cargo run --example rebuild --features postgres -- --store postgres://localhost/empty
//! ```
//!
//! In a real system, the two versions are in two releases of a program: the new one is deployed beside the old one, or in
//! its place.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use cqrs::prelude::*;
use cqrs::{
    BoxError, EventStore, LogFilter, OnChange, Position, Projections, PutInService, Received, Rows,
    Running, SqliteStore, Store,
};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A customer bought something.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(name = "customer.bought")]
struct Bought {
    cents: i64,
}

/// What a customer spent, as version 1 of the view has it.
#[derive(Debug, Clone, PartialEq, View)]
#[view(name = "spending", version = 1, key(customer), events(Bought))]
struct Spending {
    customer: String,
    cents: i64,
}

impl Fold<Bought> for Spending {
    fn rows(_: &Bought, received: &Received<'_>) -> impl IntoIterator<Item = String> {
        Some(received.stream.key().to_owned())
    }

    fn fold(
        row: &mut Option<Self>,
        customer: &String,
        bought: &Bought,
        _: &Received<'_>,
    ) -> Result<(), BoxError> {
        let row = row.get_or_insert(Self { customer: customer.clone(), cents: 0 });
        row.cents += bought.cents;
        Ok(())
    }
}

/// The same view in version 2, which also tells how many things a customer bought, and the most expensive one.
#[derive(Debug, Clone, PartialEq, View)]
#[view(name = "spending", version = 2, key(customer), events(Bought), index(largest))]
struct DetailedSpending {
    customer: String,
    cents: i64,
    purchases: u32,
    largest: i64,
}

impl Fold<Bought> for DetailedSpending {
    fn rows(_: &Bought, received: &Received<'_>) -> impl IntoIterator<Item = String> {
        Some(received.stream.key().to_owned())
    }

    fn fold(
        row: &mut Option<Self>,
        customer: &String,
        bought: &Bought,
        _: &Received<'_>,
    ) -> Result<(), BoxError> {
        let customer = customer.clone();
        let row = row.get_or_insert(Self { customer, cents: 0, purchases: 0, largest: 0 });
        row.cents += bought.cents;
        row.purchases += 1;
        row.largest = row.largest.max(bought.cents);
        Ok(())
    }
}

#[derive(Debug, Default, Aggregate)]
#[aggregate(category = "customer", events(Bought))]
struct Customer;

impl Apply<Bought> for Customer {
    fn apply(&mut self, _: Bought) {}
}

/// A customer buys some things.
#[derive(Debug, Clone, Command)]
#[command(aggregate = Customer, id = customer)]
struct Buy {
    customer: String,
    cents: Vec<i64>,
}

impl Handle<Buy> for Customer {
    fn handle(&self, Buy { cents, .. }: Buy) -> Decision<Self> {
        emit(cents.into_iter().map(|cents| Bought { cents }).collect::<Vec<_>>())
    }
}

/// Changes a view while commands arrive.
#[derive(Parser)]
struct Arguments {
    /// An SQLite file, or the `postgres://` address of a database; a temporary file if left out.
    #[arg(long)]
    store: Option<String>,
    /// How many events are stored before the new version is built.
    #[arg(long, default_value_t = 40_000)]
    events: u32,
    /// How many events a second the new version takes at most while it is built.
    #[arg(long, default_value_t = 4_000)]
    rate: u32,
    /// Put the old version back in the end.
    #[arg(long)]
    roll_back: bool,
    /// With fewer events, in a few seconds.
    #[arg(long, conflicts_with_all = ["events", "rate"])]
    quick: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match open_and_run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rebuild: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn open_and_run(mut arguments: Arguments) -> Result<(), Box<dyn Error>> {
    if arguments.quick {
        (arguments.events, arguments.rate) = (3_000, 2_000);
    }
    let Some(address) = &arguments.store else {
        let directory = TemporaryDirectory::make()?;
        let store = SqliteStore::open(directory.0.join("shop.db")).await?;
        return run(store.clone(), store.model(), &arguments).await;
    };
    if address.starts_with("postgres://") || address.starts_with("postgresql://") {
        #[cfg(feature = "postgres")]
        {
            let store = cqrs::PostgresStore::connect(address).await?;
            return run(store.clone(), store.model(), &arguments).await;
        }
        #[cfg(not(feature = "postgres"))]
        return Err("this program was built without PostgreSQL; add `--features postgres` after \
                    `cargo run`"
            .into());
    }
    let store = SqliteStore::open(address).await?;
    run(store.clone(), store.model(), &arguments).await
}

/// How long to wait for what takes a moment.
const PATIENCE: Duration = Duration::from_mins(2);

async fn run<S, M>(store: S, model: M, arguments: &Arguments) -> Result<(), Box<dyn Error>>
where
    S: Store + Clone,
    M: Rows<Spending> + Rows<DetailedSpending>,
{
    let projections = Projections::new(store.clone(), model.clone());
    if store.head().await?.last > Position::START {
        return Err("there are events in this database already: take an empty one".into());
    }
    let bus = Bus::builder(store.clone()).aggregate::<Customer>().build()?;
    store_history(&bus, arguments.events).await?;

    let projector = Projector::new(store.clone());
    let old = projector.start_view::<Spending>(model.clone());
    let began = Instant::now();
    old.wait_for(store.head().await?.last, PATIENCE).await?;
    println!("version 1 has taken them in {:.1} s, and is in service", began.elapsed().as_secs_f64());

    // From here on customers buy and ask, without a break.
    let traffic = Traffic::start(&bus, &model);

    // What the new release of the program does: it starts the new version, and says that it may be built.
    let new = projector
        .clone()
        .on_change(OnChange::Build)
        .build_rate(arguments.rate)
        .start_view::<DetailedSpending>(model.clone());
    show_build(&projections).await?;
    println!("version 2 is in service; of version 1: {}", old.stopped().await);

    if arguments.roll_back {
        let put = projections.roll_back("spending", 1).await?;
        if put != PutInService::Done {
            return Err(format!("version 1 is not in service again: {put:?}").into());
        }
        println!("version 1 is in service again; of version 2: {}", new.stopped().await);
        // What the old release does when it is started again. It goes on from where it was.
        let old = projector.start_view::<Spending>(model.clone());
        let end = traffic.stop(&old, &store).await?;
        check::<Spending>(&store, &model, end).await?;
        old.stop().await;
    } else {
        let end = traffic.stop(&new, &store).await?;
        check::<DetailedSpending>(&store, &model, end).await?;
        new.stop().await;
    }
    store.close().await;
    Ok(())
}

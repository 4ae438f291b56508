//! Changes a view while commands arrive: its new version is built beside the one that answers queries, and takes its place
//! when it has seen as much.
//!
//! ```sh
//! cargo run --example rebuild                                   # on a temporary SQLite file
//! cargo run --example rebuild -- --roll-back                    # and put the old version back in the end
//! cargo run --example rebuild -- --events 500000 --rate 20000   # more of it
//! cargo run --example rebuild --features postgres -- --store postgres://localhost/empty
//! ```
//!
//! Both versions are in this one program, and `spending.rs` shows what differs between them. Where there are releases, the
//! old version is in the old one, and the new one starts the new version with `on_change(OnChange::Build)`.

#![allow(unreachable_pub, reason = "`pub` reads better in a program than `pub(crate)`")]

mod check;
mod customer;
mod spending;
mod traffic;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{fmt, fs, io};

use clap::Parser;
use cqrs::prelude::*;
use cqrs::{
    OnChange, Phase, Position, Projections, PutInService, Rows, Running, SqliteStore, Status, Store,
};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::customer::Customer;
use crate::spending::{DetailedSpending, Spending};
use crate::traffic::Traffic;

/// Changes a view while commands arrive.
#[derive(Parser)]
struct Arguments {
    /// An SQLite file, or the `postgres://` address of a database; a temporary file if left out.
    #[arg(long)]
    store: Option<String>,
    /// How many events there are before the new version is built.
    #[arg(long, default_value_t = 40_000)]
    events: u64,
    /// How many events a second the new version takes at most while it is built.
    #[arg(long, default_value_t = 4_000)]
    rate: u32,
    /// Put the old version back in the end.
    #[arg(long)]
    roll_back: bool,
    /// With few events, in a few seconds.
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

/// How long to wait for what takes a moment.
const PATIENCE: Duration = Duration::from_mins(1);

async fn run<S, M>(store: S, model: M, arguments: &Arguments) -> Result<(), Box<dyn Error>>
where
    S: Store + Clone,
    M: Rows<Spending> + Rows<DetailedSpending>,
{
    if store.head().await?.last > Position::START {
        return Err("there are events in this database already; take an empty one".into());
    }
    let bus = Bus::builder(store.clone()).aggregate::<Customer>().build()?;
    traffic::buy_many(&bus, arguments.events).await?;

    let projector = Projector::new(store.clone());
    let old = projector.start_view::<Spending>(model.clone());
    let began = Instant::now();
    let end = store.head().await?.last;
    old.wait_for(end, PATIENCE).await?;
    let seconds = began.elapsed().as_secs_f64();
    println!("Version 1 has taken {end} events in {seconds:.1} s and is in service.");

    // From here on customers buy, and others ask, all the time.
    let traffic = Traffic::start(&bus, &model);

    let builder = projector.clone().on_change(OnChange::Build).build_rate(arguments.rate);
    let new = builder.start_view::<DetailedSpending>(model.clone());
    let projections = Projections::new(store.clone(), model.clone());
    show_build(&projections, &new).await?;
    println!("Version 2 is in service. ({})", old.stopped().await);
    check::show_some(&model).await?;

    let running = if arguments.roll_back {
        match projections.roll_back("spending", 1).await? {
            PutInService::Done => {}
            other => return Err(format!("version 1 can't be put back: {other:?}").into()),
        }
        println!("Version 1 is in service again. ({})", new.stopped().await);
        // It goes on from where it was when it was replaced.
        projector.start_view::<Spending>(model.clone())
    } else {
        new
    };

    let (commands, answers) = traffic.end().await?;
    println!(
        "{commands} commands were carried out meanwhile, and {} queries answered, the slowest in {:.0} ms.",
        answers.count,
        answers.slowest.as_secs_f64() * 1_000.0
    );
    running.wait_for(store.head().await?.last, PATIENCE).await?;
    let rows = if arguments.roll_back {
        check::rows_follow_from_events::<Spending>(&store, &model).await?
    } else {
        check::rows_follow_from_events::<DetailedSpending>(&store, &model).await?
    };
    println!("All {rows} rows are what the events in the log come to.");
    running.stop().await;
    store.close().await;
    Ok(())
}

/// Shows how far the new version is, until it is in service.
async fn show_build(projections: &Projections, new: &Running) -> Result<(), Box<dyn Error>> {
    let template = "Version 2 {wide_bar} {pos}/{len} events, {rate} a second, {eta} left";
    let rate = |state: &ProgressState, text: &mut dyn fmt::Write| {
        // What can't be shown is not.
        let _ = write!(text, "{:.0}", state.per_sec());
    };
    let style = ProgressStyle::with_template(template)?.with_key("rate", rate);
    let bar = ProgressBar::new(0).with_style(style);
    loop {
        let Status { phase, last_error, .. } = new.status();
        if phase == Phase::Stopped {
            return Err(last_error.unwrap_or_default().into());
        }
        let all = projections.status().await?;
        if let Some(new) = all.iter().find(|projection| projection.version == 2) {
            if new.in_service {
                bar.finish_and_clear();
                return Ok(());
            }
            // There are more all the time.
            bar.set_length(new.events + new.lag.positions);
            bar.set_position(new.events);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn open_and_run(mut arguments: Arguments) -> Result<(), Box<dyn Error>> {
    if arguments.quick {
        (arguments.events, arguments.rate) = (4_000, 4_000);
    }
    let Some(address) = &arguments.store else {
        let directory = TemporaryDirectory::make()?;
        let store = SqliteStore::open(directory.0.join("shop.db")).await?;
        return run(store.clone(), store.model(), &arguments).await;
    };
    if !address.starts_with("postgres://") && !address.starts_with("postgresql://") {
        let store = SqliteStore::open(address).await?;
        return run(store.clone(), store.model(), &arguments).await;
    }
    #[cfg(feature = "postgres")]
    {
        let store = cqrs::PostgresStore::connect(address).await?;
        run(store.clone(), store.model(), &arguments).await
    }
    #[cfg(not(feature = "postgres"))]
    Err("this program was built without PostgreSQL; add `--features postgres` after `cargo run`"
        .into())
}

/// A directory that goes away with this.
struct TemporaryDirectory(PathBuf);

impl TemporaryDirectory {
    fn make() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("rebuild-{}", std::process::id()));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        // What can't be removed is left to the system.
        let _ = fs::remove_dir_all(&self.0);
    }
}

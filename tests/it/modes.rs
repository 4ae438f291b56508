//! Several processes work on the same aggregates, each in a mode of its own: with shared commits or without, with
//! aggregates kept in memory or without.

use std::collections::BTreeMap;
use std::env;
use std::io::Read;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use cqrs::prelude::*;
use cqrs::{LogFilter, Position, PostgresStore, Repository, Retry, SqliteStore, Store};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

const PLACE: &str = "CQRS_TEST_MODES_PLACE";
const MODE: &str = "CQRS_TEST_MODES_MODE";
const TILLS: &str = "CQRS_TEST_MODES_TILLS";

/// Callers of a process, and commands of each.
const CALLERS: usize = 8;
const COMMANDS: usize = 40;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "till.changed")]
struct Changed {
    cents: i64,
}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("there are only {0} cents")]
struct NotEnough(i64);

macro_rules! till {
    ($till:ident, $change:ident $(, $option:meta)*) => {
        #[derive(Debug, Clone, Default, PartialEq, Aggregate)]
        #[aggregate(category = "till", events(Changed), error = NotEnough $(, $option)*)]
        struct $till {
            cents: i64,
        }

        impl Apply<Changed> for $till {
            fn apply(&mut self, Changed { cents }: Changed) {
                self.cents += cents;
            }
        }

        #[derive(Debug, Clone, Command)]
        #[command(aggregate = $till, id = till)]
        struct $change {
            till: String,
            cents: i64,
        }

        impl Handle<$change> for $till {
            fn handle(&self, $change { cents, .. }: $change) -> Decision<Self> {
                ensure(self.cents + cents >= 0, NotEnough(self.cents))?;
                emit(Changed { cents })
            }
        }
    };
}

till!(Till, Change);
till!(CachedTill, ChangeCached, cache = 100);

/// What a process has done, as it tells in a line.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Report {
    committed: usize,
    refused: usize,
    cents: i64,
    /// Commands that took so many attempts.
    attempts: BTreeMap<u32, usize>,
}

/// Sends commands to one till after the other; every second one takes more than the one before has put in, so that some
/// are refused.
async fn work(store: Arc<dyn Store>, cached: bool, tills: usize) -> Report {
    // Ten times what is usual: on a machine that stands still now and then, an unlucky command is not a starving process.
    let builder = Bus::builder(store).retry(Retry::attempts(200));
    let builder =
        if cached { builder.aggregate::<CachedTill>() } else { builder.aggregate::<Till>() };
    let bus = builder.build().unwrap();
    let callers = (0..CALLERS).map(|caller| {
        let bus = bus.clone();
        tokio::spawn(async move {
            let mut report = Report::default();
            for number in 0..COMMANDS {
                let till = format!("t{}", (caller + number) % tills);
                let cents = if number % 2 == 0 { 2 } else { -3 };
                let sent = if cached {
                    bus.send(ChangeCached { till, cents }).await.map_err(|error| error.to_string())
                } else {
                    bus.send(Change { till, cents }).await.map_err(|error| error.to_string())
                };
                match sent {
                    Ok(committed) => {
                        report.committed += 1;
                        report.cents += cents;
                        *report.attempts.entry(committed.attempts).or_default() += 1;
                    }
                    Err(error) if error.contains("there are only") => report.refused += 1,
                    Err(error) => panic!("{error}"),
                }
            }
            report
        })
    });
    let mut all = Report::default();
    for report in join_all(callers).await {
        let report = report.unwrap();
        all.committed += report.committed;
        all.refused += report.refused;
        all.cents += report.cents;
        for (attempts, commands) in report.attempts {
            *all.attempts.entry(attempts).or_default() += commands;
        }
    }
    all
}

/// Does nothing unless this process was started by [`start`].
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run() {
    let Ok(place) = env::var(PLACE) else { return };
    let (mode, tills) = (env::var(MODE).unwrap(), env::var(TILLS).unwrap().parse().unwrap());
    let (cached, grouped) = (mode.contains("cached"), mode.contains("grouped"));
    let store: Arc<dyn Store> = if let Some(path) = place.strip_prefix("sqlite:") {
        let options = SqliteStore::options(path).busy_timeout(std::time::Duration::from_mins(1));
        Arc::new(options.group_commit(grouped).open().await.unwrap())
    } else {
        let patience = std::time::Duration::from_mins(1);
        let options = PostgresStore::options(place).group_commit(grouped).acquire_timeout(patience);
        Arc::new(options.connect().await.unwrap())
    };
    // All begin together: when the input ends.
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()))
        .await
        .unwrap()
        .unwrap();
    let report = work(store, cached, tills).await;
    println!("\nreport {}", serde_json::to_string(&report).unwrap());
}

fn start(place: &str, mode: &str, tills: usize) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["modes::run", "--exact", "--nocapture"])
        .env(PLACE, place)
        .env(MODE, mode)
        .env(TILLS, tills.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn report(mode: &str, Output { status, stdout, stderr }: Output) -> Report {
    let stdout = String::from_utf8(stdout).unwrap();
    assert!(status.success(), "{mode}: {stdout}{}", String::from_utf8_lossy(&stderr));
    let line = stdout.lines().find_map(|line| line.strip_prefix("report ")).unwrap();
    serde_json::from_str(line).unwrap()
}

const MODES: [&str; 4] = ["grouped cached", "grouped", "cached", "neither"];

/// Every process gets all of its commands through, and what they were told is what is stored.
async fn four_processes(place: &str, store: impl Store + Clone, tills: usize) {
    let children = MODES.map(|mode| start(place, mode, tills));
    let mut reports = Vec::new();
    let waiting = children.into_iter().map(|mut child| {
        drop(child.stdin.take());
        tokio::task::spawn_blocking(move || child.wait_with_output().unwrap())
    });
    let outputs = join_all(waiting.collect::<Vec<_>>()).await;
    for (mode, output) in MODES.iter().zip(outputs) {
        let report = report(mode, output.unwrap());
        println!("{mode}: {report:?}");
        assert_eq!(report.committed + report.refused, CALLERS * COMMANDS, "{mode}");
        // As a rule, what is usual is enough.
        let many: usize = report.attempts.range(21..).map(|(_, commands)| commands).sum();
        assert!(many * 20 <= report.committed, "{mode}: {many} of {}", report.committed);
        reports.push(report);
    }

    let committed: usize = reports.iter().map(|report| report.committed).sum();
    let (mut versions, mut balances) =
        (BTreeMap::<String, u64>::new(), BTreeMap::<String, i64>::new());
    let (mut after, mut stored) = (Position::START, 0);
    loop {
        let page = store.read_log(&LogFilter::all(), after, 10_000).await.unwrap();
        if page.events.is_empty() {
            break;
        }
        for event in &page.events {
            stored += 1;
            let version = versions.entry(event.stream.key().to_owned()).or_default();
            *version += 1;
            assert_eq!(event.version.get(), *version, "{event:?}");
            let balance = balances.entry(event.stream.key().to_owned()).or_default();
            *balance += event.payload.parse::<Changed>().unwrap().cents;
            assert!(*balance >= 0, "a command was decided on in another state: {event:?}");
        }
        after = page.through;
    }
    assert_eq!(stored, committed);
    let told: i64 = reports.iter().map(|report| report.cents).sum();
    assert_eq!(balances.values().sum::<i64>(), told);
    let repository = Repository::new(store);
    for (till, cents) in balances {
        assert_eq!(repository.load::<Till>(&till).await.unwrap().state.cents, cents);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g1_g2_g9_four_processes_in_four_modes_share_some_streams_on_postgres() {
    let database = cqrs_test_harness::postgres().unwrap().database("modes").await.unwrap();
    let store = crate::stores::postgres(&database.url()).await;
    four_processes(&database.url(), store, 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g2_four_processes_on_one_stream_all_get_through_on_postgres() {
    let database = cqrs_test_harness::postgres().unwrap().database("modes").await.unwrap();
    let store = crate::stores::postgres(&database.url()).await;
    four_processes(&database.url(), store, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g1_g2_g9_four_processes_in_four_modes_share_some_streams_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("modes.db");
    let store = crate::stores::sqlite(&path).await;
    four_processes(&format!("sqlite:{}", path.display()), store, 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g2_four_processes_on_one_stream_all_get_through_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("modes.db");
    let store = crate::stores::sqlite(&path).await;
    four_processes(&format!("sqlite:{}", path.display()), store, 1).await;
}

//! Injects faults.

mod holding;
mod postgres;
mod sqlite;

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::base::{Database, Error};
use crate::faults::{Fault, Kind, Lane, Who};
use crate::fleet::Fleet;
use crate::history::Recorder;
use crate::random::Random;
use crate::schedule::{Schedule, Step};

/// What faults are injected into, and what is counted of that.
#[derive(Debug)]
pub struct Injector {
    /// The processes of the application.
    pub fleet: Fleet,
    /// Their database.
    pub database: Database,
    /// The history of what the parent appends itself.
    pub recorder: Recorder,
    /// When the round began, in milliseconds since 1970.
    pub began: u64,
    counts: Mutex<Counts>,
}

/// What became of faults.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// How many were injected, by kind.
    pub injected: BTreeMap<Kind, u64>,
    /// Those that could not be, and why.
    pub failed: Vec<(Kind, String)>,
}

impl Injector {
    /// Nothing is injected yet.
    pub fn new(fleet: Fleet, database: Database, recorder: Recorder, began: u64) -> Self {
        Self { fleet, database, recorder, began, counts: Mutex::default() }
    }

    /// What became of faults so far.
    pub fn counts(&self) -> Counts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Injects all faults of a schedule, for this long.
    pub async fn run(self: Arc<Self>, schedule: &Schedule, length: Duration) {
        let until = Instant::now() + length;
        let mut lanes = tokio::task::JoinSet::new();
        for lane in Lane::ALL {
            let random = Random::of(schedule.seed, &format!("injecting {lane:?}"));
            lanes.spawn(self.clone().lane(schedule.lane(lane), random, until));
        }
        while let Some(lane) = lanes.join_next().await {
            if let Err(error) = lane {
                std::panic::resume_unwind(error.into_panic());
            }
        }
        sleep(until.saturating_duration_since(Instant::now())).await;
    }

    async fn lane(self: Arc<Self>, steps: Vec<Step>, mut random: Random, until: Instant) {
        for Step { pause, fault, .. } in steps {
            if Instant::now() + pause >= until {
                break;
            }
            sleep(pause).await;
            let injected = self.inject(fault, &mut random).await;
            let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            match injected {
                Ok(()) => *counts.injected.entry(fault.kind()).or_default() += 1,
                Err(error) => counts.failed.push((fault.kind(), error.to_string())),
            }
        }
    }

    async fn inject(&self, fault: Fault, random: &mut Random) -> Result<(), Error> {
        match fault {
            Fault::Kill(who, pause) => {
                self.fleet.kill(who);
                sleep(pause).await;
                Ok(self.fleet.start(who, None)?)
            }
            Fault::Freeze(who, time) => Ok(freeze(&[self.fleet.id(who)?], time)?),
            Fault::Limit(who, time) => self.limit(who, time).await,
            fault => match &self.database {
                Database::Postgres(postgres) => {
                    postgres::inject(self, postgres, fault, random).await
                }
                Database::Sqlite(sqlite) => sqlite::inject(self, sqlite, fault).await,
            },
        }
    }

    async fn limit(&self, who: Who, time: Duration) -> Result<(), Error> {
        let Database::Sqlite(sqlite) = &self.database else {
            return Err("only files can be limited".into());
        };
        self.fleet.kill(who);
        let started = match sqlite.limit() {
            Ok(kilobytes) => self.fleet.start(who, Some(kilobytes)),
            Err(error) => Err(error),
        };
        sleep(time).await;
        self.fleet.kill(who);
        self.fleet.start(who, None)?;
        Ok(started?)
    }

    /// Has a projection divide its streams anew.
    async fn rescale(&self, slots: u32) -> Result<(), Error> {
        let (store, _, projections) = self.database.store().await?;
        let rescaled = projections.rescale("applied", crate::base::VERSION, slots).await;
        store.close().await;
        if rescaled? { Ok(()) } else { Err("the projection has not begun".into()) }
    }
}

/// Has processes stand still for a time. They go on also where this process ends meanwhile.
fn freeze(processes: &[u32], time: Duration) -> std::io::Result<()> {
    // Those of a server may end by themselves before they are stopped.
    const SCRIPT: &str = r#"kill -s STOP "$@"; sleep "$0"; kill -s CONT "$@"; true"#;
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT, &time.as_secs_f64().to_string()]);
    command.args(processes.iter().map(u32::to_string)).process_group(0).stdin(Stdio::null());
    tokio::task::block_in_place(|| command.output()).map(|_| ())
}

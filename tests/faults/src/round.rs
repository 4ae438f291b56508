//! A round: processes under faults for a time, then peace, then a look at what is left.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use cqrs::{Maintain, ParkedError, Projections, Store};
use tokio::time::sleep;

use crate::base::{Database, Error, Postgres, Sqlite, VERSION, load, read};
use crate::checker::{Breach, Evidence, Violation, check};
use crate::child::{Job, Role};
use crate::faults::Who;
use crate::fleet::Fleet;
use crate::history::{History, Recorder, now};
use crate::inject::Injector;
use crate::reading::NAMES;
use crate::report::Report;
use crate::schedule::{Schedule, Targets};
use crate::worker::{followed, mended, read_followed};

/// How long it may take that something comes to its end once all faults are over. Nothing is known to take a tenth.
const PATIENCE: Duration = Duration::from_mins(3);

/// The stores that rounds can be made on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// A PostgreSQL server of the round's own.
    Postgres,
    /// SQLite files.
    Sqlite,
}

/// What a round is made of.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The store.
    pub store: Kind,
    /// What determines the faults.
    pub seed: u64,
    /// For how long they are injected.
    pub length: Duration,
    /// How many processes send commands.
    pub writers: usize,
    /// How many processes follow the log.
    pub workers: usize,
    /// The program that processes run: this one.
    pub binary: PathBuf,
}

impl Settings {
    /// A round with two processes of each kind.
    pub fn new(store: Kind, seed: u64, length: Duration, binary: PathBuf) -> Self {
        Self { store, seed, length, writers: 2, workers: 2, binary }
    }

    /// What there is to be disturbed, without a look at what this machine allows.
    pub fn targets(&self) -> Targets {
        let kinds = match self.store {
            Kind::Postgres => crate::faults::Kind::of_postgres(),
            Kind::Sqlite => crate::faults::Kind::of_sqlite(),
        };
        Targets { kinds, writers: self.writers, workers: self.workers }
    }

    fn writers(&self) -> impl Iterator<Item = Who> + use<> {
        (0..self.writers).map(Who::Writer)
    }

    fn workers(&self) -> impl Iterator<Item = Who> + use<> {
        (0..self.workers).map(Who::Worker)
    }
}

/// Runs a round, and checks what is left of it. Its files are kept if there are violations.
///
/// # Errors
/// When there is no database, or something else that has nothing to do with what is tested.
pub async fn round(settings: &Settings) -> Result<Report, Error> {
    let folder = tempfile::Builder::new().prefix("cqrs-faults-").tempdir()?;
    let seed = settings.seed;
    let database = match settings.store {
        Kind::Postgres => Database::Postgres(Box::new(Postgres::start(seed).await?)),
        Kind::Sqlite => Database::Sqlite(Sqlite::create(folder.path(), seed).await?),
    };
    let (kinds, missing) = database.kinds();
    let schedule = Schedule::new(seed, settings.length, &Targets { kinds, ..settings.targets() });
    let began = now();
    let job = Job {
        role: Role::Writer,
        number: 0,
        life: 0,
        seed,
        began,
        folder: folder.path().to_owned(),
        base: database.base(),
    };
    let fleet = Fleet::new(settings.binary.clone(), job);
    let recorder = Recorder::create(&folder.path().join("parent.jsonl"))?;
    let injector = Arc::new(Injector::new(fleet, database, recorder, began));
    for who in settings.writers().chain(settings.workers()) {
        injector.fleet.start(who, None)?;
    }
    injector.clone().run(&schedule, settings.length).await;
    let mut violations = Vec::new();
    let evidence = match settle(settings, &injector, folder.path(), &mut violations).await {
        Ok(evidence) => evidence,
        Err(error) => {
            let found = format!("what is left could not be looked at: {error}");
            violations.push(Violation::new(Breach::Process, found));
            Evidence { histories: History::read_all(folder.path(), "")?, ..Evidence::default() }
        }
    };
    let troubles = injector.fleet.troubles();
    violations.extend(troubles.into_iter().map(|found| Violation::new(Breach::Process, found)));
    let counts = injector.counts();
    let report = Report { schedule, evidence, violations, counts, missing, kept: None };
    Ok(if report.violations.is_empty() { report } else { report.kept(folder.keep()) })
}

/// Brings everything to its end, and gathers what is left.
async fn settle(
    settings: &Settings,
    injector: &Injector,
    folder: &Path,
    violations: &mut Vec<Violation>,
) -> Result<Evidence, Error> {
    let Injector { fleet, database, .. } = injector;
    database.heal().await?;
    for writer in settings.writers() {
        fleet.stop(writer, PATIENCE).await;
    }
    for number in 0..settings.writers {
        fleet.start_drain(number)?;
    }
    for writer in settings.writers() {
        fleet.wait(writer, PATIENCE).await;
    }
    let (store, model, projections) = database.store().await?;
    let log = database.log().await?;
    let last = log.last().map_or(0, |event| event.position);
    catch_up(&store, &projections, violations).await?;
    follow(settings, folder, last).await?;
    let parked = database.stage().await?;
    mend(database, &*model, &projections, folder, violations).await?;
    catch_up(&store, &projections, violations).await?;
    for worker in settings.workers() {
        fleet.stop(worker, PATIENCE).await;
    }
    let mended = database.stage().await?;
    let mut evidence = Evidence {
        read: read(&store).await?,
        histories: History::read_all(folder, "")?,
        parked,
        mended,
        ..Evidence::default()
    };
    for event in &log {
        if !evidence.loaded.contains_key(&event.stream) {
            let loaded = load(&store, &event.stream).await?;
            evidence.loaded.insert(event.stream.clone(), loaded);
        }
    }
    for number in 0..settings.workers {
        let path = followed(folder, number);
        evidence.followed.push((format!("worker {number}"), read_followed(&path)?.0));
    }
    store.close().await;
    evidence.log = log;
    violations.extend(check(&evidence));
    Ok(evidence)
}

/// Waits until all read models have come to the end of the log.
async fn catch_up(
    store: &Arc<dyn Store>,
    projections: &Projections,
    violations: &mut Vec<Violation>,
) -> Result<(), Error> {
    let end = store.head().await?.visible;
    for name in NAMES {
        if let Err(error) = projections.progress(name).wait_for(end, PATIENCE).await {
            let found = format!("{error}; {:?}", projections.status().await?);
            violations.push(Violation::new(Breach::Missed, found));
        }
    }
    Ok(())
}

/// Waits until all subscriptions have come to the end of the log; those that do not are found out by the checker.
async fn follow(settings: &Settings, folder: &Path, last: u64) -> Result<(), Error> {
    let until = Instant::now() + PATIENCE;
    for number in 0..settings.workers {
        let path = followed(folder, number);
        let is_there = || -> Result<bool, Error> {
            let (seen, _) = read_followed(&path)?;
            Ok(seen.last().is_some_and(|event| event.position >= last))
        };
        while last > 0 && !is_there()? && Instant::now() < until {
            sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}

/// Has parked streams replayed, once spoiled events can be taken.
async fn mend(
    database: &Database,
    model: &dyn Maintain,
    projections: &Projections,
    folder: &Path,
    violations: &mut Vec<Violation>,
) -> Result<(), Error> {
    // While the event fails, nothing comes of it.
    let parked = database.parked().await?;
    if let Some((projection, stream)) = parked.first() {
        let replayed = projections.replay(projection, VERSION, stream).await;
        let is_parked =
            model.parked(projection, VERSION).await?.iter().any(|parked| parked.stream == *stream);
        if replayed.is_ok() || !is_parked {
            let found = format!("{projection} has replayed {stream} although its event fails");
            violations.push(Violation::new(Breach::Parked, found));
        }
    }
    std::fs::write(mended(folder), "")?;
    let mut replays = tokio::task::JoinSet::new();
    for (projection, stream) in parked {
        let projections = projections.clone();
        replays.spawn(async move {
            let until = Instant::now() + PATIENCE;
            loop {
                match projections.replay(projection, VERSION, &stream).await {
                    // By an attempt before that was given up.
                    Ok(()) | Err(ParkedError::NotParked { .. }) => return Ok(()),
                    Err(ParkedError::NotDone { .. }) if Instant::now() < until => {}
                    Err(error) => {
                        return Err(format!("{projection} has not replayed {stream}: {error}"));
                    }
                }
            }
        });
    }
    while let Some(replayed) = replays.join_next().await {
        if let Err(found) = replayed? {
            violations.push(Violation::new(Breach::Parked, found));
        }
    }
    Ok(())
}

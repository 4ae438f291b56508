//! A process that follows the log: a projection, views, and a subscription.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cqrs::{
    EventStore, LogFilter, Phase, Position, PostgresModel, PostgresStore, Projector, Running,
    SqliteModel, SqliteStore, Subscription,
};
use tokio::sync::watch;

use crate::child::{Job, Reading};
use crate::reading::{self, AppliedPostgres, AppliedSqlite, Balance, Total};

/// How long a worker that is gone keeps others from its slots.
const LEASE: Duration = Duration::from_secs(1);

/// The file that tells workers that spoiled events can be taken.
pub fn mended(folder: &Path) -> PathBuf {
    folder.join("mended")
}

/// The file in which a worker writes down what its subscription saw, one position, stream and version a line; all lives
/// of it write to the same one.
pub fn followed(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("followed-{number}.txt"))
}

/// What a subscription saw, as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// The position of the event.
    pub position: u64,
    /// Its stream.
    pub stream: String,
    /// Its version.
    pub version: u64,
}

/// Reads what a subscription saw, and the length of the file without a line that is not whole.
///
/// # Errors
/// When the file can't be read or a line makes no sense.
pub fn read_followed(path: &Path) -> std::io::Result<(Vec<Followed>, u64)> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        text => text?,
    };
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    let parsed = whole.lines().map(|line| {
        let mut words = line.split(' ');
        Some(Followed {
            position: words.next()?.parse().ok()?,
            stream: words.next()?.to_owned(),
            version: words.next()?.parse().ok()?,
        })
    });
    let parsed: Option<Vec<_>> = parsed.collect();
    let broken = || std::io::Error::other(format!("{} holds a broken line", path.display()));
    Ok((parsed.ok_or_else(broken)?, whole.len() as u64))
}

/// Follows the log until told to stop.
pub(crate) async fn run(
    job: Job,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), Box<dyn std::error::Error>> {
    reading::fail_until(mended(&job.folder));
    let reading = tokio::select! {
        reading = job.base.reading(5) => reading,
        _ = stopping.wait_for(|stop| *stop) => return Ok(()),
    };
    let running = match &reading {
        Reading::Postgres(store) => on_postgres(store, &store.model(), &job),
        Reading::Sqlite(store, model) => on_sqlite(store, model, &job),
    };
    let path = followed(&job.folder, job.number);
    let following = match reading {
        Reading::Postgres(store) => tokio::spawn(follow(store, path)),
        Reading::Sqlite(store, _) => tokio::spawn(follow(store, path)),
    };
    let has_ended = |running: &Running| running.status().phase == Phase::Stopped;
    while !following.is_finished() && !running.iter().any(has_ended) {
        tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => {
                following.abort();
                for running in running {
                    running.stop().await;
                }
                return Ok(());
            }
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
        }
    }
    // Whatever the faults, none of them ends by itself.
    if let Some(ended) = running.into_iter().find(has_ended) {
        return Err(ended.stopped().await.into());
    }
    Ok(following.await??)
}

fn projector(store: impl EventStore, job: &Job) -> Projector {
    Projector::new(store).lease(LEASE).batch(200).attempts(2).max_parked(100_000).label(job.name())
}

fn on_postgres(store: &PostgresStore, model: &PostgresModel, job: &Job) -> [Running; 3] {
    let projector = projector(store.clone(), job);
    [
        projector.clone().slots(4).start(AppliedPostgres, model.clone()),
        projector.clone().slots(2).start_view::<Balance>(model.clone()),
        projector.slots(2).start_view::<Total>(model.clone()),
    ]
}

fn on_sqlite(store: &SqliteStore, model: &SqliteModel, job: &Job) -> [Running; 3] {
    let projector = projector(store.clone(), job);
    [
        projector.clone().slots(4).start(AppliedSqlite, model.clone()),
        projector.clone().slots(2).start_view::<Balance>(model.clone()),
        projector.slots(2).start_view::<Total>(model.clone()),
    ]
}

/// Writes down every event there is, going on where the file ends.
async fn follow(store: impl EventStore, path: PathBuf) -> std::io::Result<()> {
    let (before, length) = read_followed(&path)?;
    let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
    file.set_len(length)?;
    let after = before.last().map_or(Position::START, |last| Position::new(last.position));
    let mut subscription = Subscription::of_log(store, LogFilter::all()).after(after);
    loop {
        match subscription.next().await {
            Ok(event) => {
                let line = format!("{} {} {}\n", event.position, event.stream, event.version);
                file.write_all(line.as_bytes())?;
            }
            Err(error) if error.may_retry() => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => return Err(std::io::Error::other(error)),
        }
    }
}

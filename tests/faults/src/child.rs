//! Processes of the application: this program runs itself again, with what is to be done as an argument.

use std::io::BufRead as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cqrs::{PostgresStore, ReadModel as _, SqliteModel, SqliteStore, Store, StoreError};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::{worker, writer};

/// Where the events and the read models are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Base {
    /// In a database.
    Postgres {
        /// How it is reached.
        url: String,
    },
    /// In files.
    Sqlite {
        /// The file of the events.
        events: PathBuf,
        /// The file of the read models, if it is another one.
        views: Option<PathBuf>,
    },
}

/// What a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// It sends commands, and first brings to an end what the ones before it have begun.
    Writer,
    /// It only brings to an end what was begun, and ends itself then.
    Drain,
    /// It follows the log.
    Worker,
}

/// What a process does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// What it is.
    pub role: Role,
    /// Which of those with this role.
    pub number: usize,
    /// How many times it was started before.
    pub life: u32,
    /// What determines what it does.
    pub seed: u64,
    /// When the round began, in milliseconds since 1970.
    pub began: u64,
    /// The folder of the round.
    pub folder: PathBuf,
    /// Where the events are.
    pub base: Base,
}

/// The first word of the arguments of such a process.
pub const ARGUMENT: &str = "--child";

/// What a writer is called in the names of its histories, all lives of it.
pub fn writer_name(number: usize) -> String {
    format!("writer-{number}.")
}

impl Job {
    /// What the process is called in the names of its files.
    pub fn name(&self) -> String {
        match self.role {
            // The dot ends the number, so that one name is not the beginning of another.
            Role::Writer | Role::Drain => format!("{}{:04}", writer_name(self.number), self.life),
            Role::Worker => format!("worker-{}.{:04}", self.number, self.life),
        }
    }
}

/// Does a job until the input of the process tells it to stop, or ends.
///
/// # Errors
/// When the job can't be read or can't go on.
pub fn run(job: &str) -> Result<(), Box<dyn std::error::Error>> {
    let job: Job = serde_json::from_str(job)?;
    let (stop, stopping) = watch::channel(false);
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        // The end of the input is the end of the parent, in whatever way.
        if line.is_empty() || read.is_err() {
            std::process::exit(1);
        }
        stop.send_replace(true);
        line.clear();
        while std::io::stdin().lock().read_line(&mut line).is_ok_and(|read| read > 0) {}
        std::process::exit(1);
    });
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        match job.role {
            Role::Writer | Role::Drain => writer::run(job, stopping).await,
            Role::Worker => worker::run(job, stopping).await,
        }
    })?;
    // What is under way on threads of its own is not waited for.
    runtime.shutdown_background();
    Ok(())
}

/// A store that has little patience, so that outages are seen by those who use it.
async fn postgres(url: &str, connections: u32) -> Result<PostgresStore, StoreError> {
    PostgresStore::options(url)
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(1))
        .call_timeout(Duration::from_secs(3))
        .migrate(false)
        .connect()
        .await
}

async fn sqlite(path: &PathBuf) -> Result<SqliteStore, StoreError> {
    SqliteStore::options(path).busy_timeout(Duration::from_secs(1)).readers(2).open().await
}

/// The store and the read model of a worker.
pub(crate) enum Reading {
    Postgres(PostgresStore),
    Sqlite(SqliteStore, SqliteModel),
}

/// The store of a writer.
pub(crate) enum Writing {
    Postgres(PostgresStore),
    Sqlite(SqliteStore),
}

impl Writing {
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Postgres(store) => Arc::new(store.clone()),
            Self::Sqlite(store) => Arc::new(store.clone()),
        }
    }

    /// Begins a transaction on a connection of the store, for a batch or for the application, and is gone before it has
    /// begun: nobody is to notice.
    pub(crate) async fn begin_and_go(&self, is_batch: bool) {
        const AT_ONCE: Duration = Duration::ZERO;
        match self {
            Self::Postgres(store) if is_batch => {
                drop(timeout(AT_ONCE, store.model().begin()).await);
            }
            Self::Postgres(store) => drop(timeout(AT_ONCE, store.pool().begin()).await),
            Self::Sqlite(store) => drop(timeout(AT_ONCE, store.model().begin()).await),
        }
    }
}

impl Base {
    /// The store of a writer, as soon as it can be had.
    pub(crate) async fn writing(&self, connections: u32) -> Writing {
        loop {
            match self.try_writing(connections).await {
                Ok(writing) => return writing,
                Err(error) => again(&error).await,
            }
        }
    }

    async fn try_writing(&self, connections: u32) -> Result<Writing, StoreError> {
        Ok(match self {
            Self::Postgres { url } => Writing::Postgres(postgres(url, connections).await?),
            Self::Sqlite { events, .. } => Writing::Sqlite(sqlite(events).await?),
        })
    }

    /// The store and the read model of a worker, as soon as they can be had.
    pub(crate) async fn reading(&self, connections: u32) -> Reading {
        loop {
            match self.try_reading(connections).await {
                Ok(reading) => return reading,
                Err(error) => again(&error).await,
            }
        }
    }

    async fn try_reading(&self, connections: u32) -> Result<Reading, StoreError> {
        Ok(match self {
            Self::Postgres { url } => Reading::Postgres(postgres(url, connections).await?),
            Self::Sqlite { events, views: None } => {
                let store = sqlite(events).await?;
                let model = store.model();
                Reading::Sqlite(store, model)
            }
            Self::Sqlite { events, views: Some(views) } => {
                Reading::Sqlite(sqlite(events).await?, sqlite(views).await?.model())
            }
        })
    }
}

/// The parent ends the process if this goes on for too long.
async fn again(error: &StoreError) {
    eprintln!("{error}");
    tokio::time::sleep(Duration::from_millis(50)).await;
}

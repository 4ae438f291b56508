//! The databases that are measured: filled with a log, emptied of projections, and asked for rows.

mod postgres;
mod sqlite;

use std::fmt;

use clap::ValueEnum;
use cqrs::{BoxError, EventStore, Projector, Rows, Running};
use serde::Serialize;

pub use self::postgres::Postgres;
pub use self::sqlite::Sqlite;
use crate::bank::{Balance, Entry, Flags, Log};

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Postgres,
    Sqlite,
    Memory,
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Postgres => "PostgreSQL",
            Self::Sqlite => "SQLite",
            Self::Memory => "memory",
        })
    }
}

/// A database with a log, in which the projections of this crate and their hand-written twins keep their rows.
pub trait Database: Sized {
    const KIND: Kind;

    type Store: EventStore + Clone;

    type Model: Rows<Balance> + Rows<Flags>;

    /// A new one with this log.
    async fn create(log: Log) -> Result<Self, BoxError>;

    /// How another process of this program reaches it.
    fn address(&self) -> String;

    fn store(&self) -> Self::Store;

    fn model(&self) -> Self::Model;

    /// Starts the projection that writes a row an event.
    fn start_ledger(&self, projector: &Projector) -> Running;

    /// Makes it as if no projection and no twin had ever run, and writes to disk what is still to be written.
    async fn clear(&self) -> Result<(), BoxError>;

    /// The rows of a table of balances, in the order of their keys.
    async fn balances(&self, table: &str) -> Result<Vec<Balance>, BoxError>;

    /// The rows of a table of flags, in the order of their keys.
    async fn flags(&self, table: &str) -> Result<Vec<Flags>, BoxError>;

    /// Whether the view shows the account.
    async fn shows(&self, account: &str) -> Result<bool, BoxError>;

    /// Hand-written: folds batches of so many events into the rows they touch.
    async fn twin_view(&self, batch: usize) -> Result<(), BoxError>;

    /// Hand-written: the same statement an event as the projection, a transaction a batch.
    async fn twin_ledger(&self, batch: usize) -> Result<(), BoxError>;

    /// Hand-written: adds up the flags of batches.
    async fn twin_flags(&self, batch: usize) -> Result<(), BoxError>;
}

/// Does it on a thread of the runtime, as projections do: on that of `main`, each answer of a database takes another
/// change of threads.
async fn spawned(
    work: impl Future<Output = Result<(), BoxError>> + Send + 'static,
) -> Result<(), BoxError> {
    tokio::spawn(work).await?
}

/// The log in parts that are stored at once.
fn chunks(log: Log) -> impl Iterator<Item = Vec<Entry>> {
    const EVENTS: usize = 10_000;
    const BYTES: usize = 4 * 1024 * 1024;
    let mut entries = log.entries();
    std::iter::from_fn(move || {
        let (mut chunk, mut bytes) = (Vec::new(), 0);
        while chunk.len() < EVENTS
            && bytes < BYTES
            && let Some(entry) = entries.next()
        {
            bytes += entry.payload.len();
            chunk.push(entry);
        }
        (!chunk.is_empty()).then_some(chunk)
    })
}

//! The embedded store of the `cqrs` framework: events, snapshots and read models in SQLite files.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("bank.db");
//! use cqrs_core::{EventStore, LogFilter, Position};
//! use cqrs_sqlite::SqliteStore;
//!
//! let store = SqliteStore::open(&path).await?;
//! let log = store.read_log(&LogFilter::all(), Position::START, 100).await?;
//! assert!(log.events.is_empty());
//! store.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//! - An append is one statement and one transaction: all of its events are stored, or none (G1). The version of the
//!   stream is compared under the write lock, and the table refuses a version a second time (G2).
//! - When an append returns, its events are synced to disk (`synchronous=FULL`) and survive a power failure (G3).
//! - Positions are given out under the write lock, so readers of the log see them in order and skip nothing (G5).
//! - Any number of processes on one machine may use one file. They wait for each other's writes, for at most
//!   [`busy_timeout`](SqliteOptions::busy_timeout); then the append fails with kind
//!   [`Busy`](cqrs_core::StoreErrorKind::Busy) and may be repeated.
//! - The rows of a projection and its checkpoint are committed together, by whoever holds its lease then and by nobody
//!   else (G7); see [`SqliteModel`].
//! - A future may be dropped at any time: what it was doing is stored whole or not at all, and the store goes on (G14).
//!
//! # The file
//! It is in write-ahead logging: beside `bank.db` there are `bank.db-wal` and `bank.db-shm` while it is open. Copy it
//! with `VACUUM INTO` or `.backup` of the `sqlite3` shell, not with `cp`, and keep it on a local disk: the locks of
//! network file systems are not to be relied on. The application may have tables of its own in the file. Those of the
//! store begin with `cqrs_`; the files in `migrations/` of this crate describe them.

mod append;
mod error;
mod group;
mod log;
mod migrate;
mod model;
mod read;
mod rows;
mod snapshot;
mod store;

/// The driver, in the version this crate uses: what handlers of projections write their rows with.
pub use sqlx;

pub use self::model::{SqliteModel, SqliteTransaction, from_row};
pub use self::store::{SqliteOptions, SqliteStore};

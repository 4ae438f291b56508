//! The database of a round, as the parent of all processes sees it: past all faults of the network.

mod postgres;
mod sqlite;

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use cqrs::{LogFilter, Maintain, Position, Projections, Repository, Store, StreamId};
use serde::Deserialize;

pub use self::postgres::Postgres;
pub use self::sqlite::Sqlite;
use crate::checker::{Applied, Stage, Stored};
use crate::child::Base;
use crate::domain::{Mark, Purse, Vault, Wallet};
use crate::faults::Kind;
use crate::reading::FAILING;
use crate::worker::Followed;

/// Whatever went wrong.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The version of all projections.
pub const VERSION: u32 = 1;

/// A row of any of the tables: a text, three numbers, a text.
type Row = (String, i64, i64, i64, String);

/// The database of a round.
#[derive(Debug)]
pub enum Database {
    /// A PostgreSQL server of its own, behind a network that can be disturbed.
    Postgres(Box<Postgres>),
    /// Files.
    Sqlite(Sqlite),
}

impl Database {
    /// How processes reach it.
    pub fn base(&self) -> Base {
        match self {
            Self::Postgres(postgres) => postgres.base(),
            Self::Sqlite(sqlite) => sqlite.base(),
        }
    }

    /// Which kinds of faults can be injected, and why others can't.
    pub fn kinds(&self) -> (BTreeSet<Kind>, Vec<String>) {
        let (mut kinds, no_disk) = match self {
            Self::Postgres(postgres) => (Kind::of_postgres(), postgres.no_disk()),
            Self::Sqlite(sqlite) => (Kind::of_sqlite(), sqlite.no_disk()),
        };
        let missing = no_disk.map(|reason| {
            kinds.remove(&Kind::FillDisk);
            format!("{:?}: {reason}", Kind::FillDisk)
        });
        (kinds, missing.into_iter().collect())
    }

    /// Removes what faults have left behind.
    ///
    /// # Errors
    /// When that is not possible.
    pub async fn heal(&self) -> Result<(), Error> {
        match self {
            Self::Postgres(postgres) => postgres.heal().await,
            Self::Sqlite(sqlite) => sqlite.heal(),
        }
    }

    /// The store, and all that follows it.
    ///
    /// # Errors
    /// When it can't be reached.
    pub async fn store(&self) -> Result<(Arc<dyn Store>, Arc<dyn Maintain>, Projections), Error> {
        Ok(match self {
            Self::Postgres(postgres) => {
                let store = postgres.store().await?;
                let model = store.model();
                let projections = Projections::new(store.clone(), model.clone());
                (Arc::new(store), Arc::new(model), projections)
            }
            Self::Sqlite(sqlite) => {
                let (store, model) = sqlite.store().await?;
                let projections = Projections::new(store.clone(), model.clone());
                (Arc::new(store), Arc::new(model), projections)
            }
        })
    }

    /// The events as the table has them.
    ///
    /// # Errors
    /// When they can't be read, or are none of those that are written in a round.
    pub async fn log(&self) -> Result<Vec<Stored>, Error> {
        let rows = match self {
            Self::Postgres(postgres) => postgres.events().await?,
            Self::Sqlite(sqlite) => sqlite.events().await?,
        };
        rows.into_iter().map(stored).collect()
    }

    /// The rows of all read models.
    ///
    /// # Errors
    /// When they can't be read.
    pub async fn stage(&self) -> Result<Stage, Error> {
        const TABLES: [&str; 4] = [
            "SELECT stream, position, version, CAST(0 AS bigint), '' FROM applied ORDER BY number",
            "SELECT stream, times, CAST(0 AS bigint), CAST(0 AS bigint), '' FROM counters",
            "SELECT stream, left_cents, right_cents, CAST(events AS bigint), CAST(version AS text) FROM balances",
            "SELECT category, cents, CAST(events AS bigint), CAST(0 AS bigint), '' FROM totals",
        ];
        let mut tables = Vec::new();
        for table in TABLES {
            tables.push(match self {
                Self::Postgres(postgres) => postgres.rows(table).await?,
                Self::Sqlite(sqlite) => sqlite.rows(table).await?,
            });
        }
        let mut tables = tables.into_iter();
        let mut next = || tables.next().unwrap_or_default();
        let mut stage = Stage::default();
        for (stream, position, version, _, _) in next() {
            let (position, version) = (position.cast_unsigned(), version.cast_unsigned());
            stage.applied.push(Applied { stream, version, position });
        }
        for (stream, times, ..) in next() {
            stage.counters.insert(stream, times.cast_unsigned());
        }
        for (stream, left, right, events, version) in next() {
            let purse = Purse { left, right, events: events.cast_unsigned() };
            stage.balances.insert(stream, (purse, version.parse()?));
        }
        for (category, cents, events, ..) in next() {
            stage.totals.insert(category, (cents, events.cast_unsigned()));
        }
        let (_, model, _) = self.store().await?;
        for projection in crate::reading::NAMES {
            for parked in model.parked(projection, VERSION).await? {
                let place =
                    (projection.to_owned(), parked.stream.to_string(), parked.version.get());
                stage.parked.insert(place);
            }
        }
        Ok(stage)
    }

    /// The parked streams, by projection.
    ///
    /// # Errors
    /// When they can't be read.
    pub async fn parked(&self) -> Result<Vec<(&'static str, StreamId)>, Error> {
        let (_, model, _) = self.store().await?;
        let mut all = Vec::new();
        for projection in FAILING {
            let parked = model.parked(projection, VERSION).await?;
            all.extend(parked.into_iter().map(|parked| (projection, parked.stream)));
        }
        Ok(all)
    }
}

fn stored((stream, position, version, _, text): Row) -> Result<Stored, Error> {
    #[derive(Deserialize)]
    struct Content {
        mark: Mark,
        #[serde(default)]
        left: i64,
        #[serde(default)]
        right: i64,
    }
    let (event_type, payload) = text.split_once(' ').ok_or("a row without a payload")?;
    let Content { mark, left, right } = serde_json::from_str(payload)?;
    Ok(Stored {
        position: position.cast_unsigned(),
        stream,
        version: version.cast_unsigned(),
        mark,
        left,
        right,
        is_spoiled: event_type == "purse.spoiled",
    })
}

/// The whole log, as readers get it.
///
/// # Errors
/// When it can't be read.
pub async fn read(store: &Arc<dyn Store>) -> Result<Vec<Followed>, Error> {
    let mut all = Vec::new();
    let mut after = Position::START;
    loop {
        let page = store.read_log(&LogFilter::all(), after, 1000).await?;
        if page.events.is_empty() {
            return Ok(all);
        }
        after = page.through;
        all.extend(page.events.into_iter().map(|event| Followed {
            position: event.position.get(),
            stream: event.stream.to_string(),
            version: event.version.get(),
        }));
    }
}

/// Version and state of a stream, as a process loads it that has not seen it before.
///
/// # Errors
/// When it can't be loaded.
pub async fn load(store: &Arc<dyn Store>, stream: &str) -> Result<(u64, Purse), Error> {
    let repository = Repository::new(store.clone());
    let (category, key) = stream.split_once('/').ok_or("a stream without a key")?;
    Ok(if category == <Wallet as cqrs::Aggregate>::CATEGORY {
        let loaded = repository.load::<Wallet>(key).await?;
        (loaded.version.get(), loaded.state.0)
    } else {
        let loaded = repository.load::<Vault>(key).await?;
        (loaded.version.get(), loaded.state.0)
    })
}

/// How large a file is; zero if there is none.
fn size(path: &Path) -> io::Result<u64> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

//! Files of SQLite.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cqrs::{SqliteModel, SqliteStore};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, SqliteConnection};

use super::{Error, Row, size};
use crate::child::Base;
use crate::disk::Disk;
use crate::random::Random;

/// How long others may keep the parent waiting.
const PATIENCE: Duration = Duration::from_secs(20);

/// A file of events, and one of views, which may be the same.
#[derive(Debug)]
pub struct Sqlite {
    events: PathBuf,
    views: Option<PathBuf>,
    disk: Result<Disk, String>,
}

impl Sqlite {
    /// Makes the files, on a disk that can be filled if there may be one, and else in the folder.
    ///
    /// # Errors
    /// When that is not possible.
    pub async fn create(folder: &Path, seed: u64) -> Result<Self, Error> {
        let disk = Disk::mount().map_err(|error| error.to_string());
        let folder = disk.as_ref().map_or(folder, Disk::path).to_owned();
        let views = Random::of(seed, "files").percent(50).then(|| folder.join("views.db"));
        let made = Self { events: folder.join("events.db"), views, disk };
        let (store, model) = made.store().await?;
        store.close().await;
        model.close().await;
        Ok(made)
    }

    /// The disk of the files, if it can be filled.
    pub fn disk_to_fill(&self) -> Option<&Disk> {
        self.disk.as_ref().ok()
    }

    pub(super) fn no_disk(&self) -> Option<String> {
        self.disk.as_ref().err().cloned()
    }

    pub(super) fn base(&self) -> Base {
        Base::Sqlite { events: self.events.clone(), views: self.views.clone() }
    }

    /// The store and the read model.
    ///
    /// # Errors
    /// When the files can't be opened.
    pub async fn store(&self) -> Result<(SqliteStore, SqliteModel), Error> {
        let open = |path: &Path| SqliteStore::options(path).busy_timeout(PATIENCE).open();
        let store = open(&self.events).await?;
        let model = match &self.views {
            None => store.model(),
            Some(views) => open(views).await?.model(),
        };
        Ok((store, model))
    }

    /// A connection to the file of the events.
    ///
    /// # Errors
    /// When it can't be opened.
    pub async fn connect_to_events(&self) -> Result<SqliteConnection, Error> {
        connect(&self.events).await
    }

    /// A connection to the file of the views.
    ///
    /// # Errors
    /// When it can't be opened.
    pub async fn connect_to_views(&self) -> Result<SqliteConnection, Error> {
        connect(self.views.as_ref().unwrap_or(&self.events)).await
    }

    /// A size in kilobytes that the files have reached already, or soon will.
    ///
    /// # Errors
    /// When they can't be looked at.
    pub fn limit(&self) -> std::io::Result<u64> {
        let mut log = self.events.clone().into_os_string();
        log.push("-wal");
        Ok((size(Path::new(&log))? / 2048).max(256))
    }

    pub(super) fn heal(&self) -> Result<(), Error> {
        if let Ok(disk) = &self.disk {
            disk.free()?;
        }
        Ok(())
    }

    pub(super) async fn events(&self) -> Result<Vec<Row>, Error> {
        let sql = "SELECT category || '/' || key, position, version, 0, event_type || ' ' || payload \
                   FROM cqrs_events ORDER BY position";
        Ok(sqlx::query_as(sql).fetch_all(&mut self.connect_to_events().await?).await?)
    }

    pub(super) async fn rows(&self, sql: &'static str) -> Result<Vec<Row>, Error> {
        Ok(sqlx::query_as(sql).fetch_all(&mut self.connect_to_views().await?).await?)
    }
}

async fn connect(path: &Path) -> Result<SqliteConnection, Error> {
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(PATIENCE);
    Ok(options.connect().await?)
}

//! Where versions are: in the file of the model, or in one beside it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cqrs_core::{StoreError, StoreErrorKind};
use sqlx::sqlite::SqlitePool;
use sqlx::{Row, SqliteExecutor, query};

use super::failure::Failure;
use super::{SqliteModel, SqliteTransaction};

/// A file, or a database in memory, with the connections to it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) path: Arc<Path>,
    /// One connection.
    pub(super) writer: SqlitePool,
    pub(super) readers: SqlitePool,
}

/// How often something starts over because a version has changed its place meanwhile.
pub(super) const ATTEMPTS: usize = 16;

impl Place {
    /// Begins a transaction, with the lock from the start: one that began with reading could not wait for it.
    pub(super) async fn begin(&self) -> Result<SqliteTransaction, sqlx::Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

impl SqliteModel {
    /// Where a version is, if it is anywhere.
    pub(super) async fn find(&self, name: &str, version: u32) -> Result<Option<Place>, Failure> {
        self.find_through(&self.live.readers, name, version).await
    }

    /// The same as a transaction on the file of the model sees it.
    pub(super) async fn find_through(
        &self,
        live: impl SqliteExecutor<'_>,
        name: &str,
        version: u32,
    ) -> Result<Option<Place>, Failure> {
        let row = query(include_str!("../../sql/place.sql"))
            .bind(name)
            .bind(version)
            .fetch_one(live)
            .await?;
        if row.try_get("is_here")? {
            return Ok(Some(self.live.clone()));
        }
        match row.try_get::<Option<&str>, _>("file")? {
            Some(file) => self.besides.open(&self.live, file).await,
            None => Ok(None),
        }
    }

    pub(super) fn is_live(&self, place: &Place) -> bool {
        place.path == self.live.path
    }
}

/// The error for a version that has changed its place whenever something was to be done to it.
pub(super) fn restless(doing: &str) -> StoreError {
    let context =
        format!("{doing}: it has changed its place {ATTEMPTS} times meanwhile; try again");
    StoreError::new(StoreErrorKind::Busy, context)
}

/// Milliseconds since 1970, as all who share a file count them.
pub(super) fn now() -> i64 {
    milliseconds(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

/// A time as it is stored; the longest ones are cut where they can still be added to the time of day.
pub(super) fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX).min(i64::MAX / 2)
}

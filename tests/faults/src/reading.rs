//! What follows the log: a projection that writes down every event it takes, and views that are folded.

use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use cqrs::prelude::*;
use cqrs::{BoxError, PostgresModel, Received, SqliteModel};

use crate::domain::PurseEvent;

/// The names of all that follows the log in a read model.
pub const NAMES: [&str; 3] = ["applied", "balances", "totals"];

/// The names of what fails on spoiled events.
pub const FAILING: [&str; 2] = ["applied", "balances"];

/// The file that is there once spoiled events can be taken.
static MENDED: OnceLock<PathBuf> = OnceLock::new();

/// Has spoiled events fail until there is this file.
pub fn fail_until(mended: PathBuf) {
    // A process follows the log of one round.
    let _ = MENDED.set(mended);
}

fn take(event: &PurseEvent) -> Result<(), BoxError> {
    let is_mended = || MENDED.get().is_none_or(|mended| mended.exists());
    if matches!(event, PurseEvent::Spoiled { .. }) && !is_mended() {
        return Err("a spoiled event can't be taken".into());
    }
    Ok(())
}

/// Keeps a transaction open for a moment, for much of the time though not so often that the log is never caught up
/// with: whatever happens to a worker then happens in the middle of its work.
async fn linger() {
    const TIME: Duration = Duration::from_millis(20);
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    {
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| last.elapsed() < TIME * 2) {
            return;
        }
        *last = Some(Instant::now());
    }
    tokio::time::sleep(TIME).await;
}

/// Writes down every event it takes, and counts them by stream: nothing hides what is taken twice.
#[derive(Debug, Projection)]
#[projection(name = "applied", model = PostgresModel, events(PurseEvent), tables = "
    CREATE TABLE applied (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stream text NOT NULL,
        version bigint NOT NULL, position bigint NOT NULL);
    CREATE TABLE counters (stream text PRIMARY KEY, times bigint NOT NULL)")]
pub struct AppliedPostgres;

/// The same on SQLite.
#[derive(Debug, Projection)]
#[projection(name = "applied", model = SqliteModel, events(PurseEvent), tables = "
    CREATE TABLE applied (number INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL,
        version INTEGER NOT NULL, position INTEGER NOT NULL) STRICT;
    CREATE TABLE counters (stream TEXT PRIMARY KEY, times INTEGER NOT NULL) STRICT")]
pub struct AppliedSqlite;

const WRITE_DOWN: &str = "INSERT INTO applied (stream, version, position) VALUES ($1, $2, $3)";

const COUNT: &str = "INSERT INTO counters (stream, times) VALUES ($1, 1)
    ON CONFLICT (stream) DO UPDATE SET times = counters.times + 1";

macro_rules! project {
    ($projection:ty) => {
        impl Project<PurseEvent> for $projection {
            async fn project(
                &self,
                event: PurseEvent,
                received: &Received<'_>,
                transaction: &mut cqrs::Transaction<Self>,
            ) -> Result<(), BoxError> {
                let stream = received.stream.to_string();
                sqlx::query(WRITE_DOWN)
                    .bind(&stream)
                    .bind(received.version.get().cast_signed())
                    .bind(received.position.get().cast_signed())
                    .execute(&mut **transaction)
                    .await?;
                sqlx::query(COUNT).bind(&stream).execute(&mut **transaction).await?;
                linger().await;
                // Last, so that there is something to be undone.
                take(&event)
            }
        }
    };
}

project!(AppliedPostgres);
project!(AppliedSqlite);

/// What is in each purse.
#[derive(Debug, Clone, PartialEq, Eq, View)]
#[view(name = "balances", key(stream), events(PurseEvent))]
pub struct Balance {
    /// The stream.
    pub stream: String,
    /// The money in the left pocket.
    pub left_cents: i64,
    /// The money in the right one.
    pub right_cents: i64,
    /// How many events were folded.
    pub events: u64,
    /// The version of the last one.
    pub version: u64,
}

impl Fold<PurseEvent> for Balance {
    fn rows(_: &PurseEvent, received: &Received<'_>) -> impl IntoIterator<Item = String> {
        Some(received.stream.to_string())
    }

    fn fold(
        row: &mut Option<Self>,
        stream: &String,
        event: &PurseEvent,
        received: &Received<'_>,
    ) -> Result<(), BoxError> {
        let row = row.get_or_insert_with(|| Self {
            stream: stream.clone(),
            left_cents: 0,
            right_cents: 0,
            events: 0,
            version: 0,
        });
        let (_, left, right) = event.parts();
        row.left_cents += left;
        row.right_cents += right;
        row.events += 1;
        row.version = received.version.get();
        take(event)
    }
}

/// What is in all purses of a kind; the slots of the view share its rows.
#[derive(Debug, Clone, PartialEq, Eq, View)]
#[view(name = "totals", key(category), events(PurseEvent))]
pub struct Total {
    /// The kind.
    pub category: String,
    /// The money in all pockets.
    pub cents: i64,
    /// How many events were folded.
    pub events: u64,
}

impl Fold<PurseEvent> for Total {
    fn rows(_: &PurseEvent, received: &Received<'_>) -> impl IntoIterator<Item = String> {
        Some(received.stream.category().to_owned())
    }

    fn fold(
        row: &mut Option<Self>,
        category: &String,
        event: &PurseEvent,
        _: &Received<'_>,
    ) -> Result<(), BoxError> {
        let row =
            row.get_or_insert_with(|| Self { category: category.clone(), cents: 0, events: 0 });
        let (_, left, right) = event.parts();
        row.cents += left + right;
        row.events += 1;
        Ok(())
    }
}

//! Appending: one statement that stores all events or none.

use cqrs_core::{
    Append, AppendError, Appended, Conflict, ExpectedVersion, Position, StoreError, StoreErrorKind,
    Version,
};
use sqlx::sqlite::{SqliteExecutor, SqlitePool, SqliteRow};
use sqlx::{Row, query};
use tracing::debug;

use crate::{error, rows};

/// How often an append starts over because the stream moved to where it was expected just after the append had
/// looked. Each time means that another writer got through.
const ATTEMPTS: usize = 16;

pub(crate) async fn append(
    writer: &SqlitePool,
    readers: &SqlitePool,
    append: &Append,
) -> Result<Appended, AppendError> {
    let doing = || format!("appending to stream `{}`", append.stream());
    for _ in 0..ATTEMPTS {
        let refused = match insert(writer, append).await {
            Ok(Some(appended)) => {
                debug!(stream = %append.stream(), %appended, "appended");
                return Ok(appended);
            }
            Ok(None) => None,
            Err(refused) if error::is_unique_violation(&refused) => Some(refused),
            Err(failed) => return Err(error::append_failed(&doing(), failed).into()),
        };
        let ids = rows::ids_to_json(append.events())?;
        let found = Found::read(readers, append, ids)
            .await
            .map_err(|failed| error::failed(&doing(), failed))?;
        if let Some(outcome) = found.outcome(append) {
            debug!(stream = %append.stream(), actual = %found.actual, ?outcome, "nothing appended");
            return outcome;
        }
        if let Some(refused) = refused {
            let context =
                format!("{}: a constraint that is not the framework's refused it", doing());
            return Err(StoreError::new(StoreErrorKind::Other, context).caused_by(refused).into());
        }
    }
    let context = format!("{}: other writers were faster {ATTEMPTS} times in a row", doing());
    Err(StoreError::new(StoreErrorKind::Busy, context).into())
}

/// Stores the events; `None` when the stream does not stand where it is expected.
pub(crate) async fn insert(
    writer: impl SqliteExecutor<'_>,
    append: &Append,
) -> Result<Option<Appended>, sqlx::Error> {
    let events =
        rows::to_json(append.events()).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let (lowest, highest) = range(append.expected());
    let inserted = query(include_str!("../sql/append.sql"))
        .bind(append.stream().category())
        .bind(append.stream().key())
        .bind(lowest)
        .bind(highest)
        .bind(events)
        // All rows, not the first: the statement commits after the last one, and may fail in doing so.
        .fetch_all(writer)
        .await?;
    let mut last = None;
    for row in inserted {
        // SQLite does not promise an order of the rows it returns.
        last = last.max(Some(place(&row, 0)?));
    }
    Ok(last.map(|(version, position)| Appended { version, position, replayed: false }))
}

/// The versions the stream may stand at.
fn range(expected: ExpectedVersion) -> (i64, i64) {
    match expected {
        ExpectedVersion::Any => (0, i64::MAX),
        ExpectedVersion::Exists => (1, i64::MAX),
        ExpectedVersion::NoStream => (0, 0),
        ExpectedVersion::Exact(version) => {
            let version = rows::integer(version.get());
            (version, version)
        }
    }
}

/// Version and position in two columns from this one on.
fn place(row: &SqliteRow, column: usize) -> Result<(Version, Position), sqlx::Error> {
    let number = |column| row.try_get(column).map(i64::cast_unsigned);
    Ok((Version::new(number(column)?), Position::new(number(column + 1)?)))
}

/// What is stored when an append found that it could not store its events.
struct Found {
    /// Where the stream stands.
    actual: Version,
    /// Where events with the ids of the append are, in the order of the append.
    stored: Vec<Stored>,
}

struct Stored {
    /// Which of the events of the append, from 0.
    index: usize,
    /// Whether it is in the stream appended to.
    in_stream: bool,
    version: Version,
    position: Position,
}

impl Found {
    async fn read(readers: &SqlitePool, append: &Append, ids: String) -> Result<Self, sqlx::Error> {
        let rows = query(include_str!("../sql/explain_append.sql"))
            .bind(append.stream().category())
            .bind(append.stream().key())
            .bind(ids)
            .fetch_all(readers)
            .await?;
        let mut found = Self { actual: Version::NONE, stored: Vec::new() };
        for row in rows {
            found.actual = Version::new(row.try_get::<i64, _>(0)?.cast_unsigned());
            if let Some(index) = row.try_get::<Option<u32>, _>(1)? {
                let (version, position) = place(&row, 3)?;
                found.stored.push(Stored {
                    index: index as usize,
                    in_stream: row.try_get(2)?,
                    version,
                    position,
                });
            }
        }
        Ok(found)
    }

    /// What this means for the append; `None` if it could be stored as things are now.
    fn outcome(&self, append: &Append) -> Option<Result<Appended, AppendError>> {
        if let Some(appended) = self.appended_before(append) {
            return Some(Ok(appended));
        }
        let (stream, expected) = (append.stream(), append.expected());
        if !expected.is_met_by(self.actual) {
            let conflict = Conflict { stream: stream.clone(), expected, actual: self.actual };
            return Some(Err(conflict.into()));
        }
        let stored = append.events().get(self.stored.first()?.index)?;
        Some(Err(StoreError::duplicate_event(stream, stored.id()).into()))
    }

    /// The outcome of the append that stored these very events, one after the other, if there was one.
    fn appended_before(&self, append: &Append) -> Option<Appended> {
        let (first, last) = (self.stored.first()?, self.stored.last()?);
        let in_place =
            |(stored, number): (&Stored, u64)| stored.in_stream && stored.version.get() == number;
        let all = self.stored.len() == append.events().len()
            && self.stored.iter().zip(first.version.get()..).all(in_place);
        all.then_some(Appended { version: last.version, position: last.position, replayed: true })
    }
}

//! Between events and rows of the table.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use cqrs_core::{
    BoxError, EventId, EventRow, EventRows, NewEvent, Position, RecordedEvent, StoreError,
    StoreErrorKind, StreamId, Version,
};
use futures_util::{TryStream, TryStreamExt as _};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

/// The events as the JSON array that `append.sql` takes.
pub(crate) fn to_json(events: &[NewEvent]) -> Result<String, StoreError> {
    let mut rows = Vec::with_capacity(events.len());
    for event in events {
        let metadata = event.metadata();
        let details = match &metadata.details {
            none if none.is_empty() => None,
            details => Some(serde_json::to_string(details).map_err(not_json)?),
        };
        rows.push((
            event.id(),
            event.event_type(),
            event.schema_version(),
            event.payload().as_str(),
            metadata.correlation_id,
            metadata.causation_id,
            details,
        ));
    }
    serde_json::to_string(&rows).map_err(not_json)
}

/// The ids of the events as the JSON array that `explain_append.sql` takes.
pub(crate) fn ids_to_json(events: &[NewEvent]) -> Result<String, StoreError> {
    let ids: Vec<EventId> = events.iter().map(NewEvent::id).collect();
    serde_json::to_string(&ids).map_err(not_json)
}

/// Names to choose from, as the statements take them; nothing where everything is wanted.
pub(crate) fn names_to_json(names: &[Arc<str>]) -> Result<Option<String>, StoreError> {
    if names.is_empty() {
        return Ok(None);
    }
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    serde_json::to_string(&names).map(Some).map_err(not_json)
}

/// The positions as the JSON array that `read_payloads.sql` takes.
pub(crate) fn positions_to_json(positions: &[i64]) -> Result<String, StoreError> {
    serde_json::to_string(positions).map_err(not_json)
}

fn not_json(error: serde_json::Error) -> StoreError {
    StoreError::new(StoreErrorKind::InvalidInput, "events as JSON").caused_by(error)
}

/// Indexes of the columns that every statement reading events selects first, in this order. `BYTES` is how large the
/// payload is where it is left out.
pub(crate) mod column {
    pub(crate) const POSITION: usize = 0;
    pub(crate) const VERSION: usize = 1;
    pub(crate) const EVENT_ID: usize = 2;
    pub(super) const EVENT_TYPE: usize = 3;
    pub(super) const SCHEMA_VERSION: usize = 4;
    pub(crate) const PAYLOAD: usize = 5;
    pub(super) const CORRELATION_ID: usize = 6;
    pub(super) const CAUSATION_ID: usize = 7;
    pub(super) const DETAILS: usize = 8;
    pub(super) const RECORDED_AT: usize = 9;
    pub(super) const CATEGORY: usize = 10;
    pub(super) const KEY: usize = 11;
    pub(super) const BYTES: usize = 12;
}

/// Adds the events of all rows for which there is room, each as it comes: they are never in memory together.
pub(crate) async fn take_all(
    events: &mut EventRows,
    mut rows: impl TryStream<Ok = SqliteRow, Error = sqlx::Error> + Unpin,
    failed: impl FnOnce(sqlx::Error) -> StoreError,
) -> Result<(), StoreError> {
    loop {
        match rows.try_next().await {
            Ok(Some(row)) if !events.is_cut() => take(events, &row)?,
            Ok(_) => return Ok(()),
            Err(error) => return Err(failed(error)),
        }
    }
}

/// Adds the event of a row.
pub(crate) fn take(events: &mut EventRows, row: &SqliteRow) -> Result<(), StoreError> {
    let said = said(row, events.stream().is_none());
    let pushed = said.and_then(|said| events.push(said));
    pushed.map_err(|why| not_an_event(row, events.stream(), why))
}

/// The event of a row.
pub(crate) fn event(events: &mut EventRows, row: &SqliteRow) -> Result<RecordedEvent, StoreError> {
    let said = said(row, events.stream().is_none());
    let event = said.and_then(|said| events.event(said));
    event.map_err(|why| not_an_event(row, events.stream(), why))
}

/// What a row says; one that names its stream tells how large a payload is that it leaves out.
fn said(row: &SqliteRow, names_stream: bool) -> Result<EventRow<'_>, BoxError> {
    let payload: Option<&str> = row.try_get(column::PAYLOAD)?;
    let millis = u64::try_from(row.try_get::<i64, _>(column::RECORDED_AT)?)?;
    let recorded_at = UNIX_EPOCH.checked_add(Duration::from_millis(millis));
    Ok(EventRow {
        position: Position::new(u64::try_from(row.try_get::<i64, _>(column::POSITION)?)?),
        stream: if names_stream {
            Some((row.try_get(column::CATEGORY)?, row.try_get(column::KEY)?))
        } else {
            None
        },
        version: Version::new(u64::try_from(row.try_get::<i64, _>(column::VERSION)?)?),
        id: uuid(row, column::EVENT_ID)?,
        event_type: row.try_get(column::EVENT_TYPE)?,
        schema_version: row.try_get(column::SCHEMA_VERSION)?,
        bytes: if payload.is_none() && names_stream { row.try_get(column::BYTES)? } else { None },
        payload,
        correlation_id: uuid(row, column::CORRELATION_ID)?,
        causation_id: uuid(row, column::CAUSATION_ID)?,
        details: row.try_get(column::DETAILS)?,
        recorded_at: recorded_at.ok_or("its time is too far away")?,
    })
}

/// A position and its payload.
pub(crate) fn payload(row: &SqliteRow) -> Result<(Position, String), sqlx::Error> {
    let position: i64 = row.try_get(0)?;
    Ok((Position::new(position.cast_unsigned()), row.try_get(1)?))
}

/// A number as SQLite keeps it. What is beyond its range is beyond every version and position, too.
pub(crate) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number of rows as SQLite takes it.
pub(crate) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

pub(crate) fn uuid(row: &SqliteRow, column: usize) -> Result<Uuid, BoxError> {
    Ok(Uuid::parse_str(row.try_get(column)?)?)
}

/// Somebody changed the table. Tells where, as far as the row itself tells.
fn not_an_event(row: &SqliteRow, stream: Option<&StreamId>, why: BoxError) -> StoreError {
    let number = |column| row.try_get::<i64, _>(column).unwrap_or_default();
    let text = |column| row.try_get::<&str, _>(column).unwrap_or_default();
    let stream =
        stream.map_or_else(|| format!("{}/{}", text("category"), text("key")), StreamId::to_string);
    let (position, version) = (number("position"), number("version"));
    StoreError::new(
        StoreErrorKind::Corrupt,
        format!(
            "the row of table cqrs_events at position {position}, version {version} of stream `{stream}`, \
             is not an event"
        ),
    )
    .caused_by(why)
}

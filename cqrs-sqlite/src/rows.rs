//! Between events and rows of the table.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use cqrs_core::{
    BoxError, Details, EventId, Metadata, NewEvent, Payload, Position, RecordedEvent, StoreError,
    StoreErrorKind, StreamId, Version,
};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, ValueRef};
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

/// The event of a row that names its stream.
pub(crate) fn event(row: &SqliteRow) -> Result<RecordedEvent, StoreError> {
    event_with(row, &HashMap::new())
}

/// The same; a payload that the row leaves out is in a row of its own, by position.
pub(crate) fn event_with(
    row: &SqliteRow,
    payloads: &HashMap<i64, SqliteRow>,
) -> Result<RecordedEvent, StoreError> {
    let left_out = if payloads.is_empty() { None } else { without_payload(row) };
    let payload = left_out.and_then(|position| payloads.get(&position));
    stream_of(row)
        .and_then(|stream| decode(row, &stream, payload.unwrap_or(row)))
        .map_err(|why| not_an_event(row, None, why))
}

/// The position in a row that leaves out the payload.
pub(crate) fn without_payload(row: &SqliteRow) -> Option<i64> {
    let left_out = row.try_get_raw("payload").is_ok_and(|payload| payload.is_null());
    left_out.then(|| row.try_get("position").ok()).flatten()
}

/// How large the payload is, in the row or left out.
pub(crate) fn payload_bytes(row: &SqliteRow) -> Result<usize, sqlx::Error> {
    match row.try_get::<Option<i64>, _>("bytes")? {
        Some(bytes) => usize::try_from(bytes).map_err(|error| sqlx::Error::Decode(error.into())),
        None => Ok(row.try_get::<&str, _>("payload")?.len()),
    }
}

/// The event of a row of this stream.
pub(crate) fn event_of(stream: &StreamId, row: &SqliteRow) -> Result<RecordedEvent, StoreError> {
    decode(row, stream, row).map_err(|why| not_an_event(row, Some(stream), why))
}

/// A number as SQLite keeps it. What is beyond its range is beyond every version and position, too.
pub(crate) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number of rows as SQLite takes it.
pub(crate) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

fn stream_of(row: &SqliteRow) -> Result<StreamId, BoxError> {
    Ok(StreamId::new(row.try_get("category")?, row.try_get("key")?)?)
}

/// The event in a row, whose payload may be in another.
fn decode(
    row: &SqliteRow,
    stream: &StreamId,
    payload: &SqliteRow,
) -> Result<RecordedEvent, BoxError> {
    let position = Position::new(u64::try_from(row.try_get::<i64, _>("position")?)?);
    let version = Version::new(u64::try_from(row.try_get::<i64, _>("version")?)?);
    let id = uuid(row, "event_id")?;
    let event_type: String = row.try_get("event_type")?;
    let schema_version = u32::try_from(row.try_get::<i64, _>("schema_version")?)?;
    let payload = Payload::from_stored(payload.try_get::<String, _>("payload")?);
    let metadata = Metadata {
        correlation_id: uuid(row, "correlation_id")?,
        causation_id: uuid(row, "causation_id")?,
        details: match row.try_get::<Option<&str>, _>("details")? {
            None => Details::default(),
            Some(json) => serde_json::from_str(json)?,
        },
    };
    let recorded_at = Duration::from_millis(u64::try_from(row.try_get::<i64, _>("recorded_at")?)?);
    let recorded_at = UNIX_EPOCH.checked_add(recorded_at).ok_or("its time is too far away")?;
    let event = NewEvent::from_parts(
        EventId::from(id),
        event_type,
        schema_version,
        payload,
        metadata.into(),
    )?;
    Ok(RecordedEvent::new(event, stream.clone(), version, position, recorded_at))
}

pub(crate) fn uuid(row: &SqliteRow, column: &str) -> Result<Uuid, BoxError> {
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

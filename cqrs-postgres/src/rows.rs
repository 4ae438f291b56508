//! Events and snapshots from rows.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cqrs_core::{
    BoxError, Details, EventId, Metadata, NewEvent, Payload, Position, RecordedEvent, StoreError,
    StoreErrorKind, StreamId, Version,
};
use sqlx::postgres::PgRow;
use sqlx::{Row, ValueRef};
use uuid::Uuid;

/// Indexes of the columns that every statement reading events selects first, in this order. `BYTES` is how large the
/// payload is where it is left out.
mod column {
    pub(super) const POSITION: usize = 0;
    pub(super) const VERSION: usize = 1;
    pub(super) const EVENT_ID: usize = 2;
    pub(super) const EVENT_TYPE: usize = 3;
    pub(super) const SCHEMA_VERSION: usize = 4;
    pub(super) const PAYLOAD: usize = 5;
    pub(super) const CORRELATION_ID: usize = 6;
    pub(super) const CAUSATION_ID: usize = 7;
    pub(super) const DETAILS: usize = 8;
    pub(super) const RECORDED_AT: usize = 9;
    pub(super) const CATEGORY: usize = 10;
    pub(super) const KEY: usize = 11;
    pub(super) const BYTES: usize = 12;
}

/// Between 1970, where `SystemTime` begins to count, and 2000, where Postgres does.
const FROM_1970_TO_2000: Duration = Duration::from_hours(24 * 10_957);

/// The events in these rows, all of one stream.
pub(crate) fn events_of(
    stream: &StreamId,
    rows: &[PgRow],
) -> Result<Vec<RecordedEvent>, StoreError> {
    rows.iter()
        .map(|row| {
            event(row, stream.clone(), row)
                .map_err(|error| corrupt(row, &stream.to_string(), error))
        })
        .collect()
}

/// The events in these rows, each of which names its stream.
pub(crate) fn events(rows: &[PgRow]) -> Result<Vec<RecordedEvent>, StoreError> {
    events_with(rows, &HashMap::new())
}

/// The same, with payloads that the rows leave out in rows of their own, by position.
pub(crate) fn events_with(
    rows: &[PgRow],
    payloads: &HashMap<i64, PgRow>,
) -> Result<Vec<RecordedEvent>, StoreError> {
    let mut events: Vec<RecordedEvent> = Vec::with_capacity(rows.len());
    for row in rows {
        // Events of one append stand together, so the stream is often that of the row before.
        let stream = match events.last().map(|event| &event.stream) {
            Some(stream) if is_of(row, stream) => Ok(stream.clone()),
            _ => stream(row),
        };
        let left_out = if payloads.is_empty() { None } else { without_payload(row) };
        let payload = left_out.and_then(|position| payloads.get(&position));
        let event = stream.and_then(|stream| event(row, stream, payload.unwrap_or(row)));
        events.push(event.map_err(|error| corrupt(row, &stream_text(row), error))?);
    }
    Ok(events)
}

/// The position in a row that leaves out the payload.
pub(crate) fn without_payload(row: &PgRow) -> Option<i64> {
    let left_out = row.try_get_raw(column::PAYLOAD).is_ok_and(|payload| payload.is_null());
    left_out.then(|| row.try_get(column::POSITION).ok()).flatten()
}

/// How large the payload is, in the row or left out.
pub(crate) fn payload_bytes(row: &PgRow) -> Result<usize, sqlx::Error> {
    match row.try_get::<Option<i32>, _>(column::BYTES)? {
        Some(bytes) => usize::try_from(bytes).map_err(|error| sqlx::Error::Decode(error.into())),
        None => json(row, column::PAYLOAD)
            .map(|payload| payload.map_or(0, str::len))
            .map_err(sqlx::Error::Decode),
    }
}

/// The version, the event id and the state in a row that holds a snapshot in place of an event.
pub(crate) fn snapshot_parts(row: &PgRow) -> Result<(Version, EventId, Payload), sqlx::Error> {
    let version = number(row, column::VERSION)?;
    let id: Uuid = row.try_get(column::EVENT_ID)?;
    let state = json(row, column::PAYLOAD).map_err(sqlx::Error::Decode)?;
    Ok((Version::new(version), EventId::from(id), Payload::from_stored(state.unwrap_or_default())))
}

/// Whether the row holds a snapshot in place of an event.
pub(crate) fn is_snapshot(row: &PgRow) -> bool {
    row.try_get_raw(column::POSITION).is_ok_and(|position| position.is_null())
}

/// A number that counts from 0, from a column of signed integers.
pub(crate) fn number(row: &PgRow, column: usize) -> Result<u64, sqlx::Error> {
    let number: i64 = row.try_get(column)?;
    u64::try_from(number).map_err(|error| sqlx::Error::Decode(error.into()))
}

/// A version, a position or a limit for a comparison in the database. Nothing there is beyond the range of `i64`.
pub(crate) fn saturate(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// The event in a row, whose payload may be in another.
fn event(row: &PgRow, stream: StreamId, payload: &PgRow) -> Result<RecordedEvent, BoxError> {
    let id: Uuid = row.try_get(column::EVENT_ID)?;
    let event_type: String = row.try_get(column::EVENT_TYPE)?;
    let schema_version: i64 = row.try_get(column::SCHEMA_VERSION)?;
    let payload = json(payload, column::PAYLOAD)?.ok_or("the payload is null")?;
    let details = match json(row, column::DETAILS)? {
        Some(text) => serde_json::from_str(text)?,
        None => Details::default(),
    };
    let metadata = Metadata {
        correlation_id: row.try_get(column::CORRELATION_ID)?,
        causation_id: row.try_get(column::CAUSATION_ID)?,
        details,
    };
    let event = NewEvent::from_parts(
        EventId::from(id),
        event_type,
        u32::try_from(schema_version)?,
        Payload::from_stored(payload),
        Arc::new(metadata),
    )?;
    Ok(RecordedEvent::new(
        event,
        stream,
        Version::new(number(row, column::VERSION)?),
        Position::new(number(row, column::POSITION)?),
        time(row)?,
    ))
}

/// The text of a JSON column as it was stored. The binary form of `json` is its text.
fn json(row: &PgRow, column: usize) -> Result<Option<&str>, BoxError> {
    let value = row.try_get_raw(column)?;
    if value.is_null() {
        return Ok(None);
    }
    value.as_str().map(Some)
}

/// A time is microseconds since 2000. Types of `sqlx` would panic on infinite times and on the far future.
fn time(row: &PgRow) -> Result<SystemTime, BoxError> {
    let value = row.try_get_raw(column::RECORDED_AT)?;
    let micros = i64::from_be_bytes(value.as_bytes()?.try_into()?);
    if micros == i64::MIN || micros == i64::MAX {
        return Err("the time is infinite".into());
    }
    let since_2000 = Duration::from_micros(micros.unsigned_abs());
    let start = SystemTime::UNIX_EPOCH + FROM_1970_TO_2000;
    let time =
        if micros < 0 { start.checked_sub(since_2000) } else { start.checked_add(since_2000) };
    time.ok_or_else(|| "the time is out of range".into())
}

fn is_of(row: &PgRow, stream: &StreamId) -> bool {
    let is = |column, text| matches!(row.try_get::<&str, _>(column), Ok(found) if found == text);
    is(column::KEY, stream.key()) && is(column::CATEGORY, stream.category())
}

fn stream(row: &PgRow) -> Result<StreamId, BoxError> {
    let category = row.try_get(column::CATEGORY)?;
    let key = row.try_get(column::KEY)?;
    Ok(StreamId::new(category, key)?)
}

/// The stream of a row whose names may not make a stream.
fn stream_text(row: &PgRow) -> String {
    let category: &str = row.try_get(column::CATEGORY).unwrap_or("?");
    let key: &str = row.try_get(column::KEY).unwrap_or("?");
    format!("{category}/{key}")
}

fn corrupt(row: &PgRow, stream: &str, error: BoxError) -> StoreError {
    let position: i64 = row.try_get(column::POSITION).unwrap_or_default();
    let context = format!("the row at position {position}, of stream `{stream}`, is not an event");
    StoreError::new(StoreErrorKind::Corrupt, context).caused_by(error)
}

//! Events and snapshots from rows.

use std::time::{Duration, SystemTime};

use cqrs_core::{
    BoxError, EventId, EventRow, EventRows, Payload, Position, RecordedEvent, StoreError,
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

/// Adds the event in a row, if there is room for it.
pub(crate) fn take(events: &mut EventRows, row: &PgRow) -> Result<(), StoreError> {
    let said = said(row, events.stream().is_none());
    said.and_then(|said| events.push(said)).map_err(|error| corrupt(row, events.stream(), error))
}

/// The event in a row.
pub(crate) fn event(events: &mut EventRows, row: &PgRow) -> Result<RecordedEvent, StoreError> {
    let said = said(row, events.stream().is_none());
    said.and_then(|said| events.event(said)).map_err(|error| corrupt(row, events.stream(), error))
}

/// What a row says; one that names its stream tells how large a payload is that it leaves out.
fn said(row: &PgRow, names_stream: bool) -> Result<EventRow<'_>, BoxError> {
    let payload = text(row, column::PAYLOAD)?;
    let name = |column| Ok::<_, BoxError>(text(row, column)?.ok_or("its stream has no name")?);
    Ok(EventRow {
        position: Position::new(u64::try_from(integer(row, column::POSITION)?)?),
        stream: if names_stream {
            Some((name(column::CATEGORY)?, name(column::KEY)?))
        } else {
            None
        },
        version: Version::new(u64::try_from(integer(row, column::VERSION)?)?),
        id: uuid(row, column::EVENT_ID)?,
        event_type: text(row, column::EVENT_TYPE)?.ok_or("its event type is null")?,
        schema_version: integer(row, column::SCHEMA_VERSION)?,
        bytes: match payload {
            None if names_stream => row.try_get::<Option<i32>, _>(column::BYTES)?.map(i64::from),
            _ => None,
        },
        payload,
        correlation_id: uuid(row, column::CORRELATION_ID)?,
        causation_id: uuid(row, column::CAUSATION_ID)?,
        details: text(row, column::DETAILS)?,
        recorded_at: time(row)?,
    })
}

/// A position and its payload.
pub(crate) fn payload(row: &PgRow) -> Result<(Position, String), sqlx::Error> {
    let payload = text(row, column::PAYLOAD).map_err(sqlx::Error::Decode)?;
    let position = Position::new(number(row, column::POSITION)?);
    Ok((position, payload.unwrap_or_default().to_owned()))
}

/// The version, the event id and the state in a row that holds a snapshot in place of an event.
pub(crate) fn snapshot_parts(row: &PgRow) -> Result<(Version, EventId, Payload), sqlx::Error> {
    let version = number(row, column::VERSION)?;
    let id: Uuid = row.try_get(column::EVENT_ID)?;
    let state = text(row, column::PAYLOAD).map_err(sqlx::Error::Decode)?;
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

/// The text of a column, if there is one. The binary form of `json` is its text.
fn text(row: &PgRow, column: usize) -> Result<Option<&str>, BoxError> {
    let value = row.try_get_raw(column)?;
    if value.is_null() { Ok(None) } else { value.as_str().map(Some) }
}

fn integer(row: &PgRow, column: usize) -> Result<i64, BoxError> {
    Ok(i64::from_be_bytes(row.try_get_raw(column)?.as_bytes()?.try_into()?))
}

fn uuid(row: &PgRow, column: usize) -> Result<Uuid, BoxError> {
    Ok(Uuid::from_slice(row.try_get_raw(column)?.as_bytes()?)?)
}

/// A time is microseconds since 2000. Types of `sqlx` would panic on infinite times and on the far future.
fn time(row: &PgRow) -> Result<SystemTime, BoxError> {
    let micros = integer(row, column::RECORDED_AT)?;
    if micros == i64::MIN || micros == i64::MAX {
        return Err("the time is infinite".into());
    }
    let since_2000 = Duration::from_micros(micros.unsigned_abs());
    let start = SystemTime::UNIX_EPOCH + FROM_1970_TO_2000;
    let time =
        if micros < 0 { start.checked_sub(since_2000) } else { start.checked_add(since_2000) };
    time.ok_or_else(|| "the time is out of range".into())
}

fn corrupt(row: &PgRow, stream: Option<&StreamId>, error: BoxError) -> StoreError {
    let position: i64 = row.try_get(column::POSITION).unwrap_or_default();
    let stream = stream.map_or_else(
        || {
            // Names that may not make a stream.
            let name = |column| row.try_get(column).unwrap_or("?");
            let (category, key): (&str, &str) = (name(column::CATEGORY), name(column::KEY));
            format!("{category}/{key}")
        },
        ToString::to_string,
    );
    let context = format!("the row at position {position}, of stream `{stream}`, is not an event");
    StoreError::new(StoreErrorKind::Corrupt, context).caused_by(error)
}

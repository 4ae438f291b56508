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
use uuid::fmt::Hyphenated;

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

/// Indexes of the columns that every statement reading events selects first, in this order. What can be one text comes as
/// one, because the driver copies each value of each row by itself: that halves what a row costs.
pub(crate) mod column {
    /// See [`Fixed`](super::Fixed).
    pub(crate) const EVENT: usize = 0;
    pub(crate) const PAYLOAD: usize = 1;
    pub(super) const DETAILS: usize = 2;
    /// Where rows are of several streams: category, `/`, key.
    pub(super) const STREAM: usize = 3;
    /// Of the row of a snapshot.
    pub(crate) const VERSION: usize = 4;
    pub(crate) const EVENT_ID: usize = 5;
}

/// All of an event that is not a text of the application: seven numbers and three ids, a space behind each, and the name
/// of the event type.
struct Fixed<'r> {
    position: i64,
    version: i64,
    schema_version: i64,
    recorded_at: i64,
    payload_bytes: i64,
    category_length: i64,
    event_id: Uuid,
    correlation_id: Uuid,
    causation_id: Uuid,
    event_type: &'r str,
}

impl<'r> Fixed<'r> {
    fn of(text: &'r str) -> Result<Self, BoxError> {
        let rest = &mut &*text;
        let [position, version, schema_version, recorded_at] = numbers(rest)?;
        let [payload_bytes, category_length, ids_length] = numbers(rest)?;
        let mut id = || Ok::<_, BoxError>(Uuid::parse_str(word(rest)?)?);
        let (event_id, correlation_id, causation_id) = (id()?, id()?, id()?);
        // One with a space in it would be taken for two, and of one with a NUL character comes what is before it.
        if usize::try_from(ids_length)? != 3 * Hyphenated::LENGTH {
            return Err("its ids are not ids".into());
        }
        Ok(Self {
            position,
            version,
            schema_version,
            recorded_at,
            payload_bytes,
            category_length,
            event_id,
            correlation_id,
            causation_id,
            event_type: *rest,
        })
    }
}

/// What comes before the next space.
fn word<'r>(rest: &mut &'r str) -> Result<&'r str, BoxError> {
    let (word, behind) = rest.split_once(' ').ok_or("it is cut short")?;
    *rest = behind;
    Ok(word)
}

fn numbers<const N: usize>(rest: &mut &str) -> Result<[i64; N], BoxError> {
    let mut numbers = [0; N];
    for number in &mut numbers {
        *number = word(rest)?.parse()?;
    }
    Ok(numbers)
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

/// What a row says.
fn said(row: &SqliteRow, names_stream: bool) -> Result<EventRow<'_>, BoxError> {
    let event = Fixed::of(row.try_get(column::EVENT)?)?;
    let payload: Option<&str> = row.try_get(column::PAYLOAD)?;
    let recorded_at =
        UNIX_EPOCH.checked_add(Duration::from_millis(u64::try_from(event.recorded_at)?));
    Ok(EventRow {
        position: Position::new(u64::try_from(event.position)?),
        stream: if names_stream { Some(stream(row, event.category_length)?) } else { None },
        version: Version::new(u64::try_from(event.version)?),
        id: event.event_id,
        event_type: event.event_type,
        schema_version: event.schema_version,
        bytes: (names_stream && payload.is_none()).then_some(event.payload_bytes),
        payload,
        correlation_id: event.correlation_id,
        causation_id: event.causation_id,
        details: row.try_get(column::DETAILS)?,
        recorded_at: recorded_at.ok_or("its time is too far away")?,
    })
}

/// Category and key of a row that names its stream. Lengths are in characters: how many bytes these are is up to the encoding
/// of the file.
fn stream(row: &SqliteRow, category_length: i64) -> Result<(&str, &str), BoxError> {
    let text: &str = row.try_get(column::STREAM)?;
    let slash = text.char_indices().nth(usize::try_from(category_length)?);
    let (end, _) = slash.filter(|(_, found)| *found == '/').ok_or("its stream has no name")?;
    Ok((&text[..end], &text[end + 1..]))
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
    // It may not even be text.
    let text =
        |column| String::from_utf8_lossy(row.try_get::<&[u8], _>(column).unwrap_or_default());
    let stream = stream.map_or_else(|| text(column::STREAM).into_owned(), StreamId::to_string);
    let [position, version] = numbers(&mut &*text(column::EVENT)).unwrap_or_default();
    StoreError::new(
        StoreErrorKind::Corrupt,
        format!(
            "the row of table cqrs_events at position {position}, version {version} of stream `{stream}`, \
             is not an event"
        ),
    )
    .caused_by(why)
}

//! Reading events: of one stream, of the log, one by its id.

use cqrs_core::{EventId, LogPage, Position, RecordedEvent, StoreError, StreamId, Version};
use sqlx::query;
use sqlx::sqlite::SqlitePool;

use crate::{error, rows};

pub(crate) async fn read_stream(
    readers: &SqlitePool,
    stream: &StreamId,
    after: Version,
    limit: usize,
) -> Result<Vec<RecordedEvent>, StoreError> {
    let found = query(include_str!("../sql/read_stream.sql"))
        .bind(stream.category())
        .bind(stream.key())
        .bind(rows::integer(after.get()))
        .bind(rows::limit(limit))
        .fetch_all(readers)
        .await
        .map_err(|failed| error::failed(&format!("reading stream `{stream}`"), failed))?;
    found.iter().map(|row| rows::event_of(stream, row)).collect()
}

pub(crate) async fn read_log(
    readers: &SqlitePool,
    after: Position,
    limit: usize,
) -> Result<LogPage, StoreError> {
    let found = query(include_str!("../sql/read_log.sql"))
        .bind(rows::integer(after.get()))
        .bind(rows::limit(limit))
        .fetch_all(readers)
        .await
        .map_err(|failed| error::failed(&format!("reading the log after {after}"), failed))?;
    let events: Vec<RecordedEvent> = found.iter().map(rows::event).collect::<Result<_, _>>()?;
    let through = events.last().map_or(after, |event| event.position);
    Ok(LogPage { events, through })
}

pub(crate) async fn find(
    readers: &SqlitePool,
    id: EventId,
) -> Result<Option<RecordedEvent>, StoreError> {
    let found = query(include_str!("../sql/find.sql"))
        .bind(id.to_string())
        .fetch_optional(readers)
        .await
        .map_err(|failed| error::failed(&format!("looking for event {id}"), failed))?;
    found.as_ref().map(rows::event).transpose()
}

//! Reading events: of one stream, of the log, one by its id.

use cqrs_core::{
    EventId, LogFilter, LogPage, Position, RecordedEvent, StoreError, StreamId, Version,
};
use sqlx::sqlite::SqlitePool;
use sqlx::{query, query_scalar};

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
    filter: &LogFilter,
    after: Position,
    limit: usize,
) -> Result<LogPage, StoreError> {
    let failed = |failed| error::failed(&format!("reading the log after {after}"), failed);
    // Where the log ends is asked first: what is appended meanwhile is behind it, read or not.
    let end = if filter.is_all() {
        after
    } else {
        let end: Option<i64> = query_scalar(include_str!("../sql/end_of_log.sql"))
            .fetch_one(readers)
            .await
            .map_err(failed)?;
        Position::new(end.unwrap_or_default().cast_unsigned()).max(after)
    };
    let found = query(include_str!("../sql/read_log.sql"))
        .bind(rows::integer(after.get()))
        .bind(rows::limit(limit))
        .bind(rows::names_to_json(filter.categories())?)
        .bind(rows::names_to_json(filter.event_types())?)
        .fetch_all(readers)
        .await
        .map_err(failed)?;
    let events: Vec<RecordedEvent> = found.iter().map(rows::event).collect::<Result<_, _>>()?;
    let last = events.last().map_or(after, |event| event.position);
    let through = if events.len() < limit { last.max(end) } else { last };
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

//! Reading events of one stream, and one by its id.

use cqrs_core::{EventId, EventRows, RecordedEvent, StoreError, StreamId, Version};
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
        .fetch(readers);
    let failed = |failed| error::failed(&format!("reading stream `{stream}`"), failed);
    let mut events = EventRows::of(stream.clone());
    rows::take_all(&mut events, found, failed).await?;
    Ok(events.into_events())
}

pub(crate) async fn find(
    readers: &SqlitePool,
    id: EventId,
) -> Result<Option<RecordedEvent>, StoreError> {
    let found = query(include_str!("../sql/find.sql")).bind(id.to_string()).fetch(readers);
    let failed = |failed| error::failed(&format!("looking for event {id}"), failed);
    let mut events = EventRows::of_any();
    rows::take_all(&mut events, found, failed).await?;
    Ok(events.into_events().pop())
}

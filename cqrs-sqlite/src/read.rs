//! Reading events of one stream, and one by its id.

use std::ops::ControlFlow;

use cqrs_core::{EventId, EventRows, RecordedEvent, StoreError, StreamId, Version};
use futures_util::TryStreamExt as _;
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

/// Hands over events as they come, while SQLite goes on with the next.
pub(crate) async fn replay(
    readers: &SqlitePool,
    stream: &StreamId,
    mut after: Version,
    take: &mut (dyn FnMut(RecordedEvent) -> ControlFlow<()> + Send),
) -> Result<(), StoreError> {
    /// Most events of a statement: as long as one runs, what others write stays in the log of the database.
    const EVENTS: usize = 10_000;
    let mut events = EventRows::of(stream.clone());
    loop {
        let mut found = query(include_str!("../sql/read_stream.sql"))
            .bind(stream.category())
            .bind(stream.key())
            .bind(rows::integer(after.get()))
            .bind(rows::limit(EVENTS))
            .fetch(readers);
        let failed = |failed| error::failed(&format!("replaying stream `{stream}`"), failed);
        let mut count = 0;
        while let Some(row) = found.try_next().await.map_err(failed)? {
            let event = rows::event(&mut events, &row)?;
            count += 1;
            after = event.version;
            if take(event).is_break() {
                return Ok(());
            }
        }
        if count < EVENTS {
            return Ok(());
        }
    }
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

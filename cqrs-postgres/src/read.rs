//! Reading events of a stream, and by id.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

use cqrs_core::{EventId, EventRows, RecordedEvent, StoreError, StreamId, Version};

use crate::connections::Connections;
use crate::rows::{self, saturate};
use crate::store::PostgresStore;

pub(crate) async fn stream(
    connections: &Connections,
    stream: &StreamId,
    after: Version,
    limit: usize,
) -> Result<Vec<RecordedEvent>, StoreError> {
    let statement = || {
        sqlx::query(include_str!("../sql/read_stream.sql"))
            .bind(stream.category())
            .bind(stream.key())
            .bind(saturate(after.get()))
            .bind(saturate(limit))
    };
    let events = connections.read(
        "reading a stream",
        statement,
        || EventRows::of(stream.clone()),
        rows::take,
    );
    Ok(events.await?.into_events())
}

/// Hands over up to so many events as they arrive, while the server goes on with the next. Tells whether there is nothing
/// more to hand over; `after` is the version of the last event that was.
pub(crate) async fn replay(
    connections: &Connections,
    stream: &StreamId,
    after: &mut Version,
    limit: usize,
    take: &mut (dyn FnMut(RecordedEvent) -> ControlFlow<()> + Send),
) -> Result<bool, StoreError> {
    // Where a connection breaks, the next goes on behind what was handed over.
    let last = AtomicU64::new(after.get());
    let mut has_enough = false;
    let statement = || {
        sqlx::query(include_str!("../sql/read_stream.sql"))
            .bind(stream.category())
            .bind(stream.key())
            .bind(saturate(last.load(Ordering::Relaxed)))
            .bind(saturate(limit))
    };
    let begin = || (EventRows::of(stream.clone()), 0);
    let read = connections.read("replaying a stream", statement, begin, |(rows, count), row| {
        if has_enough {
            return Ok(());
        }
        let event = rows::event(rows, row)?;
        *count += 1;
        last.store(event.version.get(), Ordering::Relaxed);
        has_enough = take(event).is_break();
        Ok(())
    });
    let (_, count) = read.await?;
    *after = Version::new(last.into_inner());
    Ok(has_enough || count < limit)
}

pub(crate) async fn find(
    store: &PostgresStore,
    id: EventId,
) -> Result<Option<RecordedEvent>, StoreError> {
    let events = store.connections().read(
        "looking for an event",
        || sqlx::query(include_str!("../sql/find_event.sql")).bind(id.as_uuid()),
        EventRows::of_any,
        rows::take,
    );
    Ok(events.await?.into_events().pop())
}

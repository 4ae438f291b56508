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

/// Hands over events as they arrive, while the server goes on with the next.
pub(crate) async fn replay(
    connections: &Connections,
    stream: &StreamId,
    after: Version,
    take: &mut (dyn FnMut(RecordedEvent) -> ControlFlow<()> + Send),
) -> Result<(), StoreError> {
    /// Most events of a statement: what it may take of time is bounded.
    const EVENTS: usize = 10_000;
    // Where a connection breaks, the next goes on behind what was handed over.
    let after = AtomicU64::new(after.get());
    let mut has_enough = false;
    loop {
        let statement = || {
            sqlx::query(include_str!("../sql/read_stream.sql"))
                .bind(stream.category())
                .bind(stream.key())
                .bind(saturate(after.load(Ordering::Relaxed)))
                .bind(saturate(EVENTS))
        };
        let begin = || (EventRows::of(stream.clone()), 0);
        let read =
            connections.read("replaying a stream", statement, begin, |(rows, count), row| {
                if has_enough {
                    return Ok(());
                }
                let event = rows::event(rows, row)?;
                *count += 1;
                after.store(event.version.get(), Ordering::Relaxed);
                has_enough = take(event).is_break();
                Ok(())
            });
        let (_, count) = read.await?;
        if has_enough || count < EVENTS {
            return Ok(());
        }
    }
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

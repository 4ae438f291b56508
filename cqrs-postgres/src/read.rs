//! Reading events of a stream, and by id.

use cqrs_core::{EventId, RecordedEvent, StoreError, StreamId, Version};

use crate::connections::Connections;
use crate::rows::{events, events_of, saturate};
use crate::store::PostgresStore;

pub(crate) async fn stream(
    connections: &Connections,
    stream: &StreamId,
    after: Version,
    limit: usize,
) -> Result<Vec<RecordedEvent>, StoreError> {
    let rows = connections.fetch("reading a stream", || {
        sqlx::query(include_str!("../sql/read_stream.sql"))
            .bind(stream.category())
            .bind(stream.key())
            .bind(saturate(after.get()))
            .bind(saturate(limit))
    });
    events_of(stream, &rows.await?)
}

pub(crate) async fn find(
    store: &PostgresStore,
    id: EventId,
) -> Result<Option<RecordedEvent>, StoreError> {
    let rows = store.connections().fetch("looking for an event", || {
        sqlx::query(include_str!("../sql/find_event.sql")).bind(id.as_uuid())
    });
    Ok(events(&rows.await?)?.pop())
}

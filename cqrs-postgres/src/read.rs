//! Reading events of a stream, and by id.

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

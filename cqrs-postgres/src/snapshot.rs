//! Snapshots, and the events that go with them.

use cqrs_core::{RecordedEvent, Snapshot, StoreError, StoreErrorKind, StreamId};

use crate::error::store_error;
use crate::rows::{events_of, is_snapshot, saturate, snapshot_parts};
use crate::store::PostgresStore;

pub(crate) async fn read(
    store: &PostgresStore,
    stream: &StreamId,
    fingerprint: u64,
    limit: usize,
) -> Result<(Option<Snapshot>, Vec<RecordedEvent>), StoreError> {
    let rows = store.connections().fetch("reading a snapshot", || {
        sqlx::query(include_str!("../sql/read_from_snapshot.sql"))
            .bind(stream.category())
            .bind(stream.key())
            .bind(fingerprint.cast_signed())
            .bind(saturate(limit))
    });
    let mut rows = rows.await?;
    // SQL leaves the order of the two halves open; that of the events within theirs holds.
    let snapshot = match rows.iter().position(is_snapshot) {
        None => None,
        Some(at) => {
            let row = rows.remove(at);
            let (version, event_id, state) = snapshot_parts(&row).map_err(|error| {
                store_error(&format!("reading the snapshot of stream `{stream}`"), error)
            })?;
            Some(Snapshot { version, event_id, fingerprint, state })
        }
    };
    Ok((snapshot, events_of(stream, &rows)?))
}

pub(crate) async fn save(
    store: &PostgresStore,
    stream: &StreamId,
    snapshot: &Snapshot,
) -> Result<(), StoreError> {
    let version = i64::try_from(snapshot.version.get()).map_err(|error| {
        let context = format!("a snapshot of stream `{stream}` at version {}", snapshot.version);
        StoreError::new(StoreErrorKind::InvalidInput, context).caused_by(error)
    })?;
    let saved = store.connections().fetch("saving a snapshot", || {
        sqlx::query(include_str!("../sql/save_snapshot.sql"))
            .bind(stream.category())
            .bind(stream.key())
            .bind(version)
            .bind(snapshot.event_id.as_uuid())
            .bind(snapshot.fingerprint.cast_signed())
            .bind(snapshot.state.as_str())
    });
    saved.await.map(drop)
}

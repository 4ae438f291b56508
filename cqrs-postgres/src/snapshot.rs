//! Snapshots, and the events that go with them.

use cqrs_core::{EventRows, RecordedEvent, Snapshot, StoreError, StoreErrorKind, StreamId};
use sqlx::postgres::PgRow;

use crate::error::store_error;
use crate::rows::{self, is_snapshot, saturate, snapshot_parts};
use crate::store::PostgresStore;

pub(crate) async fn read(
    store: &PostgresStore,
    stream: &StreamId,
    fingerprint: u64,
    limit: usize,
) -> Result<(Option<Snapshot>, Vec<RecordedEvent>), StoreError> {
    let statement = || {
        sqlx::query(include_str!("../sql/read_from_snapshot.sql"))
            .bind(stream.category())
            .bind(stream.key())
            .bind(fingerprint.cast_signed())
            .bind(saturate(limit))
    };
    // SQL leaves the order of the two halves open; that of the events within theirs holds.
    let take = |(snapshot, events): &mut (Option<Snapshot>, EventRows), row: &PgRow| {
        if !is_snapshot(row) {
            return rows::take(events, row);
        }
        let (version, event_id, state) = snapshot_parts(row).map_err(|error| {
            store_error(&format!("reading the snapshot of stream `{stream}`"), error)
        })?;
        *snapshot = Some(Snapshot { version, event_id, fingerprint, state });
        Ok(())
    };
    let begin = || (None, EventRows::of(stream.clone()));
    let read = store.connections().read("reading a snapshot", statement, begin, take);
    let (snapshot, events) = read.await?;
    Ok((snapshot, events.into_events()))
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

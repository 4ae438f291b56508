//! Snapshots: the latest state of a stream and the events after it.

use cqrs_core::{
    BoxError, EventId, EventRows, Payload, RecordedEvent, Snapshot, StoreError, StoreErrorKind,
    StreamId, Version,
};
use futures_util::TryStreamExt as _;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Row, query};

use crate::rows::column;
use crate::{error, rows};

pub(crate) async fn read_from_snapshot(
    readers: &SqlitePool,
    stream: &StreamId,
    fingerprint: u64,
    limit: usize,
) -> Result<(Option<Snapshot>, Vec<RecordedEvent>), StoreError> {
    let mut found = query(include_str!("../sql/read_from_snapshot.sql"))
        .bind(stream.category())
        .bind(stream.key())
        .bind(fingerprint.cast_signed())
        .bind(rows::limit(limit))
        .fetch(readers);
    let failed = |failed| error::failed(&format!("reading stream `{stream}`"), failed);
    let mut snapshot = None;
    let mut events = EventRows::of(stream.clone());
    while let Some(row) = found.try_next().await.map_err(failed)? {
        // Only the row of the snapshot has no event.
        if let Ok(None) = row.try_get::<Option<&str>, _>(column::EVENT) {
            snapshot = Some(decode(&row, fingerprint).map_err(|why| not_a_snapshot(stream, why))?);
        } else {
            rows::take(&mut events, &row)?;
        }
    }
    Ok((snapshot, events.into_events()))
}

pub(crate) async fn save_snapshot(
    writer: &SqlitePool,
    stream: &StreamId,
    snapshot: &Snapshot,
) -> Result<(), StoreError> {
    query(include_str!("../sql/save_snapshot.sql"))
        .bind(stream.category())
        .bind(stream.key())
        .bind(rows::integer(snapshot.version.get()))
        .bind(snapshot.event_id.to_string())
        .bind(snapshot.fingerprint.cast_signed())
        .bind(snapshot.state.as_str())
        .execute(writer)
        .await
        .map(drop)
        .map_err(|failed| error::failed(&format!("saving a snapshot of stream `{stream}`"), failed))
}

fn decode(row: &SqliteRow, fingerprint: u64) -> Result<Snapshot, BoxError> {
    Ok(Snapshot {
        version: Version::new(u64::try_from(row.try_get::<i64, _>(column::VERSION)?)?),
        event_id: EventId::from(rows::uuid(row, column::EVENT_ID)?),
        fingerprint,
        state: Payload::from_stored(row.try_get::<&str, _>(column::PAYLOAD)?),
    })
}

fn not_a_snapshot(stream: &StreamId, why: BoxError) -> StoreError {
    StoreError::new(
        StoreErrorKind::Corrupt,
        format!(
            "the row of table cqrs_snapshots for stream `{stream}` is not a snapshot; delete it"
        ),
    )
    .caused_by(why)
}

//! Reading events: of a stream, of the log, by id.

use std::sync::Arc;

use cqrs_core::{
    EventId, LogFilter, LogPage, Position, RecordedEvent, StoreError, StreamId, Version,
};
use sqlx::postgres::PgRow;

use crate::error::store_error;
use crate::rows::{events, events_of, saturate};
use crate::store::PostgresStore;
use crate::visibility::{Bound, END_AND_FENCE};

pub(crate) async fn stream(
    store: &PostgresStore,
    stream: &StreamId,
    after: Version,
    limit: usize,
) -> Result<Vec<RecordedEvent>, StoreError> {
    let rows = store.connections().fetch("reading a stream", || {
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

pub(crate) async fn log(
    store: &PostgresStore,
    filter: &LogFilter,
    after: Position,
    limit: usize,
) -> Result<LogPage, StoreError> {
    if limit == 0 {
        return Ok(LogPage { events: Vec::new(), through: after });
    }
    // While a reader catches up, what is known of the log saves it asking anew for each page.
    let known = store.complete_through();
    let mut found =
        if known > after { between(store, filter, after, known, limit).await? } else { Vec::new() };
    let mut through = known.max(after);
    if found.len() < limit {
        let end = ask_bound(store).await?;
        if end > through {
            found.extend(between(store, filter, through, end, limit - found.len()).await?);
            through = end;
        }
    }
    if let (true, Some(last)) = (found.len() == limit, found.last()) {
        through = last.position;
    }
    Ok(LogPage { events: found, through })
}

/// How far the log is complete now.
async fn ask_bound(store: &PostgresStore) -> Result<Position, StoreError> {
    let doing = "reading the log";
    let on_primary = |rows: &[PgRow]| Bound::of(rows).is_ok_and(|bound| bound.on_primary);
    let rows = store.connections().fetch_where(doing, || sqlx::raw_sql(END_AND_FENCE), on_primary);
    let bound = Bound::of(&rows.await?).map_err(|error| store_error(doing, error))?;
    store.is_complete_through(bound.position);
    if bound.unsettled {
        store.hints().unsettled();
    }
    Ok(bound.position)
}

/// Events of a part of the log that is known to be complete.
async fn between(
    store: &PostgresStore,
    filter: &LogFilter,
    after: Position,
    through: Position,
    limit: usize,
) -> Result<Vec<RecordedEvent>, StoreError> {
    let rows = store.connections().fetch("reading the log", || {
        sqlx::query(include_str!("../sql/read_log.sql"))
            .bind(saturate(after.get()))
            .bind(saturate(through.get()))
            .bind(saturate(limit))
            .bind(names(filter.categories()))
            .bind(names(filter.event_types()))
    });
    events(&rows.await?)
}

/// Names to choose from, or null where everything is wanted.
fn names(wanted: &[Arc<str>]) -> Option<Vec<String>> {
    (!wanted.is_empty()).then(|| wanted.iter().map(ToString::to_string).collect())
}

//! Reading the log: pages of what a filter wants, bounded in events and bytes.

use cqrs_core::limits::{FULL_PAGE_BYTES, MAX_PAGE_BYTES};
use cqrs_core::{
    EventRows, Head, LogFilter, LogPage, Position, RecordedEvent, StoreError, StoreErrorKind,
};
use sqlx::sqlite::SqlitePool;
use sqlx::{query, query_scalar};

use crate::{error, rows};

/// Most events of a page, whatever the limit: they take memory beside their payloads.
const LARGEST_PAGE: usize = 10_000;

/// How much of the log is looked through for each event that may come, before the index over kinds is asked. Along the
/// log, an event that is not wanted costs a small part of one that is; by the index, one that is wanted costs more.
const LOOKED_THROUGH: u64 = 8;

pub(crate) async fn page(
    readers: &SqlitePool,
    filter: &LogFilter,
    after: Position,
    limit: usize,
) -> Result<LogPage, StoreError> {
    let mut page = Page {
        readers,
        categories: rows::names_to_json(filter.categories())?,
        event_types: rows::names_to_json(filter.event_types())?,
        limit: limit.min(LARGEST_PAGE),
        events: Vec::new(),
        bytes: 0,
        through: after,
    };
    if filter.is_all() {
        page.take(include_str!("../sql/read_log.sql"), Position::new(u64::MAX)).await?;
        page.through = page.events.last().map_or(after, |event| event.position);
    } else if !page.is_full() {
        // Where the log ends is asked first: what is appended meanwhile is behind it, read or not.
        let end = end(readers).await?;
        let near = after.get().saturating_add(LOOKED_THROUGH * page.limit as u64);
        page.take(include_str!("../sql/read_log.sql"), Position::new(near).min(end)).await?;
        page.take(include_str!("../sql/read_log_by_kind.sql"), end).await?;
    }
    Ok(LogPage { events: page.events, through: page.through })
}

/// Where the log ends.
pub(crate) async fn head(readers: &SqlitePool) -> Result<Head, StoreError> {
    Ok(Head::decided(end(readers).await?))
}

async fn end(readers: &SqlitePool) -> Result<Position, StoreError> {
    let end: Option<i64> = query_scalar(include_str!("../sql/end_of_log.sql"))
        .fetch_one(readers)
        .await
        .map_err(|failed| error::failed("looking for the end of the log", failed))?;
    Ok(Position::new(end.unwrap_or_default().cast_unsigned()))
}

/// A page while it is read.
struct Page<'a> {
    readers: &'a SqlitePool,
    categories: Option<String>,
    event_types: Option<String>,
    limit: usize,
    events: Vec<RecordedEvent>,
    /// Bytes of their payloads.
    bytes: usize,
    /// Up to here the page has all that is wanted.
    through: Position,
}

impl Page<'_> {
    fn is_full(&self) -> bool {
        self.events.len() >= self.limit || self.bytes >= FULL_PAGE_BYTES
    }

    /// Goes on up to this position with what a statement finds.
    async fn take(&mut self, statement: &'static str, end: Position) -> Result<(), StoreError> {
        if self.is_full() || self.through >= end {
            return Ok(());
        }
        let limit = self.limit - self.events.len();
        // As long as no payload has more than its share, all of them come at once.
        let share = (MAX_PAGE_BYTES - self.bytes) / limit;
        let found = query(statement)
            .bind(rows::integer(self.through.get()))
            .bind(rows::integer(end.get()))
            .bind(rows::limit(limit))
            .bind(&self.categories)
            .bind(&self.event_types)
            .bind(rows::limit(share))
            .fetch(self.readers);
        let mut events = EventRows::of_any().room(FULL_PAGE_BYTES - self.bytes);
        rows::take_all(&mut events, found, |failed| self.failed(failed)).await?;
        self.fill(&mut events).await?;
        let ends_here = events.is_cut() || events.len() == limit;
        for event in events.into_events() {
            self.bytes += event.payload.len();
            self.events.push(event);
        }
        self.through = match self.events.last() {
            Some(last) if ends_here => last.position,
            _ => end,
        };
        Ok(())
    }

    /// Reads the payloads that the statement left out.
    async fn fill(&self, events: &mut EventRows) -> Result<(), StoreError> {
        let positions: Vec<i64> =
            events.without_payload().map(|position| rows::integer(position.get())).collect();
        if positions.is_empty() {
            return Ok(());
        }
        let found = query(include_str!("../sql/read_payloads.sql"))
            .bind(rows::positions_to_json(&positions)?)
            .fetch_all(self.readers)
            .await
            .map_err(|failed| self.failed(failed))?;
        let payloads = found.iter().map(rows::payload).collect::<Result<_, _>>();
        let payloads = payloads.map_err(|failed| self.failed(failed))?;
        events.fill(payloads).map_err(|why| {
            let context = format!("reading the log after {}", self.through);
            StoreError::new(StoreErrorKind::Corrupt, context).caused_by(why)
        })
    }

    fn failed(&self, failed: sqlx::Error) -> StoreError {
        error::failed(&format!("reading the log after {}", self.through), failed)
    }
}

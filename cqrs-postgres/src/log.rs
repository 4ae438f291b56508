//! Reading the log: pages of what a filter wants, bounded in events and bytes.

use std::sync::Arc;

use cqrs_core::limits::{FULL_PAGE_BYTES, MAX_PAGE_BYTES};
use cqrs_core::{
    EventRows, Head, LogFilter, LogPage, Position, RecordedEvent, StoreError, StoreErrorKind,
};
use sqlx::postgres::PgRow;

use crate::error::store_error;
use crate::rows::{self, saturate};
use crate::store::PostgresStore;
use crate::visibility::{Bound, END_AND_FENCE, END_AND_HOLDERS, Ends};

const DOING: &str = "reading the log";

/// Most events of a page, whatever the limit: they take memory beside their payloads.
const LARGEST_PAGE: usize = 10_000;

/// How much of the log is looked through for each event that may come, before the index over kinds is asked. Along the
/// log, an event that is not wanted costs about a twentieth of one that is; by the index, one that is wanted costs
/// twice as much.
const LOOKED_THROUGH: u64 = 8;

pub(crate) async fn page(
    store: &PostgresStore,
    filter: &LogFilter,
    after: Position,
    limit: usize,
) -> Result<LogPage, StoreError> {
    let mut page = Page {
        store,
        filter,
        limit: limit.min(LARGEST_PAGE),
        events: Vec::new(),
        bytes: 0,
        through: after,
    };
    // While a reader catches up, what is known of the log saves it asking anew for each page.
    page.read(store.complete_through()).await?;
    if !page.is_full() {
        let end = ask_bound(store).await?;
        page.read(end).await?;
    }
    Ok(LogPage { events: page.events, through: page.through })
}

/// Where the log ends now, and whom readers wait for.
pub(crate) async fn head(store: &PostgresStore) -> Result<Head, StoreError> {
    let doing = "looking at the end of the log";
    let on_primary = |rows: &[PgRow]| Ends::of(rows).is_ok_and(|ends| ends.on_primary);
    let rows =
        store.connections().fetch_where(doing, || sqlx::raw_sql(END_AND_HOLDERS), on_primary);
    Ok(Ends::of(&rows.await?).map_err(|error| store_error(doing, error))?.head)
}

/// How far the log is complete now.
async fn ask_bound(store: &PostgresStore) -> Result<Position, StoreError> {
    let on_primary = |rows: &[PgRow]| Bound::of(rows).is_ok_and(|bound| bound.on_primary);
    let rows = store.connections().fetch_where(DOING, || sqlx::raw_sql(END_AND_FENCE), on_primary);
    let bound = Bound::of(&rows.await?).map_err(|error| store_error(DOING, error))?;
    store.is_complete_through(bound.position);
    if bound.unsettled {
        store.hints().unsettled();
    }
    Ok(bound.position)
}

/// A page while it is read.
struct Page<'a> {
    store: &'a PostgresStore,
    filter: &'a LogFilter,
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

    /// Goes on up to this position, in a part of the log that is known to be complete.
    async fn read(&mut self, end: Position) -> Result<(), StoreError> {
        if !self.is_full() && !self.filter.is_all() {
            let positions = LOOKED_THROUGH * (self.limit - self.events.len()) as u64;
            let near = Position::new(self.through.get().saturating_add(positions)).min(end);
            self.take(include_str!("../sql/read_log.sql"), near).await?;
            self.take(include_str!("../sql/read_log_by_kind.sql"), end).await
        } else {
            self.take(include_str!("../sql/read_log.sql"), end).await
        }
    }

    /// Goes on up to this position with what a statement finds.
    async fn take(&mut self, statement: &'static str, end: Position) -> Result<(), StoreError> {
        if self.is_full() || self.through >= end {
            return Ok(());
        }
        let limit = self.limit - self.events.len();
        // As long as no payload has more than its share, all of them come at once.
        let share = (MAX_PAGE_BYTES - self.bytes) / limit;
        let statement = || {
            sqlx::query(statement)
                .bind(saturate(self.through.get()))
                .bind(saturate(end.get()))
                .bind(saturate(limit))
                .bind(names(self.filter.categories()))
                .bind(names(self.filter.event_types()))
                .bind(saturate(share))
        };
        let begin = || EventRows::of_any().room(FULL_PAGE_BYTES - self.bytes);
        let connections = self.store.connections();
        let mut events = connections.read(DOING, statement, begin, rows::take).await?;
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
        let positions: Vec<i64> = events.without_payload().map(|at| saturate(at.get())).collect();
        if positions.is_empty() {
            return Ok(());
        }
        let found = self.store.connections().fetch(DOING, || {
            sqlx::query(include_str!("../sql/read_payloads.sql")).bind(&positions)
        });
        let found = found.await?;
        let payloads = found.iter().map(rows::payload).collect::<Result<_, _>>();
        let payloads = payloads.map_err(|error| store_error(DOING, error))?;
        events
            .fill(payloads)
            .map_err(|why| StoreError::new(StoreErrorKind::Corrupt, DOING).caused_by(why))
    }
}

/// Names to choose from, or null where everything is wanted.
fn names(wanted: &[Arc<str>]) -> Option<Vec<String>> {
    (!wanted.is_empty()).then(|| wanted.iter().map(ToString::to_string).collect())
}

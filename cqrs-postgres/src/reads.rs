//! Reads of streams that arrive while others are under way, in one statement.

use async_trait::async_trait;
use cqrs_core::limits::FULL_PAGE_BYTES;
use cqrs_core::{
    EventRows, GatherLimits, Group, Pending, RecordedEvent, StoreError, StoreErrorKind, StreamId,
    Version,
};
use futures_util::future::join_all;
use sqlx::postgres::PgRow;

use crate::connections::Connections;
use crate::error::store_error;
use crate::read;
use crate::rows::{self, saturate};

/// How much is read at once. A stream counts as one event, because most that are read for a command are short.
pub(crate) const LIMITS: GatherLimits =
    GatherLimits { in_flight: 2, events: 256, bytes: usize::MAX, waiting: 10_000 };

/// So many events of a stream are read together with others; the rest of a longer one by itself.
pub(crate) const EACH: usize = 32;

/// What reads the streams of a store.
pub(crate) struct Reads(pub(crate) Connections);

/// Up to so many events of a stream after a version.
#[derive(Clone)]
pub(crate) struct Read {
    pub(crate) stream: StreamId,
    pub(crate) after: Version,
    pub(crate) limit: usize,
}

#[async_trait]
impl Group for Reads {
    type Job = Read;
    type Answer = Result<Vec<RecordedEvent>, StoreError>;

    fn size(_: &Read) -> (usize, usize) {
        (1, 0)
    }

    fn stream(_: &Read) -> Option<&StreamId> {
        None
    }

    fn ended(Read { stream, .. }: &Read) -> Self::Answer {
        let context = format!("reading stream `{stream}`: what was to read it has ended");
        Err(StoreError::new(StoreErrorKind::Unavailable, context))
    }

    async fn one(&self, Read { stream, after, limit }: &Read) -> Self::Answer {
        read::stream(&self.0, stream, *after, *limit).await
    }

    async fn many(&self, reads: Vec<Pending<Self>>) {
        if reads.len() == 1 {
            return self.alone(reads).await;
        }
        match self.together(&reads).await {
            Ok(pages) => {
                let mut longer = Vec::new();
                for (read, page) in reads.into_iter().zip(pages) {
                    match page {
                        Some(page) => read.finish(Ok(page)),
                        None => longer.push(read),
                    }
                }
                self.alone(longer).await;
            }
            // Each says so of itself.
            Err(_) => self.alone(reads).await,
        }
    }
}

impl Reads {
    /// Reads each by itself, without waiting for the others.
    async fn alone(&self, reads: Vec<Pending<Self>>) {
        let each = reads.into_iter().map(|pending| async move {
            let page = self.one(pending.job()).await;
            pending.finish(page);
        });
        join_all(each).await;
    }

    /// The events of each, in order; `None` where there may be more of them. All together are as large as a page.
    async fn together(
        &self,
        reads: &[Pending<Self>],
    ) -> Result<Vec<Option<Vec<RecordedEvent>>>, StoreError> {
        let categories: Vec<&str> = reads.iter().map(|read| read.job().stream.category()).collect();
        let keys: Vec<&str> = reads.iter().map(|read| read.job().stream.key()).collect();
        let after: Vec<i64> = reads.iter().map(|read| saturate(read.job().after.get())).collect();
        let statement = || {
            sqlx::query(include_str!("../sql/read_streams.sql"))
                .bind(&categories[..])
                .bind(&keys[..])
                .bind(&after[..])
                .bind(saturate(EACH))
        };
        let take = |(pages, room): &mut (Vec<EventRows>, usize), row: &PgRow| {
            // Rows come in the order of the reads.
            let number = number(row)?;
            for read in reads.iter().take(number).skip(pages.len()) {
                *room = room.saturating_sub(pages.last().map_or(0, EventRows::bytes));
                pages.push(EventRows::of(read.job().stream.clone()).room(*room));
            }
            pages.last_mut().map_or(Ok(()), |page| rows::take(page, row))
        };
        let begin = || (Vec::with_capacity(reads.len()), FULL_PAGE_BYTES);
        let (pages, _) = self.0.read("reading streams", statement, begin, take).await?;
        let mut pages = pages.into_iter();
        let page_of = |read: &Pending<Self>| {
            let Some(page) = pages.next() else { return Some(Vec::new()) };
            let limit = read.job().limit;
            let is_whole = !page.is_cut() && (page.len() < EACH || page.len() >= limit);
            is_whole.then(|| {
                let mut events = page.into_events();
                events.truncate(limit);
                events
            })
        };
        Ok(reads.iter().map(page_of).collect())
    }
}

/// The number of the read that a row belongs to, from 1.
fn number(row: &PgRow) -> Result<usize, StoreError> {
    let number = rows::number(row, 10).map_err(|error| store_error("reading streams", error))?;
    Ok(usize::try_from(number).unwrap_or(usize::MAX))
}

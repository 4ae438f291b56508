//! Reads of streams that arrive while others are under way, in one statement.

use async_trait::async_trait;
use cqrs_core::{
    GatherLimits, Group, Pending, RecordedEvent, StoreError, StoreErrorKind, StreamId, Version,
};
use futures_util::future::join_all;
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::connections::Connections;
use crate::read;
use crate::rows::{events_of, saturate};

/// How much is read at once. A stream counts as one event, because most that are read for a command are short.
pub(crate) const LIMITS: GatherLimits =
    GatherLimits { in_flight: 2, events: 256, bytes: usize::MAX, waiting: 10_000 };

/// So many events of a stream are read together with others; the rest of a longer one by itself.
const EACH: usize = 32;

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
                        Some(page) => read.finish(page),
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

    /// The events of each, in order; `None` where there may be more of them.
    async fn together(
        &self,
        reads: &[Pending<Self>],
    ) -> Result<Vec<Option<<Self as Group>::Answer>>, StoreError> {
        let categories: Vec<&str> = reads.iter().map(|read| read.job().stream.category()).collect();
        let keys: Vec<&str> = reads.iter().map(|read| read.job().stream.key()).collect();
        let after: Vec<i64> = reads.iter().map(|read| saturate(read.job().after.get())).collect();
        let rows = self.0.fetch("reading streams", || {
            sqlx::query(include_str!("../sql/read_streams.sql"))
                .bind(&categories[..])
                .bind(&keys[..])
                .bind(&after[..])
                .bind(saturate(EACH))
        });
        let rows = rows.await?;
        let mut rest = &rows[..];
        let mut pages = Vec::with_capacity(reads.len());
        for (number, read) in (1..).zip(reads) {
            let own = rest.iter().take_while(|row| is_of(row, number)).count();
            let (page, behind) = rest.split_at(own);
            rest = behind;
            let Read { stream, limit, .. } = read.job();
            let is_whole = own < EACH || own >= *limit;
            pages.push(is_whole.then(|| events_of(stream, &page[..own.min(*limit)])));
        }
        Ok(pages)
    }
}

/// Whether a row belongs to this read.
fn is_of(row: &PgRow, number: i64) -> bool {
    row.try_get(10).is_ok_and(|of: i64| of == number)
}

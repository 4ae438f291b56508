//! Reads the log ahead of the events being taken, in batches of the right size.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::consumer::Consumer;
use super::worker::{Interrupted, Worker};
use crate::store::{EventStore as _, LogPage, StoreError, StoreErrorKind};
use crate::version::Position;

/// The next page, which is being read while events are taken.
pub(super) struct Ahead {
    after: Position,
    page: JoinHandle<Result<LogPage, StoreError>>,
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.page.abort();
    }
}

impl<C: Consumer> Worker<C> {
    /// Reads what follows a position, and begins to read what follows that.
    pub(super) async fn read(&mut self, after: Position) -> Result<LogPage, Interrupted> {
        let page = match self.ahead.take() {
            Some(mut ahead) if ahead.after == after => {
                (&mut ahead.page).await.unwrap_or_else(|ended| {
                    let context = format!("reading the log for projection `{}`", self.id.name);
                    Err(StoreError::new(StoreErrorKind::Other, context).caused_by(ended))
                })
            }
            _ => self.store.read_log(&self.filter, after, self.batch).await,
        };
        let page = page.map_err(|error| self.failed(error))?;
        if !page.events.is_empty() {
            let (after, limit) = (page.through, self.batch);
            let (store, filter) = (self.store.clone(), self.filter.clone());
            let page = tokio::spawn(async move { store.read_log(&filter, after, limit).await });
            self.ahead = Some(Ahead { after, page });
        }
        Ok(page)
    }

    /// Adapts the size of batches to the time they take, and keeps to the rate of a build.
    pub(super) async fn pace(&mut self, events: usize, time: Duration) -> Result<(), Interrupted> {
        const SHORT: Duration = Duration::from_millis(50);
        const LONG: Duration = Duration::from_millis(200);
        if time > LONG {
            self.batch = (self.batch / 2).max(1);
        } else if time < SHORT && events >= self.batch {
            // The next page is on its way with the old size: in large steps, few are too small.
            self.batch = (self.batch * 4).min(self.options.batch);
        }
        match self.options.build_rate {
            Some(rate) if !self.in_service => {
                // A second's worth at once at most, so that the pauses are short.
                self.batch = self.batch.min(rate as usize).max(1);
                let worth = Duration::from_secs(events as u64) / rate;
                let until = Instant::now() + worth.saturating_sub(time);
                while Instant::now() < until {
                    self.rest(until - Instant::now(), false).await?;
                    if self.is_due() {
                        self.settle().await?;
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

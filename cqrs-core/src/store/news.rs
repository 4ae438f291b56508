//! Hints that events were appended, so that readers need not wait for their next look.
//!
//! A hint may be missing, late or in vain: what a reader relies on is reading. Hints only decide when it reads next.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// The side of a store that announces news.
#[derive(Debug, Clone)]
pub struct NewsBoard(watch::Sender<()>);

impl NewsBoard {
    /// A board without readers.
    pub fn new() -> Self {
        Self(watch::Sender::new(()))
    }

    /// Wakes all readers; costs next to nothing when there are none.
    pub fn announce(&self) {
        self.0.send_replace(());
    }

    /// News for a reader, who looks by itself at the latest after `interval`: as often as appends may go unannounced.
    pub fn news(&self, interval: Duration) -> News {
        self.news_paced(move || interval)
    }

    /// The same with an interval that is asked for at each wait: for stores that can't always hear of appends.
    pub fn news_paced(&self, interval: impl Fn() -> Duration + Send + Sync + 'static) -> News {
        News { announced: self.0.subscribe(), interval: Arc::new(interval), look_at: None }
    }
}

impl Default for NewsBoard {
    fn default() -> Self {
        Self::new()
    }
}

/// The side of a reader that waits for news. Made by [`EventStore::news`](super::EventStore::news).
#[derive(Clone)]
pub struct News {
    announced: watch::Receiver<()>,
    interval: Arc<dyn Fn() -> Duration + Send + Sync>,
    /// When to look without an announcement. It outlives calls that are dropped: a caller who drops them more often
    /// than the interval would put it off for ever.
    look_at: Option<Instant>,
}

impl News {
    /// Waits until there may be more to read than at the last call, or than when `self` was made.
    ///
    /// When the future is dropped, nothing is lost: the next call returns at once if there was news.
    ///
    /// # Panics
    /// Outside of a tokio runtime, and on one without a timer.
    pub async fn wait(&mut self) {
        /// As good as never, and clocks can count to it.
        const LONGEST: Duration = Duration::from_hours(365 * 24);
        let next = Instant::now() + (self.interval)().min(LONGEST);
        let look_at = self.look_at.map_or(next, |kept| kept.min(next));
        self.look_at = Some(look_at);
        let announced = tokio::time::timeout_at(look_at, self.announced.changed()).await;
        if let Ok(Err(_gone)) = announced {
            // Without the store nobody announces what others append.
            tokio::time::sleep_until(look_at).await;
        }
        self.look_at = None;
    }
}

impl fmt::Debug for News {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("News").field("look_at", &self.look_at).finish_non_exhaustive()
    }
}

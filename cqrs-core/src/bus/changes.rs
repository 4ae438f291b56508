//! Which streams have changed: the log followed once for all who watch answers of a bus.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::select;
use tokio::sync::{Mutex, broadcast};

use crate::event::{EventTypeName, RecordedEvent};
use crate::store::{EventStore as _, LogFilter, LogPage, News, Store, StoreError};
use crate::stream::StreamId;
use crate::version::Position;

/// An event that was appended, without its content.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) stream: StreamId,
    pub(super) event_type: EventTypeName,
    pub(super) position: Position,
}

/// Follows the log while somebody watches.
#[derive(Debug, Clone, Default)]
pub(super) struct Changes {
    /// To those who watch, while there are any.
    watched: Arc<Mutex<Option<Followed>>>,
}

/// The log as it is followed.
#[derive(Debug, Clone)]
struct Followed {
    sender: broadcast::Sender<Change>,
    /// Up to where changes may have been told; stored before they are.
    through: Arc<AtomicU64>,
}

/// How many changes somebody may be behind; who is further behind looks again at all that concerns him.
const BEHIND: usize = 1024;

/// Events read at once.
const PAGE: usize = 500;

/// The pause after the log could not be read.
const PAUSE: Duration = Duration::from_millis(200);

impl Changes {
    /// All changes behind a position, which is behind all that was visible when somebody began to watch; some at or
    /// before it may be told as well.
    pub(super) async fn watch(
        &self,
        store: &Arc<dyn Store>,
    ) -> Result<(broadcast::Receiver<Change>, Position), StoreError> {
        let mut watched = self.watched.lock().await;
        if let Some(followed) = &*watched {
            // In this order: what is not heard was told before, and the position was stored before that.
            let receiver = followed.sender.subscribe();
            let through = followed.through.load(Ordering::SeqCst);
            return Ok((receiver, Position::new(through)));
        }
        // Before the place is known: what is appended from here on is news.
        let news = store.news();
        let after = store.head().await?.visible;
        let (sender, receiver) = broadcast::channel(BEHIND);
        let followed = Followed { sender, through: Arc::new(AtomicU64::new(after.get())) };
        *watched = Some(followed.clone());
        tokio::spawn(self.clone().follow(store.clone(), news, after, followed));
        Ok((receiver, after))
    }

    async fn follow(
        self,
        store: Arc<dyn Store>,
        mut news: News,
        mut after: Position,
        Followed { sender, through: told }: Followed,
    ) {
        let all = LogFilter::all();
        loop {
            match store.read_log(&all, after, PAGE).await {
                Ok(LogPage { events, through }) => {
                    after = through;
                    told.store(through.get(), Ordering::SeqCst);
                    let is_end = events.is_empty();
                    for event in events {
                        let RecordedEvent { stream, event_type, position, .. } = event;
                        // Nobody may be there to hear it.
                        let _ = sender.send(Change { stream, event_type, position });
                    }
                    if is_end {
                        select(pin!(news.wait()), pin!(sender.closed())).await;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the log can't be followed; trying again");
                    tokio::time::sleep(PAUSE).await;
                }
            }
            if sender.receiver_count() == 0 {
                let mut watched = self.watched.lock().await;
                // Nobody can have come since, as that takes the lock.
                if sender.receiver_count() == 0 {
                    *watched = None;
                    return;
                }
            }
        }
    }
}

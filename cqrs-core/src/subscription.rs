//! Following the log, or one stream, from a place on and then live.

use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use futures_core::Stream;
use futures_util::stream;

use crate::event::{DecodeError, Decoded, Event, RecordedEvent};
use crate::store::{EventStore, LogFilter, News, StoreError};
use crate::stream::StreamId;
use crate::version::{Position, Version};

/// Events read at once, unless another number is asked for.
const PAGE: usize = 500;

/// Follows events from a place on: first those that are stored, then those that are appended, as they are.
///
/// Every committed event that is wanted comes exactly once, in order of position (G5, G6). Events are read when they are
/// asked for, so that a slow reader costs the memory of one page.
///
/// ```
/// # use cqrs_core::{LogFilter, MemoryStore, Position, Subscription};
/// # async fn follow(store: MemoryStore, seen: Position) -> Result<(), cqrs_core::StoreError> {
/// let mut accounts = Subscription::of_log(store, LogFilter::all().category("account")).after(seen);
/// loop {
///     let event = accounts.next().await?;
///     println!("{} {}", event.position, event.event_type);
/// }
/// # }
/// ```
pub struct Subscription {
    store: Arc<dyn EventStore>,
    news: News,
    place: Place,
    page: usize,
    read: VecDeque<RecordedEvent>,
}

/// Where a subscription stands: everything up to here was read.
#[derive(Debug)]
enum Place {
    Log { filter: LogFilter, after: Position },
    Stream { stream: StreamId, after: Version },
}

impl Subscription {
    /// Follows the events of the log that `filter` wants, from the first on.
    pub fn of_log(store: impl EventStore, filter: LogFilter) -> Self {
        Self::new(Arc::new(store), Place::Log { filter, after: Position::START })
    }

    /// Follows the events of one stream, from the first on.
    ///
    /// They come as soon as they are committed, also where the log waits for an append elsewhere that has drawn earlier
    /// positions.
    pub fn of_stream(store: impl EventStore, stream: StreamId) -> Self {
        Self::new(Arc::new(store), Place::Stream { stream, after: Version::NONE })
    }

    fn new(store: Arc<dyn EventStore>, place: Place) -> Self {
        // Before the first read: what is appended from here on is news.
        let news = store.news();
        Self { store, news, place, page: PAGE, read: VecDeque::new() }
    }

    /// Begins after this position. A subscription to one stream begins where it is told by
    /// [`after_version`](Self::after_version) instead.
    #[must_use]
    pub fn after(mut self, position: Position) -> Self {
        if let Place::Log { after, .. } = &mut self.place {
            *after = position;
        }
        self
    }

    /// Begins after this version of the one stream it follows; has no meaning for the log.
    #[must_use]
    pub fn after_version(mut self, version: Version) -> Self {
        if let Place::Stream { after, .. } = &mut self.place {
            *after = version;
        }
        self
    }

    /// Reads up to so many events at once: the most that is held in memory.
    #[must_use]
    pub fn page(mut self, events: usize) -> Self {
        self.page = events.max(1);
        self
    }

    /// The next event; waits until there is one.
    ///
    /// When the future is dropped, no event is lost: the next call goes on.
    ///
    /// # Errors
    /// When the store can't be read. The subscription stands where it stood: the next call tries again, at once, so a
    /// caller who goes on does well to pause.
    pub async fn next(&mut self) -> Result<RecordedEvent, StoreError> {
        loop {
            if let Some(event) = self.read.pop_front() {
                return Ok(event);
            }
            self.read = self.read().await?.into();
            if self.read.is_empty() {
                self.news.wait().await;
            }
        }
    }

    /// The same as a [`Stream`]; it never ends, and goes on after an error as [`next`](Self::next) does.
    pub fn into_stream(self) -> impl Stream<Item = Result<RecordedEvent, StoreError>> + Send {
        stream::unfold(self, |mut subscription| async move {
            let next = subscription.next().await;
            Some((next, subscription))
        })
    }

    /// The same with each event decoded. It should want only events of type `E`: see [`LogFilter::events_of`].
    pub fn typed<E: Event>(self) -> TypedSubscription<E> {
        TypedSubscription { subscription: self, unknown: Unknown::Refuse, events: PhantomData }
    }

    /// Reads what is there now and moves on behind it.
    async fn read(&mut self) -> Result<Vec<RecordedEvent>, StoreError> {
        match &mut self.place {
            Place::Log { filter, after } => {
                let page = self.store.read_log(filter, *after, self.page).await?;
                *after = page.through;
                Ok(page.events)
            }
            Place::Stream { stream, after } => {
                let events = self.store.read_stream(stream, *after, self.page).await?;
                *after = events.last().map_or(*after, |event| event.version);
                Ok(events)
            }
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Subscription")
            .field("place", &self.place)
            .field("read", &self.read.len())
            .finish_non_exhaustive()
    }
}

/// A [`Subscription`] that decodes events as `E`.
#[derive(Debug)]
pub struct TypedSubscription<E> {
    subscription: Subscription,
    unknown: Unknown,
    events: PhantomData<fn() -> E>,
}

/// What a [`TypedSubscription`] does with events of types it does not know. Those it knows and can't decode are always
/// errors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unknown {
    /// They are errors (G11).
    #[default]
    Refuse,
    /// They are passed over.
    Skip,
    /// They come as they are stored, with nothing decoded.
    Keep,
}

impl<E: Event> TypedSubscription<E> {
    /// What is to be done with events of types that `E` does not know.
    #[must_use]
    pub fn unknown(self, unknown: Unknown) -> Self {
        Self { unknown, ..self }
    }

    /// The next event, decoded, and as it is stored; waits until there is one. When the future is dropped, no event is
    /// lost.
    ///
    /// A stored event is one event to the program, as a rule; upcasters may have made several of it, or none.
    ///
    /// # Errors
    /// When the store can't be read: the next call tries again. When the event can't be decoded (G11): the next call
    /// goes on behind it.
    pub async fn next(&mut self) -> Result<(Decoded<E>, RecordedEvent), FollowError> {
        loop {
            let event = self.subscription.next().await?;
            match E::decode(&event) {
                Ok(decoded) => return Ok((decoded, event)),
                Err(error) if error.is_unknown_type() && self.unknown != Unknown::Refuse => {
                    if self.unknown == Unknown::Keep {
                        return Ok((Decoded::none(), event));
                    }
                }
                Err(error) => return Err(Box::new(error).into()),
            }
        }
    }

    /// The same as a [`Stream`]; it never ends, and goes on after an error as [`next`](Self::next) does.
    pub fn into_stream(
        self,
    ) -> impl Stream<Item = Result<(Decoded<E>, RecordedEvent), FollowError>> + Send {
        stream::unfold(self, |mut subscription| async move {
            let next = subscription.next().await;
            Some((next, subscription))
        })
    }
}

/// Why the next event of a [`TypedSubscription`] can't be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The event can't be decoded by this program (G11).
    #[error(transparent)]
    Decode(#[from] Box<DecodeError>),
}

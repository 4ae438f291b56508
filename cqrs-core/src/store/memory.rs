//! A store in memory: for tests, for small tools, and as the reference of what a store does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::{
    Append, AppendError, Appended, Conflict, EventStore, Head, LogFilter, LogPage, News, NewsBoard,
    Snapshot, SnapshotStore, StoreError,
};
use crate::clock::{Clock, SystemClock};
use crate::event::{EventId, NewEvent, RecordedEvent};
use crate::limits::FULL_PAGE_BYTES;
use crate::stream::StreamId;
use crate::version::{Position, Version};

/// Keeps events in memory, as long as one of its clones lives. Nothing is durable.
///
/// Clones share their content.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock>,
    board: NewsBoard,
}

#[derive(Debug, Default)]
struct State {
    /// All events; the one at position `p` is at index `p - 1`.
    log: Vec<RecordedEvent>,
    /// For each stream the indexes of its events; that of version `v` is at `v - 1`.
    streams: HashMap<StreamId, Vec<usize>>,
    /// The index of each event by its id.
    ids: HashMap<EventId, usize>,
    snapshots: HashMap<StreamId, Snapshot>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::with_clock(SystemClock)
    }

    /// An empty store that records events at the time this clock tells.
    pub fn with_clock(clock: impl Clock) -> Self {
        Self { state: Arc::default(), clock: Arc::new(clock), board: NewsBoard::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code below panics between two changes that belong together, so the state is whole even then.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl EventStore for MemoryStore {
    async fn append(&self, append: &Append) -> Result<Appended, AppendError> {
        let recorded_at = self.clock.now();
        let mut state = self.state();
        let (stream, expected, events) = (append.stream(), append.expected(), append.events());
        let actual = state.version_of(stream);
        if let Some(appended) = state.appended_before(stream, events) {
            return Ok(appended);
        }
        if !expected.is_met_by(actual) {
            return Err(Conflict { stream: stream.clone(), expected, actual }.into());
        }
        if let Some(event) = events.iter().find(|event| state.ids.contains_key(&event.id())) {
            return Err(StoreError::duplicate_event(stream, event.id()).into());
        }
        let version = actual.plus(events.len() as u64);
        for (event, number) in events.iter().zip(actual.get() + 1..) {
            let index = state.log.len();
            let position = Position::new(index as u64 + 1);
            state.ids.insert(event.id(), index);
            state.streams.entry(stream.clone()).or_default().push(index);
            let version = Version::new(number);
            state.log.push(RecordedEvent::new(
                event.clone(),
                stream.clone(),
                version,
                position,
                recorded_at,
            ));
        }
        self.board.announce();
        Ok(Appended { version, position: state.end(), replayed: false })
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let state = self.state();
        let indexes = state.streams.get(stream).map_or(&[][..], Vec::as_slice);
        let following = indexes.iter().skip(index(after.get())).take(limit);
        let mut bytes = 0;
        let events = following.map(|index| &state.log[*index]).take_while(|event| {
            let has_room = bytes < FULL_PAGE_BYTES;
            bytes += event.payload.len();
            has_room
        });
        Ok(events.cloned().collect())
    }

    async fn read_log(
        &self,
        filter: &LogFilter,
        after: Position,
        limit: usize,
    ) -> Result<LogPage, StoreError> {
        let state = self.state();
        let following = state.log.iter().skip(index(after.get()));
        let mut wanted = following.filter(|event| filter.matches(event));
        let (mut events, mut bytes) = (Vec::new(), 0);
        while events.len() < limit && bytes < FULL_PAGE_BYTES {
            let Some(event) = wanted.next() else {
                return Ok(LogPage { events, through: state.end().max(after) });
            };
            bytes += event.payload.len();
            events.push(event.clone());
        }
        let through = events.last().map_or(after, |event: &RecordedEvent| event.position);
        Ok(LogPage { events, through })
    }

    async fn head(&self) -> Result<Head, StoreError> {
        Ok(Head::decided(self.state().end()))
    }

    async fn find(&self, id: EventId) -> Result<Option<RecordedEvent>, StoreError> {
        let state = self.state();
        Ok(state.ids.get(&id).map(|index| state.log[*index].clone()))
    }

    fn news(&self) -> News {
        // Every append is announced.
        self.board.news(Duration::MAX)
    }
}

#[async_trait]
impl SnapshotStore for MemoryStore {
    async fn read_from_snapshot(
        &self,
        stream: &StreamId,
        fingerprint: u64,
        limit: usize,
    ) -> Result<(Option<Snapshot>, Vec<RecordedEvent>), StoreError> {
        let snapshot = self.state().snapshots.get(stream).cloned();
        let snapshot = snapshot.filter(|kept| kept.fingerprint == fingerprint);
        let after = snapshot.as_ref().map_or(Version::NONE, |kept| kept.version.previous());
        Ok((snapshot, self.read_stream(stream, after, limit).await?))
    }

    async fn save_snapshot(&self, stream: &StreamId, snapshot: Snapshot) -> Result<(), StoreError> {
        let mut state = self.state();
        let is_newer = |kept: &Snapshot| {
            kept.fingerprint == snapshot.fingerprint && kept.version > snapshot.version
        };
        if !state.snapshots.get(stream).is_some_and(is_newer) {
            state.snapshots.insert(stream.clone(), snapshot);
        }
        Ok(())
    }
}

impl State {
    fn version_of(&self, stream: &StreamId) -> Version {
        Version::new(self.streams.get(stream).map_or(0, Vec::len) as u64)
    }

    fn end(&self) -> Position {
        Position::new(self.log.len() as u64)
    }

    /// The outcome of the append that stored these very events, if there was one.
    fn appended_before(&self, stream: &StreamId, events: &[NewEvent]) -> Option<Appended> {
        let first = *self.ids.get(&events.first()?.id())?;
        let first = self.log.get(first).filter(|stored| stored.stream == *stream)?;
        let indexes = self.streams.get(stream)?;
        let stored = indexes.get(index(first.version.previous().get())..)?.get(..events.len())?;
        let same = |(at, event): (&usize, &NewEvent)| self.log[*at].id == event.id();
        if !stored.iter().zip(events).all(same) {
            return None;
        }
        let last = &self.log[*stored.last()?];
        Some(Appended { version: last.version, position: last.position, replayed: true })
    }
}

/// A number of events as an index; more than fit into memory are beyond the end of any list.
fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

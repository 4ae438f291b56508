//! A store in memory with one flaw: how it reads.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use async_trait::async_trait;
use cqrs_core::{
    Append, AppendError, Appended, EventId, EventStore, Head, LogFilter, LogPage, MemoryStore,
    News, NewsBoard, Payload, Position, RecordedEvent, Snapshot, SnapshotStore, Store, StoreError,
    StoreErrorKind, StreamId, Version,
};
use cqrs_testkit::conformance::Fixture;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Flaw {
    StoresNothing,
    AppendsOneByOne,
    IgnoresExpected,
    ChecksThenInserts,
    AnyIsExact,
    ConflictsTellNoVersion,
    CutsExpectedTo32Bits,
    ConflictsKeepIds,
    ConflictsFailNeighbours,
    HandlesHaveTheirOwnEvents,
    RefusesReplays,
    ReplaysTellTheLatest,
    ReplaysNeedTheSameContent,
    ReplaysByFirstId,
    ReplaysAreCheckedThenInserted,
    IdsAreCheckedThenInserted,
    RefusesManyEvents,
    RefusesLargeAppends,
    LeaksConnectionsWhenDropped,
    FailsNeighboursWhenDropped,
    StreamPagesAreShort,
    StreamPagesKnowNoBytes,
    LargeEventsEndStreamPages,
    StreamPagesRepeat,
    LargeNumbersAreNegative,
    LogSkipsAfterFullPages,
    ThroughIsTheEnd,
    ThroughGoesBack,
    ThroughOvershoots,
    ThroughHasNoEnd,
    PagesKnowNoBytes,
    LargeEventsEndPages,
    HeadIsBehind,
    LogIsByStream,
    FiltersAreIgnored,
    FiltersTakePrefixes,
    FiltersTakeTheFirstName,
    FiltersTakeEither,
    FiltersHaveNoCase,
    FiltersArePatterns,
    FiltersAreLists,
    EmptyNamesTakeAll,
    LimitsComeBeforeFilters,
    FiltersLookNear,
    ThroughStaysWithWanted,
    ThroughOvershootsFilters,
    NewsIsNeverAnnounced,
    NewsIsForTheLatest,
    NewsComesOnce,
    NewsStaysInItsHandle,
    NewsIsTooEarly,
    FindsNothing,
    FindsWithoutPayload,
    KeysHaveNoCase,
    KeysAreTrimmed,
    KeysArePatterns,
    KeysAreCut,
    CategoriesRunIntoKeys,
    PayloadsAreRewritten,
    PayloadsAreCut,
    TypesAreTrimmed,
    EmptyTextsAreNone,
    TenantsAreLost,
    MetadataIsCut,
    CausationsAreLost,
    SchemaVersionsHave16Bits,
    TimesAreZero,
    SnapshotsAreLost,
    TailsBeginAfterTheSnapshot,
    NoSnapshotNoEvents,
    ShapesHave32Bits,
    OlderSnapshotsReplace,
    OlderSnapshotsNeverReplace,
    SnapshotsAreCheckedThenSaved,
    SnapshotsBeyondTheEndAreHidden,
    SnapshotsAreRewritten,
    SnapshotKeysHaveNoCase,
}

#[derive(Debug, Clone)]
pub(super) struct Flawed {
    pub(super) flaw: Flaw,
    pub(super) inner: MemoryStore,
    pub(super) connections: Arc<AtomicU64>,
    pub(super) arrivals: Arc<AtomicU64>,
    pub(super) failures: Arc<AtomicU64>,
    pub(super) burnt: Arc<Mutex<HashSet<EventId>>>,
    /// The version of the latest snapshot of each stream, whatever its shape.
    pub(super) latest: Arc<Mutex<HashMap<StreamId, Version>>>,
    /// What is read where streams are taken for one another.
    pub(super) streams: Arc<Mutex<HashMap<EventId, StreamId>>>,
    /// Where news is announced in the wrong way: all handles share these boards, and each has one of its own.
    pub(super) boards: Arc<Mutex<Vec<NewsBoard>>>,
    pub(super) own_board: NewsBoard,
}

impl Flawed {
    pub(super) fn fixture(flaw: Flaw) -> FlawedFixture {
        FlawedFixture(Self {
            flaw,
            inner: MemoryStore::new(),
            connections: Arc::default(),
            arrivals: Arc::default(),
            failures: Arc::default(),
            burnt: Arc::default(),
            latest: Arc::default(),
            streams: Arc::default(),
            boards: Arc::new(Mutex::new(vec![NewsBoard::new()])),
            own_board: NewsBoard::new(),
        })
    }

    /// The stream that is used for `stream`.
    pub(super) fn stream(&self, stream: &StreamId) -> StreamId {
        let (category, key) = (stream.category(), stream.key());
        let key = match self.flaw {
            Flaw::KeysHaveNoCase => key.to_lowercase(),
            Flaw::KeysAreTrimmed => key.trim_end_matches(' ').to_owned(),
            Flaw::KeysAreCut => key.chars().take(255).collect(),
            Flaw::CategoriesRunIntoKeys => {
                return StreamId::new("all", &format!("{category}{key}")).unwrap();
            }
            _ => return stream.clone(),
        };
        StreamId::new(category, &key).unwrap()
    }

    /// What is read where `event` was stored.
    fn event(&self, mut event: RecordedEvent) -> RecordedEvent {
        let details = &mut Arc::make_mut(&mut event.metadata).details;
        match self.flaw {
            Flaw::PayloadsAreRewritten => event.payload = rewritten(&event.payload),
            Flaw::PayloadsAreCut => {
                let text: String = event.payload.as_str().chars().take(65_535).collect();
                event.payload = Payload::from_stored(text);
            }
            Flaw::TypesAreTrimmed => {
                event.event_type = event.event_type.trim_end().to_owned().into();
            }
            Flaw::EmptyTextsAreNone => {
                details.actor = details.actor.take().filter(|actor| !actor.is_empty());
            }
            Flaw::TenantsAreLost => details.tenant = None,
            Flaw::MetadataIsCut => {
                let cut = |actor: String| actor.chars().take(4_000).collect();
                details.actor = details.actor.take().map(cut);
            }
            Flaw::CausationsAreLost => {
                let metadata = Arc::make_mut(&mut event.metadata);
                metadata.causation_id = metadata.correlation_id;
            }
            Flaw::SchemaVersionsHave16Bits => event.schema_version &= 0xffff,
            Flaw::TimesAreZero => event.recorded_at = SystemTime::UNIX_EPOCH,
            _ => {}
        }
        let streams = self.streams.lock().unwrap();
        if let Some(stream) = streams.get(&event.id) {
            event.stream = stream.clone();
        }
        event
    }

    fn number(&self, number: u64) -> u64 {
        match self.flaw {
            Flaw::LargeNumbersAreNegative if number > i64::MAX.unsigned_abs() => 0,
            _ => number,
        }
    }
}

fn rewritten(payload: &Payload) -> Payload {
    Payload::of(&payload.parse::<serde_json::Value>().unwrap()).unwrap()
}

/// Gives out handles that share their events, unless that is the flaw.
pub(super) struct FlawedFixture(Flawed);

#[async_trait]
impl Fixture for FlawedFixture {
    async fn open(&self) -> Arc<dyn Store> {
        let mut store = Flawed { own_board: NewsBoard::new(), ..self.0.clone() };
        if store.flaw == Flaw::HandlesHaveTheirOwnEvents {
            store.inner = MemoryStore::new();
        }
        Arc::new(store)
    }
}

#[async_trait]
impl EventStore for Flawed {
    async fn append(&self, append: &Append) -> Result<Appended, AppendError> {
        self.announce_early().await;
        let appended = self.flawed_append(append).await?;
        self.announce();
        Ok(appended)
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        self.begin().await?;
        let after = Version::new(self.number(after.get()));
        let events = match self.flaw {
            Flaw::StreamPagesAreShort if limit > 1 => {
                self.inner.read_stream(stream, after, limit - 1).await?
            }
            Flaw::StreamPagesKnowNoBytes => {
                let mut events: Vec<RecordedEvent> = Vec::new();
                while events.len() < limit {
                    let after = events.last().map_or(after, |event| event.version);
                    let next = self.inner.read_stream(stream, after, limit - events.len()).await?;
                    if next.is_empty() {
                        break;
                    }
                    events.extend(next);
                }
                events
            }
            Flaw::LargeEventsEndStreamPages => {
                let mut events = self.inner.read_stream(stream, after, limit).await?;
                let large = events.iter().position(|event| event.payload.len() > 1 << 20);
                events.truncate(large.map_or(usize::MAX, |index| index + 1));
                events
            }
            Flaw::StreamPagesRepeat => {
                let after = after.previous();
                self.inner.read_stream(stream, after, limit).await?
            }
            Flaw::KeysArePatterns if stream.key() == "%" => {
                let log = self.inner.read_log(&LogFilter::all(), Position::START, limit).await?;
                log.events
            }
            _ => {
                let stream = self.stream(stream);
                self.inner.read_stream(&stream, after, limit).await?
            }
        };
        self.end();
        Ok(events.into_iter().map(|event| self.event(event)).collect())
    }

    async fn read_log(
        &self,
        filter: &LogFilter,
        after: Position,
        limit: usize,
    ) -> Result<LogPage, StoreError> {
        self.begin().await?;
        let after = Position::new(self.number(after.get()));
        let mut page = self.filtered(filter, after, limit).await?;
        let all = self.inner.read_log(&LogFilter::all(), Position::START, usize::MAX).await?;
        let next = |position: Position| Position::new(position.get().saturating_add(1));
        match self.flaw {
            Flaw::LogSkipsAfterFullPages if limit > 0 && page.events.len() == limit => {
                page.through = next(page.through);
            }
            Flaw::ThroughIsTheEnd => page.through = page.through.max(all.through),
            Flaw::ThroughGoesBack if page.events.is_empty() => page.through = all.through,
            Flaw::ThroughOvershoots if after <= all.through && page.through >= all.through => {
                page.through = next(all.through);
            }
            Flaw::ThroughHasNoEnd if page.events.is_empty() => page.through = next(after),
            Flaw::LogIsByStream => {
                let position = page.events.iter().map(|event| event.position);
                let positions: Vec<Position> = position.collect();
                page.events.sort_by(|a, b| a.stream.cmp(&b.stream));
                for (event, position) in page.events.iter_mut().zip(positions) {
                    event.position = position;
                }
            }
            _ => {}
        }
        self.end();
        let events = page.events.into_iter().map(|event| self.event(event));
        let events = events.collect();
        Ok(LogPage { events, ..page })
    }

    async fn head(&self) -> Result<Head, StoreError> {
        let head = self.inner.head().await?;
        Ok(match self.flaw {
            Flaw::HeadIsBehind => Head::decided(Position::new(head.last.get().saturating_sub(1))),
            _ => head,
        })
    }

    async fn find(&self, id: EventId) -> Result<Option<RecordedEvent>, StoreError> {
        let mut found = self.inner.find(id).await?;
        match self.flaw {
            Flaw::FindsNothing => found = None,
            Flaw::FindsWithoutPayload => {
                if let Some(found) = &mut found {
                    found.payload = Payload::from_stored("{}");
                }
            }
            _ => {}
        }
        Ok(found.map(|event| self.event(event)))
    }

    fn news(&self) -> News {
        self.flawed_news()
    }
}

#[async_trait]
impl SnapshotStore for Flawed {
    async fn read_from_snapshot(
        &self,
        stream: &StreamId,
        fingerprint: u64,
        limit: usize,
    ) -> Result<(Option<Snapshot>, Vec<RecordedEvent>), StoreError> {
        let fingerprint = self.fingerprint(fingerprint);
        let stream = &self.stream(stream);
        let (mut snapshot, mut events) =
            self.inner.read_from_snapshot(stream, fingerprint, limit).await?;
        match (self.flaw, &mut snapshot) {
            (Flaw::TailsBeginAfterTheSnapshot, Some(snapshot)) => {
                let after = snapshot.version;
                events = self.inner.read_stream(stream, after, limit).await?;
            }
            (Flaw::NoSnapshotNoEvents, None) => events.clear(),
            (Flaw::SnapshotsBeyondTheEndAreHidden, Some(_)) if events.is_empty() => snapshot = None,
            (Flaw::SnapshotsAreRewritten, Some(snapshot)) => {
                snapshot.state = rewritten(&snapshot.state);
            }
            _ => {}
        }
        Ok((snapshot, events))
    }

    async fn save_snapshot(
        &self,
        stream: &StreamId,
        mut snapshot: Snapshot,
    ) -> Result<(), StoreError> {
        snapshot.fingerprint = self.fingerprint(snapshot.fingerprint);
        let stream = &self.stream(stream);
        let shape = snapshot.fingerprint;
        let (kept, _) = self.inner.read_from_snapshot(stream, shape, 0).await?;
        let replace = async || {
            // The store beneath lets another shape replace any snapshot.
            let other = Snapshot { fingerprint: !shape, ..snapshot.clone() };
            self.inner.save_snapshot(stream, other).await
        };
        match self.flaw {
            Flaw::SnapshotsAreLost => return Ok(()),
            Flaw::OlderSnapshotsReplace => replace().await?,
            Flaw::OlderSnapshotsNeverReplace => {
                let mut latest = self.latest.lock().unwrap();
                let latest = latest.entry(stream.clone()).or_default();
                if *latest > snapshot.version {
                    return Ok(());
                }
                *latest = snapshot.version;
            }
            Flaw::SnapshotsAreCheckedThenSaved => {
                self.gap().await;
                if kept.is_some_and(|kept| kept.version > snapshot.version) {
                    return Ok(());
                }
                replace().await?;
            }
            Flaw::SnapshotKeysHaveNoCase => {
                let key = stream.key().to_lowercase();
                let other = StreamId::new(stream.category(), &key).unwrap();
                self.inner.save_snapshot(&other, snapshot.clone()).await?;
            }
            _ => {}
        }
        self.inner.save_snapshot(stream, snapshot).await
    }
}

impl Flawed {
    fn fingerprint(&self, fingerprint: u64) -> u64 {
        match self.flaw {
            Flaw::ShapesHave32Bits => fingerprint & 0xffff_ffff,
            _ => fingerprint,
        }
    }
}

/// The error of a store that refuses what it must take.
pub(super) fn refused(kind: StoreErrorKind) -> AppendError {
    StoreError::new(kind, "a flaw").into()
}

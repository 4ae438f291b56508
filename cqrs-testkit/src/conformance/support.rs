//! What the cases share: making events, appending, reading, and saying what is wrong.

use std::collections::{HashMap, HashSet};
use std::fmt::{Debug, Display};
use std::future::Future;
use std::ops::ControlFlow;
use std::sync::Arc;

use cqrs_core::limits::MAX_PAGE_BYTES;
use cqrs_core::{
    Append, AppendError, Appended, Conflict, EventId, ExpectedVersion, LogFilter, Metadata,
    NewEvent, Payload, Position, RecordedEvent, Store, StoreErrorKind, StreamId, Version,
    is_end_of_stream,
};
use tokio::task::JoinSet;

use super::Fixture;

/// Events read at once where a case is not about paging.
const PAGE: usize = 1_000;

pub(super) fn stream(category: &str, key: &str) -> StreamId {
    StreamId::new(category, key).unwrap_or_else(|error| panic!("bad stream in the suite: {error}"))
}

/// An account: the stream of cases to which its name does not matter.
pub(super) fn account(key: impl Display) -> StreamId {
    stream("account", &key.to_string())
}

pub(super) fn event(label: impl Display) -> NewEvent {
    event_with_id(EventId::random(), label)
}

pub(super) fn event_with_id(id: EventId, label: impl Display) -> NewEvent {
    let payload = json(&format!(r#"{{"label":"{label}"}}"#));
    typed_event(id, "suite.happened", 1, payload)
}

pub(super) fn typed_event(id: EventId, name: &str, schema: u32, payload: Payload) -> NewEvent {
    let metadata = Arc::new(Metadata::of(EventId::random().as_uuid()));
    NewEvent::from_parts(id, name.to_owned(), schema, payload, metadata)
        .unwrap_or_else(|error| panic!("bad event in the suite: {error}"))
}

pub(super) fn json(text: &str) -> Payload {
    Payload::from_json(text).unwrap_or_else(|error| panic!("bad JSON in the suite: {error}"))
}

pub(super) fn events(label: impl Display, count: usize) -> Vec<NewEvent> {
    (0..count).map(|index| event(format!("{label} {index}"))).collect()
}

pub(super) fn append_of(
    stream: &StreamId,
    expected: ExpectedVersion,
    events: Vec<NewEvent>,
) -> Append {
    Append::new(stream.clone(), expected, events)
        .unwrap_or_else(|error| panic!("bad append in the suite: {error}"))
}

/// Appends what must be possible to append.
pub(super) async fn append(store: &dyn Store, append: &Append) -> Appended {
    store
        .append(append)
        .await
        .unwrap_or_else(|error| panic!("{}, which is allowed, failed: {error}", described(append)))
}

/// Appends events wherever the stream stands.
pub(super) async fn add(store: &dyn Store, stream: &StreamId, events: Vec<NewEvent>) -> Appended {
    append(store, &append_of(stream, ExpectedVersion::Any, events)).await
}

/// What an append is, in words that begin a message.
pub(super) fn described(append: &Append) -> String {
    format!(
        "an append of {} event(s) to stream `{}`, expecting {}",
        append.events().len(),
        append.stream(),
        append.expected()
    )
}

/// What an event is, in words.
pub(super) fn named(event: &RecordedEvent) -> String {
    format!(
        "event {} (version {} of stream `{}`, position {})",
        event.id, event.version, event.stream, event.position
    )
}

#[allow(clippy::needless_pass_by_value, reason = "cases compare what they have just made")]
#[track_caller]
pub(super) fn same<T: PartialEq + Debug>(what: impl Display, found: T, right: T) {
    if found != right {
        let (found, right) = (format!("{found:?}"), format!("{right:?}"));
        let (found, right) = around_difference(&found, &right);
        panic!("{what} is wrong\n   found: {found}\n  should: {right}");
    }
}

/// Both texts; of long ones the part where they begin to differ.
fn around_difference(found: &str, right: &str) -> (String, String) {
    const BEFORE: usize = 80;
    const SHOWN: usize = 400;
    let same = found.chars().zip(right.chars()).take_while(|(a, b)| a == b);
    let skipped = match same.count() {
        same if same <= BEFORE || found.len().max(right.len()) <= SHOWN => 0,
        same => same - BEFORE,
    };
    let shown = |text: &str| {
        let part = text.chars().skip(skipped).take(SHOWN);
        let (begin, end) = (skipped > 0, text.chars().count() > skipped + SHOWN);
        let dots = |cut: bool| if cut { "…" } else { "" };
        format!("{}{}{}", dots(begin), part.collect::<String>(), dots(end))
    };
    (shown(found), shown(right))
}

/// The conflict an append must end with.
#[track_caller]
pub(super) fn conflict(append: &Append, outcome: Result<Appended, AppendError>) -> Conflict {
    match outcome {
        Err(AppendError::Conflict(conflict)) => conflict,
        Err(AppendError::Store(error)) => {
            panic!("{} must be a conflict, but the store answers: {error}", described(append))
        }
        Ok(appended) => panic!(
            "{} must be a conflict, but the store says it is at {appended}",
            described(append)
        ),
    }
}

/// Checks that an append is refused because of an id that is stored elsewhere.
#[track_caller]
pub(super) fn duplicate(append: &Append, why: &str, outcome: Result<Appended, AppendError>) {
    match outcome {
        Err(AppendError::Store(error)) if error.kind() == StoreErrorKind::DuplicateEvent => {}
        Err(error) => panic!(
            "{} must be refused with the kind DuplicateEvent, because {why}; the store answers: {error:?}",
            described(append)
        ),
        Ok(appended) => panic!(
            "{} must be refused, because {why}; the store says it is at {appended} (replayed: {})",
            described(append),
            appended.replayed
        ),
    }
}

/// All events of a stream.
pub(super) async fn read(store: &dyn Store, stream: &StreamId) -> Vec<RecordedEvent> {
    read_in_pages(store, stream, PAGE).await
}

pub(super) async fn read_in_pages(
    store: &dyn Store,
    stream: &StreamId,
    limit: usize,
) -> Vec<RecordedEvent> {
    let mut events: Vec<RecordedEvent> = Vec::new();
    loop {
        let after = events.last().map_or(Version::NONE, |event| event.version);
        let page = store.read_stream(stream, after, limit).await;
        let page = page.unwrap_or_else(|error| panic!("stream `{stream}` can't be read: {error}"));
        check_stream_page(stream, after, limit, &page);
        let is_last = is_end_of_stream(&page, limit);
        events.extend(page);
        if is_last {
            return events;
        }
    }
}

/// The events of a stream after a version, up to so many, as they are handed over one by one.
pub(super) async fn replayed(
    store: &dyn Store,
    stream: &StreamId,
    after: Version,
    most: usize,
) -> Vec<RecordedEvent> {
    let mut events = Vec::new();
    let mut take = |event| {
        events.push(event);
        if events.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    store.replay(stream, after, &mut take).await.unwrap_or_else(|error| {
        panic!("stream `{stream}` can't be replayed after version {after}: {error}")
    });
    events
}

/// Checks that a page of a stream holds its events without gap.
#[track_caller]
pub(super) fn check_stream_page(
    stream: &StreamId,
    after: Version,
    limit: usize,
    page: &[RecordedEvent],
) {
    assert!(
        page.len() <= limit,
        "reading at most {limit} events of stream `{stream}` gives {}",
        page.len()
    );
    let beyond_first: usize = page.iter().skip(1).map(|event| event.payload.len()).sum();
    assert!(
        beyond_first <= MAX_PAGE_BYTES,
        "reading at most {limit} events of stream `{stream}` gives {beyond_first} bytes of payload beyond the first \
         event; at most {MAX_PAGE_BYTES} are allowed"
    );
    for (event, version) in page.iter().zip(after.plus(1).get()..) {
        assert!(
            event.version.get() == version && event.stream == *stream,
            "reading stream `{stream}` after version {after}: version {version} comes next, but there is {}",
            named(event)
        );
    }
}

/// All events of the log.
pub(super) async fn log(store: &Arc<dyn Store>) -> Vec<RecordedEvent> {
    let mut follower = Follower::new(store, PAGE);
    follower.catch_up().await;
    follower.seen
}

/// Checks that a stream holds these events and nothing else, with everything they were appended with.
pub(super) async fn holds(store: &dyn Store, stream: &StreamId, events: &[NewEvent]) {
    let stored = read(store, stream).await;
    assert!(
        stored.len() == events.len(),
        "stream `{stream}` must hold {} event(s), but has {}",
        events.len(),
        stored.len()
    );
    for (stored, event) in stored.iter().zip(events) {
        is_kept(stored, event);
    }
}

/// Checks that an event was stored with everything it was appended with.
#[track_caller]
pub(super) fn is_kept(stored: &RecordedEvent, event: &NewEvent) {
    let named = named(stored);
    same(format!("the id of {named}"), stored.id, event.id());
    same(
        format!("the type of {named}"),
        (&*stored.event_type, stored.schema_version),
        (event.event_type(), event.schema_version()),
    );
    same(format!("the metadata of {named}"), &*stored.metadata, event.metadata());
    let (found, right) = (stored.payload.as_str(), event.payload().as_str());
    if found != right {
        let bytes = (found.len(), right.len());
        let (found, right) = around_difference(found, right);
        panic!(
            "the payload of {named}, {} bytes instead of {}, is not kept byte for byte\n   \
             found: {found:?}\n  should: {right:?}",
            bytes.0, bytes.1,
        );
    }
}

/// Follows the log, or what a filter wants of it, in pages and checks what must be true of every page.
pub(super) struct Follower {
    store: Arc<dyn Store>,
    filter: LogFilter,
    page: usize,
    after: Position,
    versions: HashMap<StreamId, Version>,
    pub(super) seen: Vec<RecordedEvent>,
}

impl Follower {
    pub(super) fn new(store: &Arc<dyn Store>, page: usize) -> Self {
        Self::with_filter(store, page, LogFilter::all())
    }

    pub(super) fn with_filter(store: &Arc<dyn Store>, page: usize, filter: LogFilter) -> Self {
        Self {
            store: store.clone(),
            filter,
            page,
            after: Position::START,
            versions: HashMap::new(),
            seen: Vec::new(),
        }
    }

    /// Reads a page; whether it led further.
    pub(super) async fn turn(&mut self) -> bool {
        let (after, limit) = (self.after, self.page);
        let page = self.store.read_log(&self.filter, after, limit).await;
        let page = page.unwrap_or_else(|error| panic!("the log can't be read: {error}"));
        assert!(
            page.events.len() <= limit,
            "reading at most {limit} events of the log gives {}",
            page.events.len()
        );
        assert!(
            page.through >= after,
            "reading the log after position {after} leads back to {}",
            page.through
        );
        let mut last = after;
        for event in page.events {
            assert!(
                event.position > last && event.position <= page.through,
                "reading the log after position {after} through {}, {} comes after position {last}",
                page.through,
                named(&event)
            );
            last = event.position;
            let version = self.versions.entry(event.stream.clone()).or_default();
            // Event types that are not wanted leave versions out.
            let follows = if self.filter.event_types().is_empty() {
                event.version == version.plus(1)
            } else {
                event.version > *version
            };
            assert!(
                follows,
                "a follower of the log with pages of {limit} saw version {version} of a stream and then {}",
                named(&event)
            );
            *version = event.version;
            self.seen.push(event);
        }
        self.after = page.through;
        page.through > after
    }

    /// Reads to the end of the log.
    pub(super) async fn catch_up(&mut self) {
        // Gaps may fill pages that lead further and hold nothing, but not without end.
        const EMPTY: usize = 10_000;
        let (mut seen, mut empty) = (self.seen.len(), 0);
        while self.turn().await {
            empty = if self.seen.len() == seen { empty + 1 } else { 0 };
            seen = self.seen.len();
            assert!(
                empty < EMPTY,
                "the log leads through position {} and ever further, with {EMPTY} pages in a row that hold nothing",
                self.after
            );
        }
    }

    /// Checks that it has seen what it wants of `log`, which is everything there is.
    pub(super) fn has_seen(&self, log: &[RecordedEvent]) {
        let Self { filter, page, .. } = self;
        let wanted = || log.iter().filter(|event| filter.matches(event));
        let seen: HashSet<Position> = self.seen.iter().map(|event| event.position).collect();
        if let Some(missed) = wanted().find(|event| !seen.contains(&event.position)) {
            panic!(
                "a follower of the log with pages of {page} and {filter:?} was led past {}, which it never saw",
                named(missed)
            );
        }
        same(
            format!("what a follower with pages of {page} and {filter:?} saw"),
            self.seen.len(),
            wanted().count(),
        );
    }
}

/// Several handles on the same database.
pub(super) async fn handles<const N: usize>(fixture: &Arc<dyn Fixture>) -> [Arc<dyn Store>; N] {
    let mut handles = Vec::with_capacity(N);
    for _ in 0..N {
        handles.push(fixture.open().await);
    }
    handles.try_into().unwrap_or_else(|_| unreachable!("as many as were opened"))
}

/// Runs `tasks` side by side and returns what they return, in order.
pub(super) async fn at_once<T: Send + 'static>(
    tasks: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let mut running = JoinSet::new();
    for (index, task) in tasks.into_iter().enumerate() {
        running.spawn(async move { (index, task.await) });
    }
    let mut outcomes = Vec::new();
    while let Some(outcome) = running.join_next().await {
        match outcome {
            Ok(outcome) => outcomes.push(outcome),
            // The reason is what the case fails with.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    outcomes.sort_by_key(|(index, _)| *index);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

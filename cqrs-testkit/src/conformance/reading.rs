//! Reading streams and the log: any page size, any place to begin, and the same events by every way.

use std::sync::Arc;

use cqrs_core::limits::{MAX_PAGE_BYTES, MAX_PAYLOAD_BYTES};
use cqrs_core::{
    EventId, ExpectedVersion, Head, LogFilter, NewEvent, Position, RecordedEvent, Snapshot, Store,
    Version, is_end_of_stream,
};

use super::Fixture;
use super::support::{
    Follower, account, add, append_of, at_once, check_stream_page, conflict, event, events,
    is_kept, json, log, named, read, read_in_pages, replayed, same, typed_event,
};

/// Three streams whose events alternate in the log.
async fn interleaved(store: &dyn Store) {
    for round in 0..6 {
        for key in ["a", "b", "c"] {
            add(store, &account(key), events(format!("{key} {round}"), 1 + round % 3)).await;
        }
    }
}

async fn stream_page(store: &dyn Store, key: &str, after: u64, limit: usize) -> Vec<RecordedEvent> {
    let (stream, after) = (account(key), Version::new(after));
    let page = store.read_stream(&stream, after, limit).await;
    let page = page.unwrap_or_else(|error| {
        panic!("reading {limit} events of a stream after version {after} failed: {error}")
    });
    check_stream_page(&stream, after, limit, &page);
    page
}

pub(super) async fn a_stream_is_read_in_pages_of_any_size(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    interleaved(&*store).await;
    let stream = account("b");
    let all = read(&*store, &stream).await;
    same("the number of events", all.len(), 12);
    for limit in (1..=13).chain([100, 10_000, usize::MAX]) {
        same(
            format!("the stream in pages of {limit}"),
            read_in_pages(&*store, &stream, limit).await,
            all.clone(),
        );
    }
    for after in 0..=12 {
        for limit in [0, 1, 2, 5, 12, usize::MAX] {
            same(
                format!("{limit} events after version {after} of 12"),
                stream_page(&*store, "b", after, limit).await,
                all.iter()
                    .skip(usize::try_from(after).unwrap_or(usize::MAX))
                    .take(limit)
                    .cloned()
                    .collect(),
            );
        }
    }
}

pub(super) async fn a_stream_is_replayed_from_any_version(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    interleaved(&*store).await;
    let stream = account("b");
    let all = read(&*store, &stream).await;
    let largest = i64::MAX.unsigned_abs();
    for after in (0..=13).chain([largest, u64::MAX]) {
        let rest = all.get(usize::try_from(after).unwrap_or(usize::MAX)..).unwrap_or_default();
        for most in [1, 2, 11, usize::MAX] {
            same(
                format!("the replay of up to {most} of 12 events after version {after}"),
                &replayed(&*store, &stream, Version::new(after), most).await[..],
                &rest[..most.min(rest.len())],
            );
        }
    }
    let missing = replayed(&*store, &account("missing"), Version::NONE, usize::MAX).await;
    same("the replay of a stream that does not exist", missing, Vec::new());
    // Longer than what stores read at once; and by many at once, who may be served together.
    let stream = account("long");
    for part in 0..3 {
        add(&*store, &stream, events(part, 3_500)).await;
    }
    let all = Arc::new(read(&*store, &stream).await);
    let replays = (0..12).map(|number| {
        let (store, stream, all) = (store.clone(), stream.clone(), all.clone());
        async move {
            let after = number * 10_499 / 11;
            let rest = &all[after..];
            let replayed = replayed(&*store, &stream, Version::new(after as u64), usize::MAX).await;
            same(format!("the replay after version {after} of 10 500"), &replayed[..], rest);
        }
    });
    at_once(replays).await;
}

pub(super) async fn a_stream_has_nothing_beyond_its_end(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    same("an empty store", stream_page(&*store, "a", 0, 10).await, Vec::new());
    interleaved(&*store).await;
    let largest = i64::MAX.unsigned_abs();
    for after in [12, 13, 1_000, 1 << 32, largest - 1, largest, largest + 1, u64::MAX - 1, u64::MAX]
    {
        for limit in [0, 1, 1_000, usize::MAX] {
            for key in ["a", "missing"] {
                same(
                    format!("stream `account/{key}` after version {after}"),
                    stream_page(&*store, key, after, limit).await,
                    Vec::new(),
                );
            }
        }
    }
    same("a stream that does not exist", stream_page(&*store, "missing", 0, 9).await, Vec::new());
}

pub(super) async fn the_log_is_read_in_pages_of_any_size(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let mut before = Follower::new(&store, 10);
    before.catch_up().await;
    same("the log of an empty store", before.seen, Vec::new());

    interleaved(&*store).await;
    let all = log(&store).await;
    same("the number of events in the log", all.len(), 36);
    for limit in (1..=7).chain([35, 36, 37, 100, 10_000, usize::MAX]) {
        let mut follower = Follower::new(&store, limit);
        follower.catch_up().await;
        same(format!("the log in pages of {limit}"), follower.seen, all.clone());
    }
    // From every event on, and a limit that ends on every event.
    for (index, event) in all.iter().enumerate() {
        let after = event.position;
        let page = store.read_log(&LogFilter::all(), after, 3).await.unwrap_or_else(|error| {
            panic!("the log can't be read after position {after}: {error}")
        });
        same(
            format!("the log after position {after}"),
            page.events,
            all[index + 1..].iter().take(3).cloned().collect(),
        );
    }
}

pub(super) async fn the_log_has_nothing_beyond_its_end(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    interleaved(&*store).await;
    let end = log(&store).await.last().map_or(0, |event| event.position.get());
    let largest = i64::MAX.unsigned_abs();
    for after in [end, end + 1_000_000, largest - 1, largest, largest + 1, u64::MAX - 1, u64::MAX] {
        for limit in [0, 1, 1_000, usize::MAX] {
            let page = store.read_log(&LogFilter::all(), Position::new(after), limit).await;
            let page = page.unwrap_or_else(|error| {
                panic!("reading {limit} events of the log after position {after} failed: {error}")
            });
            same(format!("the log after position {after}"), page.events, Vec::new());
            assert!(
                page.through.get() >= after,
                "reading the log after position {after} leads back to {}",
                page.through
            );
        }
    }
}

pub(super) async fn reading_no_events_skips_none(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    interleaved(&*store).await;
    let all = log(&store).await;
    let places = [Position::START].into_iter().chain(all.iter().map(|event| event.position));
    for (index, after) in places.enumerate() {
        let page = store.read_log(&LogFilter::all(), after, 0).await;
        let page = page.unwrap_or_else(|error| panic!("reading no events failed: {error}"));
        same("a page of no events", page.events, Vec::new());
        if let Some(next) = all.get(index) {
            assert!(
                page.through < next.position,
                "a page of no events after position {after} leads through {}, past {}",
                page.through,
                named(next)
            );
        }
    }
}

pub(super) async fn pages_of_the_log_are_bounded_by_bytes(fixture: Arc<dyn Fixture>) {
    const MEBIBYTE: usize = 1024 * 1024;
    let store = fixture.open().await;
    let (most, some) = (MAX_PAYLOAD_BYTES, 3 * MEBIBYTE);
    let sizes = [
        &[10, most, most, most, 10, 10, some, some, some, some, 10][..],
        &[MEBIBYTE; 10],
        &[10; 20],
        &[most],
    ];
    let mut ids = Vec::new();
    for (index, bytes) in sizes.concat().into_iter().enumerate() {
        let payload = json(&format!("\"{}\"", "x".repeat(bytes - 2)));
        let name = if index % 7 == 2 { "seldom" } else { "often" };
        let event = typed_event(EventId::random(), name, 1, payload);
        ids.push((name, (event.id(), bytes)));
        add(&*store, &account("large"), vec![event]).await;
    }
    for name in ["", "often", "seldom"] {
        let (filter, wanted) = match name {
            "" => (LogFilter::all(), ids.iter().collect::<Vec<_>>()),
            name => {
                let wanted = ids.iter().filter(|(of, _)| *of == name).collect();
                (LogFilter::all().event_type(name), wanted)
            }
        };
        let wanted: Vec<(EventId, usize)> = wanted.into_iter().map(|(_, event)| *event).collect();
        for limit in [1, 2, 3, 30, 1_000, usize::MAX] {
            let seen = read_to_an_empty_page(&*store, &filter, limit).await;
            same(format!("the log in pages of {limit} with {filter:?}"), seen, wanted.clone());
        }
    }
}

pub(super) async fn pages_of_a_stream_are_bounded_by_bytes(fixture: Arc<dyn Fixture>) {
    const MEBIBYTE: usize = 1024 * 1024;
    const SHAPE: u64 = 7;
    let store = fixture.open().await;
    let (most, some) = (MAX_PAYLOAD_BYTES, 3 * MEBIBYTE);
    let sizes = [
        &[10, most, most, most, 10, 10, some, some, some, some, 10][..],
        &[MEBIBYTE; 10],
        &[most],
        &[10; 40],
    ];
    let mut streams = Vec::new();
    for (key, sizes) in sizes.into_iter().enumerate() {
        let stream = account(key);
        let payloads = sizes.iter().map(|bytes| json(&format!("\"{}\"", "x".repeat(bytes - 2))));
        let events: Vec<_> = payloads
            .map(|payload| typed_event(EventId::random(), "suite.happened", 1, payload))
            .collect();
        let ids: Vec<EventId> = events.iter().map(NewEvent::id).collect();
        add(&*store, &stream, events).await;
        streams.push((stream, ids));
    }
    for limit in [1, 2, 3, 11, 30, 1_000, usize::MAX] {
        // At once, as where many aggregates are loaded: a store may read them together.
        let reads = streams.iter().map(|(stream, ids)| {
            let (store, stream, ids) = (store.clone(), stream.clone(), ids.clone());
            async move {
                let read = read_in_pages(&*store, &stream, limit).await;
                let read: Vec<EventId> = read.iter().map(|event| event.id).collect();
                same(format!("stream `{stream}` in pages of {limit}"), &read, &ids);
                let replayed = replayed(&*store, &stream, Version::NONE, limit).await;
                let replayed: Vec<EventId> = replayed.iter().map(|event| event.id).collect();
                let first = &ids[..limit.min(ids.len())];
                same(format!("{limit} events of stream `{stream}`"), &replayed[..], first);
            }
        });
        at_once(reads).await;
    }
    for (stream, ids) in &streams {
        for has_snapshot in [false, true] {
            if has_snapshot {
                let (version, event_id, state) = (Version::new(1), ids[0], json("{}"));
                let snapshot = Snapshot { version, event_id, fingerprint: SHAPE, state };
                let saved = store.save_snapshot(stream, snapshot).await;
                saved.unwrap_or_else(|error| panic!("a snapshot can't be saved: {error}"));
            }
            let read = store.read_from_snapshot(stream, SHAPE, 1_000).await;
            let (_, page) =
                read.unwrap_or_else(|error| panic!("`{stream}` can't be read: {error}"));
            check_stream_page(stream, Version::NONE, 1_000, &page);
            assert!(
                page.len() == ids.len() || !is_end_of_stream(&page, 1_000),
                "{} of {} events of stream `{stream}` come with its snapshot, which looks like all",
                page.len(),
                ids.len()
            );
        }
    }
}

/// Reads on until a page holds nothing, which means the end, and checks how large the others are. The events, and how
/// many bytes each has.
async fn read_to_an_empty_page(
    store: &dyn Store,
    filter: &LogFilter,
    limit: usize,
) -> Vec<(EventId, usize)> {
    let (mut seen, mut after) = (Vec::new(), Position::START);
    loop {
        let page = store.read_log(filter, after, limit).await;
        let page = page.unwrap_or_else(|error| panic!("the log can't be read: {error}"));
        if page.events.is_empty() {
            return seen;
        }
        let beyond_first: usize = page.events[1..].iter().map(|event| event.payload.len()).sum();
        assert!(
            page.events.len() <= limit && beyond_first <= MAX_PAGE_BYTES,
            "reading at most {limit} events of the log gives {}, with {beyond_first} bytes of payload beyond the \
             first event; at most {MAX_PAGE_BYTES} are allowed",
            page.events.len()
        );
        seen.extend(page.events.iter().map(|event| (event.id, event.payload.len())));
        after = page.through;
    }
}

pub(super) async fn the_head_tells_where_the_log_ends(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let head = async || {
        let head = store.head().await;
        head.unwrap_or_else(|error| panic!("the end of the log can't be asked for: {error}"))
    };
    same("the head of an empty store", head().await, Head::decided(Position::START));
    for round in 0..5 {
        let outcome = add(&*store, &account(round % 2), events(round, 1 + round)).await;
        same("the head after an append", head().await, Head::decided(outcome.position));
        // An append that fails may draw positions and leave them unused.
        let refused = append_of(&account(9), ExpectedVersion::Exists, events("refused", 2));
        conflict(&refused, store.append(&refused).await);
        let head = head().await;
        assert!(
            head == Head::decided(head.last) && head.last >= outcome.position,
            "after an append that ended at {outcome} and one that was refused the head is {head:?}; nothing is open"
        );
    }
}

pub(super) async fn g6_the_log_keeps_the_order_of_appends(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let mut appended = Vec::new();
    for round in 0..12_usize {
        // Streams are taken in another order than that of their names.
        let stream = account((round * 7) % 5);
        let batch = events(round, 1 + round % 4);
        appended.extend(batch.iter().map(|event| (stream.clone(), event.id())));
        add(&*store, &stream, batch).await;
    }
    let log = log(&store).await;
    let log = log.into_iter().map(|event| (event.stream, event.id)).collect();
    same("the order of the log after appends one after the other", log, appended);
}

pub(super) async fn events_are_found_by_id(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let find = async |id: EventId| {
        let found = store.find(id).await;
        found.unwrap_or_else(|error| panic!("looking up event {id} failed: {error}"))
    };
    let unknown = EventId::random();
    same("an event of an empty store", find(unknown).await, None);
    interleaved(&*store).await;
    for event in log(&store).await {
        same(format!("what is found for {}", named(&event)), find(event.id).await, Some(event));
    }
    same("an event that was never appended", find(unknown).await, None);
}

pub(super) async fn every_way_of_reading_gives_the_same_event(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let stream = account(1);
    let batch = vec![event("first"), event("second")];
    add(&*store, &stream, batch.clone()).await;
    let by_stream = read(&*store, &stream).await;
    same("the number of events", by_stream.len(), 2);
    for (stored, event) in by_stream.iter().zip(&batch) {
        is_kept(stored, event);
        let found = store.find(event.id()).await;
        same("the event found by id", found.ok().flatten().as_ref(), Some(stored));
    }
    same("the events read from the log", log(&store).await, by_stream.clone());
    let tail = store.read_from_snapshot(&stream, 1, 10).await;
    let tail = tail.map(|(_, events)| events);
    same("the events read with a snapshot", tail.ok(), Some(by_stream));
}

//! Reading streams and the log: any page size, any place to begin, and the same events by every way.

use std::sync::Arc;

use cqrs_core::{EventId, LogFilter, Position, RecordedEvent, Store, Version};

use super::Fixture;
use super::support::{
    Follower, account, add, check_stream_page, event, events, is_kept, log, named, read,
    read_in_pages, same,
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

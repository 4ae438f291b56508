//! Snapshots (G9): the latest of a stream, given back with the events from its own version on, and only as a cache.

use std::sync::Arc;

use cqrs_core::limits::MAX_PAYLOAD_BYTES;
use cqrs_core::{Payload, RecordedEvent, Snapshot, Store, StreamId, Version};

use super::Fixture;
use super::support::{account, add, at_once, events, handles, json, read, same};

const SHAPE: u64 = 7;

/// A snapshot taken after this event.
fn after(event: &RecordedEvent, fingerprint: u64, state: &str) -> Snapshot {
    Snapshot { version: event.version, event_id: event.id, fingerprint, state: json(state) }
}

async fn save(store: &dyn Store, stream: &StreamId, snapshot: &Snapshot) {
    let saved = store.save_snapshot(stream, snapshot.clone()).await;
    saved.unwrap_or_else(|error| panic!("a snapshot of stream `{stream}` can't be saved: {error}"));
}

async fn load(
    store: &dyn Store,
    stream: &StreamId,
    fingerprint: u64,
    limit: usize,
) -> (Option<Snapshot>, Vec<RecordedEvent>) {
    let loaded = store.read_from_snapshot(stream, fingerprint, limit).await;
    loaded.unwrap_or_else(|error| {
        panic!("stream `{stream}` can't be read from its snapshot: {error}")
    })
}

/// A stream with this many events.
async fn stream_of(store: &dyn Store, key: &str, count: usize) -> (StreamId, Vec<RecordedEvent>) {
    let stream = account(key);
    add(store, &stream, events(key, count)).await;
    let stored = read(store, &stream).await;
    same("the number of events", stored.len(), count);
    (stream, stored)
}

pub(super) async fn g9_a_snapshot_comes_with_the_events_from_its_version_on(
    fixture: Arc<dyn Fixture>,
) {
    let [store, other] = handles(&fixture).await;
    stream_of(&*store, "before", 3).await;
    let (stream, stored) = stream_of(&*store, "stream", 10).await;
    for version in [1, 4, 9, 10] {
        let snapshot = after(&stored[version - 1], SHAPE, &format!(r#"{{"v":{version}}}"#));
        save(&*store, &stream, &snapshot).await;
        for limit in [0, 1, 2, 7, 100, usize::MAX] {
            for store in [&store, &other] {
                same(
                    format!("the snapshot of version {version} of 10 and at most {limit} events"),
                    load(&**store, &stream, SHAPE, limit).await,
                    (
                        Some(snapshot.clone()),
                        stored[version - 1..].iter().take(limit).cloned().collect(),
                    ),
                );
            }
        }
    }
    // Events that come later belong to the tail.
    add(&*store, &stream, events("later", 2)).await;
    let (_, tail) = load(&*store, &stream, SHAPE, 100).await;
    same("the events after", tail, read(&*store, &stream).await.split_off(9));
}

pub(super) async fn g9_without_a_snapshot_there_are_the_first_events(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let missing = load(&*store, &account("missing"), SHAPE, 10).await;
    same("a stream that does not exist", missing, (None, Vec::new()));
    let (stream, stored) = stream_of(&*store, "stream", 5).await;
    for limit in [0, 1, 4, 5, 6, usize::MAX] {
        same(
            format!("{limit} events of a stream without a snapshot"),
            load(&*store, &stream, SHAPE, limit).await,
            (None, stored.iter().take(limit).cloned().collect()),
        );
    }
}

pub(super) async fn g9_a_snapshot_of_another_shape_is_not_used(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let (stream, stored) = stream_of(&*store, "stream", 5).await;
    save(&*store, &stream, &after(&stored[3], SHAPE, "{}")).await;
    for fingerprint in [0, SHAPE + 1, SHAPE + (1 << 32), SHAPE + (1 << 63), !SHAPE] {
        same(
            format!("a stream with a snapshot of shape {SHAPE}, read with {fingerprint}"),
            load(&*store, &stream, fingerprint, 100).await,
            (None, stored.clone()),
        );
        same(
            "two events of it",
            load(&*store, &stream, fingerprint, 2).await.1,
            stored[..2].to_vec(),
        );
    }
}

pub(super) async fn g9_the_latest_snapshot_is_kept(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let (stream, stored) = stream_of(&*store, "stream", 5).await;
    let late = after(&stored[3], SHAPE, r#"{"v":4}"#);
    save(&*store, &stream, &after(&stored[1], SHAPE, r#"{"v":2}"#)).await;
    save(&*store, &stream, &late).await;
    for version in [1, 2, 3] {
        save(&*store, &stream, &after(&stored[version - 1], SHAPE, "{}")).await;
        let kept = load(&*store, &stream, SHAPE, 100).await;
        same(
            format!("the snapshot of version 4 after one of version {version} was saved"),
            kept,
            (Some(late.clone()), stored[3..].to_vec()),
        );
    }
}

pub(super) async fn g9_a_snapshot_of_another_shape_replaces_any(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let (stream, stored) = stream_of(&*store, "stream", 5).await;
    // Databases hold fingerprints as signed numbers.
    let shapes = [0, 1, u64::MAX, i64::MAX.unsigned_abs(), 1 << 63, u64::MAX - 1, SHAPE];
    let mut last = None;
    // Each is older than the one before: shape goes before version.
    for (round, fingerprint) in shapes.into_iter().enumerate() {
        let version = 4 - round.min(3);
        let snapshot = after(&stored[version], fingerprint, &round.to_string());
        save(&*store, &stream, &snapshot).await;
        same(
            format!("the snapshot of shape {fingerprint}"),
            load(&*store, &stream, fingerprint, 100).await,
            (Some(snapshot), stored[version..].to_vec()),
        );
        if let Some(last) = last.replace(fingerprint) {
            same(
                format!("what is left of the snapshot of shape {last}"),
                load(&*store, &stream, last, 100).await,
                (None, stored.clone()),
            );
        }
    }
}

pub(super) async fn g9_of_snapshots_saved_at_once_the_latest_is_kept(fixture: Arc<dyn Fixture>) {
    let handles = handles::<3>(&fixture).await;
    for round in 0..10 {
        let (stream, stored) = stream_of(&*handles[0], &round.to_string(), 12).await;
        // The latest first, so that it has others behind it.
        let snapshots = stored.iter().rev().zip(handles.iter().cycle());
        let tasks = snapshots.map(|(event, store)| {
            let snapshot = after(event, SHAPE, &event.version.to_string());
            let (store, stream) = (store.clone(), stream.clone());
            async move { save(&*store, &stream, &snapshot).await }
        });
        at_once(tasks).await;
        let (kept, tail) = load(&*handles[0], &stream, SHAPE, 100).await;
        let kept = kept.map(|kept| (kept.version, kept.event_id, kept.state));
        same(
            "the snapshot kept of 12 saved at once",
            kept,
            Some((Version::new(12), stored[11].id, json("12"))),
        );
        same("its events", tail, stored[11..].to_vec());
    }
}

pub(super) async fn g9_a_snapshot_beyond_the_stream_has_no_events(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let (stream, stored) = stream_of(&*store, "stream", 3).await;
    // As after a restore of events without their snapshots: it is the reader who notices.
    let version = Version::new(9);
    let snapshot = Snapshot { version, ..after(&stored[2], SHAPE, "{}") };
    save(&*store, &stream, &snapshot).await;
    same(
        "a snapshot of version 9 of a stream with 3 events",
        load(&*store, &stream, SHAPE, 100).await,
        (Some(snapshot), Vec::new()),
    );
}

pub(super) async fn g9_snapshots_are_kept_byte_for_byte(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let large = format!("\"{}\"", "é€".repeat((MAX_PAYLOAD_BYTES - 2) / 5));
    let states = [
        &*large,
        "null",
        "\"\"",
        "[]",
        " { \"b\" : 1.0e3, \"a\":\"\\u00e9\", \"b\":2 }\n",
        "\"'; DROP TABLE snapshots; --\"",
        "\"\\\\ \\\" % _ $1 ?1\"",
        "-0.0",
        "123456789012345678901234567890",
    ];
    for (index, state) in states.into_iter().enumerate() {
        let (stream, stored) = stream_of(&*store, &format!("stream {index}"), 1).await;
        let state: Payload = json(state);
        let snapshot = Snapshot { state, ..after(&stored[0], SHAPE, "{}") };
        save(&*store, &stream, &snapshot).await;
        let (kept, _) = load(&*store, &stream, SHAPE, 10).await;
        let kept = kept.map(|kept| kept.state);
        assert!(
            kept.as_ref() == Some(&snapshot.state),
            "a snapshot of {} bytes is not kept byte for byte: {:.80}",
            snapshot.state.len(),
            kept.map_or("it is gone".to_owned(), |kept| kept.as_str().to_owned())
        );
    }
}

pub(super) async fn g9_snapshots_of_similar_streams_do_not_mix(fixture: Arc<dyn Fixture>) {
    let store = fixture.open().await;
    let mut saved = Vec::new();
    for key in ["a", "A", "a ", "a/b", "a%", "\u{e9}", "e\u{301}", "'; --"] {
        let (stream, stored) = stream_of(&*store, key, 2).await;
        let state = Payload::of(key).unwrap_or_else(|error| panic!("bad text: {error}"));
        let snapshot = Snapshot { state, ..after(&stored[1], SHAPE, "{}") };
        save(&*store, &stream, &snapshot).await;
        saved.push((stream, snapshot, stored));
    }
    for (stream, snapshot, stored) in saved {
        same(
            format!("the snapshot of stream `{stream}`"),
            load(&*store, &stream, SHAPE, 10).await,
            (Some(snapshot), stored[1..].to_vec()),
        );
    }
}

//! Appending and what is read back, beyond what the conformance suite asks of every store.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cqrs_core::limits::{MAX_APPEND_BYTES, MAX_EVENTS_PER_APPEND, MAX_PAYLOAD_BYTES};
use cqrs_core::{
    Details, EventId, EventStore, ExpectedVersion, LogFilter, Metadata, NewEvent, Payload,
    Position, StoreErrorKind, Version,
};
use cqrs_sqlite::SqliteStore;
use sqlx::query;

use crate::support::{
    append, assert_failure, conflict, connect, event, event_with_payload, events, execute, failure,
    log, place, store_events, stream,
};

#[tokio::test]
async fn what_is_appended_is_read_back_from_the_file_by_another_store() {
    let place = place();
    let writing = SqliteStore::open(&place.path).await.unwrap();
    let metadata = Metadata {
        correlation_id: EventId::random().as_uuid(),
        causation_id: EventId::random().as_uuid(),
        details: Details {
            actor: Some("ann \"the\" \\ teller\n".to_owned()),
            tenant: Some("tenant \u{1}\u{7f}\u{2028}".to_owned()),
            extra: [("trace".to_owned(), "e\u{301} is not \u{e9}".to_owned())].into(),
        },
    };
    let event = NewEvent::from_parts(
        EventId::random(),
        "account.opened",
        7,
        Payload::from_json("{ \"owner\":\t\"Ann\" }").unwrap(),
        Arc::new(metadata),
    )
    .unwrap();
    let key = "'; DROP TABLE cqrs_events; --\u{1F980}";
    let before = SystemTime::now();
    store_events(&writing, key, std::slice::from_ref(&event)).await;
    writing.close().await;

    let reading = SqliteStore::open(&place.path).await.unwrap();
    let read = reading.read_stream(&stream(key), Version::NONE, 10).await;
    let [read] = &read.unwrap()[..] else { panic!("not one event") };
    assert_eq!(read.stream, stream(key));
    assert_eq!((read.version, read.position.get()), (Version::FIRST, 1));
    assert_eq!((&*read.event_type, read.schema_version), ("account.opened", 7));
    assert_eq!(read.payload.as_str(), event.payload().as_str());
    assert_eq!(&*read.metadata, event.metadata());
    // SQLite's clock counts milliseconds.
    assert!(read.recorded_at + Duration::from_millis(1) >= before);
    assert!(read.recorded_at <= SystemTime::now());
    assert_eq!(log(&reading).await, std::slice::from_ref(read));
    assert_eq!(reading.find(event.id()).await.unwrap().as_ref(), Some(read));
    assert_eq!(reading.find(EventId::random()).await.unwrap(), None);
}

#[tokio::test]
async fn every_character_comes_back_as_the_same_bytes() {
    let store = SqliteStore::in_memory().await.unwrap();
    let mut payloads = Vec::new();
    let characters: Vec<char> = ('\u{1}'..=char::MAX).collect();
    for part in characters.chunks(20_000) {
        let text: String = part.iter().collect();
        payloads.push(Payload::of(&text).unwrap());
    }
    // JSON of other writers: white space, escapes that need not be, numbers in their own notation.
    for json in [
        " \r\n\t{ \"a\" : [ ] }\n",
        r#""\u00e9\/\ud83e\udd80\\u0041""#,
        "[1.0, 1e2, -0, 12345678901234567890]",
    ] {
        payloads.push(Payload::from_json(json).unwrap());
    }
    let events: Vec<NewEvent> = payloads
        .iter()
        .map(|payload| event_with_payload(EventId::random(), payload.clone()))
        .collect();
    store_events(&store, "1", &events).await;
    let read = log(&store).await;
    assert_eq!(read.len(), payloads.len());
    for (read, payload) in read.iter().zip(&payloads) {
        assert!(read.payload == *payload, "not the same bytes");
    }
}

#[tokio::test]
async fn g1_the_most_events_are_stored_in_order_and_replayed() {
    let store = SqliteStore::in_memory().await.unwrap();
    let events = events(MAX_EVENTS_PER_APPEND);
    store_events(&store, "1", &[event()]).await;
    let first = store_events(&store, "1", &events).await;
    let last = MAX_EVENTS_PER_APPEND as u64 + 1;
    assert_eq!((first.version.get(), first.position.get()), (last, last));
    let read = store.read_log(&LogFilter::all(), Position::new(1), usize::MAX).await.unwrap();
    assert!(read.events.iter().map(|read| read.id).eq(events.iter().map(NewEvent::id)));
    assert!(read.events.iter().map(|read| read.version.get()).eq(2..=last));
    let again = store_events(&store, "1", &events).await;
    assert_eq!((again.version, again.position), (first.version, first.position));
    assert!(again.replayed);
}

#[tokio::test]
async fn g13_the_largest_payloads_fit_into_one_append() {
    let place = place();
    let store = SqliteStore::open(&place.path).await.unwrap();
    // Quotation marks, because they take the most room on the way to the database.
    let payload = Payload::of(&"\"".repeat(MAX_PAYLOAD_BYTES / 2 - 1)).unwrap();
    let largest = || event_with_payload(EventId::random(), payload.clone());
    let events: Vec<NewEvent> =
        std::iter::repeat_with(largest).take(MAX_APPEND_BYTES / MAX_PAYLOAD_BYTES).collect();
    store_events(&store, "1", &events).await;
    let read = log(&store).await;
    assert_eq!(read.len(), events.len());
    assert!(read.iter().all(|read| read.payload == payload));
}

#[tokio::test]
async fn g2_a_conflict_says_where_the_stream_stands() {
    let store = SqliteStore::in_memory().await.unwrap();
    store_events(&store, "1", &events(3)).await;
    for (key, expected, actual) in [
        ("1", ExpectedVersion::NoStream, 3),
        ("1", ExpectedVersion::Exact(Version::NONE), 3),
        ("1", ExpectedVersion::Exact(Version::new(2)), 3),
        ("1", ExpectedVersion::Exact(Version::new(u64::MAX)), 3),
        ("2", ExpectedVersion::Exists, 0),
        ("2", ExpectedVersion::Exact(Version::FIRST), 0),
    ] {
        let conflict = conflict(store.append(&append(key, expected, &events(2))).await);
        assert_eq!(conflict.stream, stream(key));
        assert_eq!(conflict.expected, expected);
        assert_eq!(conflict.actual, Version::new(actual), "{key} {expected}");
    }
    assert_eq!(log(&store).await.len(), 3);
}

#[tokio::test]
async fn g2_the_table_itself_refuses_a_version_a_second_time() {
    let place = place();
    let store = SqliteStore::open(&place.path).await.unwrap();
    store_events(&store, "1", &events(2)).await;
    let mut other = connect(&place.path).await;
    let moved =
        query("UPDATE cqrs_events SET version = 1 WHERE version = 2").execute(&mut other).await;
    let refused = moved.unwrap_err().into_database_error().unwrap();
    assert!(refused.is_unique_violation(), "{refused}");
}

#[tokio::test]
async fn the_same_events_again_are_a_replay_whatever_is_expected() {
    let store = SqliteStore::in_memory().await.unwrap();
    let events = events(3);
    store_events(&store, "1", &events[..1]).await;
    let first = store_events(&store, "1", &events[1..]).await;
    store_events(&store, "1", &[event()]).await;
    for expected in [
        ExpectedVersion::Any,
        ExpectedVersion::Exists,
        ExpectedVersion::NoStream,
        ExpectedVersion::Exact(Version::FIRST),
        ExpectedVersion::Exact(Version::new(4)),
    ] {
        let again = store.append(&append("1", expected, &events[1..])).await;
        let again = again.unwrap();
        assert!(again.replayed, "{expected}");
        assert_eq!((again.version, again.position), (first.version, first.position));
    }
    assert_eq!(log(&store).await.len(), 4);
}

#[tokio::test]
async fn ids_in_use_elsewhere_are_refused_and_nothing_is_stored() {
    let store = SqliteStore::in_memory().await.unwrap();
    let stored = events(3);
    store_events(&store, "1", &stored).await;
    let (first, second) = (stored[0].clone(), stored[1].clone());
    for (key, events) in [
        ("2", vec![first.clone()]),
        ("1", vec![event(), first.clone()]),
        ("1", vec![first.clone(), event()]),
        ("1", vec![second.clone(), first.clone()]),
        ("1", vec![first.clone(), stored[2].clone()]),
    ] {
        let any = append(key, ExpectedVersion::Any, &events);
        let error = failure(store.append(&any).await);
        assert_failure(&error, StoreErrorKind::DuplicateEvent, "event id");
        // The version is looked at first.
        let exact = append(key, ExpectedVersion::Exact(Version::new(9)), &events);
        conflict(store.append(&exact).await);
    }
    assert_eq!(log(&store).await.len(), 3);
}

#[tokio::test]
async fn positions_of_deleted_events_are_not_given_out_again() {
    let place = place();
    let store = SqliteStore::open(&place.path).await.unwrap();
    store_events(&store, "1", &events(3)).await;
    let mut operator = connect(&place.path).await;
    execute(&mut operator, "DELETE FROM cqrs_events").await;
    let appended = store_events(&store, "2", &[event()]).await;
    assert_eq!(appended.position.get(), 4);
}

#[tokio::test]
async fn limits_and_ends_beyond_the_range_of_sqlite_are_no_errors() {
    let store = SqliteStore::in_memory().await.unwrap();
    store_events(&store, "1", &events(2)).await;
    let beyond = Version::new(u64::MAX);
    let none = store.read_stream(&stream("1"), beyond, usize::MAX).await;
    assert!(none.unwrap().is_empty());
    let page = store.read_log(&LogFilter::all(), Position::new(u64::MAX), usize::MAX).await;
    let page = page.unwrap();
    assert_eq!((page.events.len(), page.through.get()), (0, u64::MAX));
    let none = store.read_log(&LogFilter::all(), Position::START, 0).await.unwrap();
    assert_eq!((none.events.len(), none.through), (0, Position::START));
}

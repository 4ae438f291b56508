//! What no store gets to see (G13): the types of the ports refuse it, so that the suite need not try it.

use std::sync::Arc;

use cqrs_core::limits::{
    MAX_APPEND_BYTES, MAX_CATEGORY_BYTES, MAX_EVENT_TYPE_BYTES, MAX_EVENTS_PER_APPEND,
    MAX_KEY_BYTES, MAX_METADATA_BYTES, MAX_PAYLOAD_BYTES,
};
use cqrs_core::{
    Append, Details, EventId, ExpectedVersion, InvalidAppend, InvalidEvent, Metadata, NewEvent,
    Payload, StreamId,
};

fn event(name: &str, schema: u32) -> Result<NewEvent, InvalidEvent> {
    described(name, schema, Details::default())
}

fn described(name: &str, schema: u32, details: Details) -> Result<NewEvent, InvalidEvent> {
    let id = EventId::random();
    let metadata = Arc::new(Metadata { details, ..Metadata::of(id.as_uuid()) });
    let payload = Payload::of("").unwrap();
    NewEvent::from_parts(id, name.to_owned(), schema, payload, metadata)
}

fn append(events: Vec<NewEvent>) -> Result<Append, InvalidAppend> {
    Append::new(StreamId::new("account", "1").unwrap(), ExpectedVersion::Any, events)
}

#[test]
fn g13_names_that_no_database_keeps_are_refused() {
    let long = |bytes: usize| "k".repeat(bytes + 1);
    for key in ["", "\0", "a\0", "a\0b", &long(MAX_KEY_BYTES), &"k".repeat(10_000)] {
        assert!(StreamId::new("account", key).is_err(), "{key:?}");
    }
    for category in ["", "a b", "a/b", "a\0", "é", "a'", "a%", &long(MAX_CATEGORY_BYTES)] {
        assert!(StreamId::new(category, "1").is_err(), "{category:?}");
    }
    for name in ["", "\0", "a\0b", &long(MAX_EVENT_TYPE_BYTES)] {
        assert_eq!(event(name, 1).unwrap_err(), InvalidEvent::EventTypeName(name.to_owned()));
    }
    assert_eq!(event("a", 0).unwrap_err(), InvalidEvent::SchemaVersionZero("a".to_owned()));
}

#[test]
fn g13_payloads_that_no_database_keeps_are_refused() {
    for text in [
        "",
        "{",
        "{} {}",
        "nul",
        "[1e999]",
        "[NaN]",
        r#""\u0000""#,
        r#"{"\u0000":1}"#,
        r#""\ud800""#,
    ] {
        assert!(Payload::from_json(text).is_err(), "{text}");
    }
    let largest = "x".repeat(MAX_PAYLOAD_BYTES - 2);
    assert_eq!(Payload::of(&largest).unwrap().len(), MAX_PAYLOAD_BYTES);
    assert!(Payload::of(&format!("{largest}x")).is_err());
    assert!(Payload::from_json(format!("\"{largest}x\"")).is_err());
}

#[test]
fn g13_metadata_that_no_database_keeps_is_refused_wherever_it_is() {
    let extra = |key: &str, value: &str| Details {
        extra: [(key.to_owned(), value.to_owned())].into(),
        ..Details::default()
    };
    let nul = || Some("a\0".to_owned());
    let refused = [
        (Details { actor: nul(), ..Details::default() }, InvalidEvent::NulInMetadata),
        (Details { tenant: nul(), ..Details::default() }, InvalidEvent::NulInMetadata),
        (extra("a\0", "b"), InvalidEvent::NulInMetadata),
        (extra("a", "\0"), InvalidEvent::NulInMetadata),
        (extra("actor", "a"), InvalidEvent::ReservedMetadataKey("actor")),
        (extra("tenant", "a"), InvalidEvent::ReservedMetadataKey("tenant")),
        (
            extra("k", &"v".repeat(MAX_METADATA_BYTES)),
            InvalidEvent::MetadataTooLarge(MAX_METADATA_BYTES + 1),
        ),
    ];
    for (details, reason) in refused {
        let bad = described("bad", 1, details).unwrap();
        for events in [vec![bad.clone()], vec![event("good", 1).unwrap(), bad]] {
            let at = events.len() - 1;
            let error = append(events).unwrap_err();
            let InvalidAppend::Event { index, event_type, source, .. } = error else {
                panic!("{error}");
            };
            assert_eq!((index, &*event_type, source), (at, "bad", reason.clone()));
        }
    }
}

#[test]
fn g13_appends_that_no_database_takes_are_refused() {
    assert!(matches!(append(vec![]), Err(InvalidAppend::NoEvents { .. })));
    let one = event("a", 1).unwrap();
    let twice = vec![one.clone(), event("b", 1).unwrap(), one.clone()];
    let repeated = append(twice).unwrap_err();
    assert!(matches!(repeated, InvalidAppend::RepeatedId { id, .. } if id == one.id()));
    let many: Vec<NewEvent> = (0..=MAX_EVENTS_PER_APPEND).map(|_| event("a", 1).unwrap()).collect();
    assert!(append(many[1..].to_vec()).is_ok());
    assert!(matches!(append(many), Err(InvalidAppend::TooManyEvents { .. })));

    let large = Payload::of(&"x".repeat(MAX_PAYLOAD_BYTES - 2)).unwrap();
    let events = (0..=MAX_APPEND_BYTES / MAX_PAYLOAD_BYTES).map(|_| {
        let id = EventId::random();
        let metadata = Arc::new(Metadata::of(id.as_uuid()));
        NewEvent::from_parts(id, "large", 1, large.clone(), metadata).unwrap()
    });
    let events: Vec<NewEvent> = events.collect();
    assert!(append(events[1..].to_vec()).is_ok());
    assert!(matches!(append(events), Err(InvalidAppend::TooLarge { .. })));
}

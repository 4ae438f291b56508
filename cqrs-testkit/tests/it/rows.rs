//! What stores make of the rows of their tables.

use std::time::SystemTime;

use cqrs_core::{EventRow, EventRows, Position, StreamId, Version};
use uuid::Uuid;

fn row(position: u64, payload: Option<&str>) -> EventRow<'_> {
    EventRow {
        position: Position::new(position),
        stream: None,
        version: Version::new(position),
        id: Uuid::from_u128(position.into()),
        event_type: "account.opened",
        schema_version: 1,
        payload,
        bytes: payload.is_none().then_some(100),
        correlation_id: Uuid::nil(),
        causation_id: Uuid::nil(),
        details: None,
        recorded_at: SystemTime::UNIX_EPOCH,
    }
}

#[test]
fn events_are_taken_from_rows_until_there_is_no_room() {
    let mut events = EventRows::of(StreamId::new("account", "1").unwrap()).room(110);
    assert!(events.is_empty());
    events.push(row(1, Some("[1, 2, 3]"))).unwrap();
    assert!(!events.is_empty());
    // What is left out counts as well.
    events.push(row(2, None)).unwrap();
    assert_eq!((events.len(), events.bytes(), events.is_cut()), (2, 109, false));
    events.push(row(3, Some("4"))).unwrap();
    assert_eq!((events.len(), events.bytes(), events.is_cut()), (3, 110, false));
    events.push(row(4, Some("5"))).unwrap();
    assert_eq!((events.len(), events.bytes(), events.is_cut()), (3, 110, true));
    let without: Vec<Position> = events.without_payload().collect();
    assert_eq!(without, [Position::new(2)]);
    events.fill([(Position::new(2), "{}".to_owned())].into()).unwrap();
    let events = events.into_events();
    let payloads: Vec<&str> = events.iter().map(|event| event.payload.as_str()).collect();
    assert_eq!(payloads, ["[1, 2, 3]", "{}", "4"]);
}

#[test]
fn a_payload_that_is_gone_is_an_error() {
    let mut events = EventRows::of(StreamId::new("account", "1").unwrap());
    events.push(row(7, None)).unwrap();
    let error = events.fill([(Position::new(8), "{}".to_owned())].into()).unwrap_err();
    assert!(error.to_string().contains("position 7"), "{error}");
}

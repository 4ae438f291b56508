//! What the derives make, at run time and at compile time.

#![allow(clippy::unwrap_used, reason = "what fails here fails a test")]

mod aggregates;
mod commands;
mod descriptions;
mod events;
mod hygiene;
mod projections;
mod sources;
mod ui;
mod upcasting;
mod views;
mod writing;

use std::sync::Arc;
use std::time::SystemTime;

use cqrs::{
    DecodeError, Event, EventId, Metadata, NewEvent, Payload, Position, RecordedEvent, StreamId,
    Version,
};

/// The event as a store would give it back.
fn record<E: Event>(event: &E) -> RecordedEvent {
    stored(NewEvent::of(event, EventId::random(), metadata()).unwrap())
}

/// An event as it stands in a store, whoever wrote it.
fn raw(event_type: &'static str, schema_version: u32, payload: &str) -> RecordedEvent {
    let payload = Payload::from_json(payload).unwrap();
    let event =
        NewEvent::from_parts(EventId::random(), event_type, schema_version, payload, metadata());
    stored(event.unwrap())
}

fn metadata() -> Arc<Metadata> {
    Arc::new(Metadata::of(EventId::random().as_uuid()))
}

fn stored(event: NewEvent) -> RecordedEvent {
    let stream = StreamId::new("test", "1").unwrap();
    let (version, position) = (Version::new(1), Position::new(1));
    RecordedEvent::new(event, stream, version, position, SystemTime::UNIX_EPOCH)
}

fn decode<E: Event>(
    event_type: &'static str,
    version: u32,
    payload: &str,
) -> Result<E, DecodeError> {
    let mut events = decode_all::<E>(event_type, version, payload)?;
    assert_eq!(events.len(), 1);
    Ok(events.remove(0))
}

/// All that becomes of the stored event.
fn decode_all<E: Event>(
    event_type: &'static str,
    version: u32,
    payload: &str,
) -> Result<Vec<E>, DecodeError> {
    Ok(E::decode(&raw(event_type, version, payload))?.into_iter().collect())
}

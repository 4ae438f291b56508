//! Events of earlier versions, as each reader sees them (G10, G11).

mod chains;
mod moved;
mod purse;
mod reading;
mod rolling;
mod shapes;

use std::sync::Arc;

use cqrs::{Append, EventId, EventStore, ExpectedVersion, Metadata, NewEvent, Payload, StreamId};
use serde_json::Value;

/// An event as an earlier program has stored it.
#[derive(Debug, Clone, PartialEq)]
struct Stored {
    name: &'static str,
    version: u32,
    payload: Value,
}

fn stored(name: &'static str, version: u32, payload: Value) -> Stored {
    Stored { name, version, payload }
}

impl Stored {
    fn to_new(&self) -> NewEvent {
        let id = EventId::random();
        let payload = Payload::from_json(self.payload.to_string()).unwrap();
        let metadata = Arc::new(Metadata::of(id.as_uuid()));
        NewEvent::from_parts(id, self.name, self.version, payload, metadata).unwrap()
    }
}

/// Appends what earlier programs have stored in a stream.
async fn append(store: &impl EventStore, stream: &StreamId, events: &[Stored]) {
    let events = events.iter().map(Stored::to_new).collect();
    let append = Append::new(stream.clone(), ExpectedVersion::Any, events).unwrap();
    store.append(&append).await.unwrap();
}

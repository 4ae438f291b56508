//! Classes of defects that systems of this kind are known for, and that this one does not have.
//! `docs/known-defects.md` lists all of them with the tests that show it, most of which stand where the mechanism is
//! tested; here are the others.

mod building;
mod ceilings;
mod documented;
mod kept;
mod skipped;
mod state;
mod stuck;

use std::sync::Arc;

use cqrs::{
    Append, Appended, EventId, EventStore, ExpectedVersion, Metadata, NewEvent, Payload, StreamId,
};

fn events(name: &str, many: usize) -> Vec<NewEvent> {
    let event = |_| {
        let id = EventId::random();
        let metadata = Arc::new(Metadata::of(id.as_uuid()));
        let payload = Payload::from_json(r#"{"amount":1}"#).unwrap();
        NewEvent::from_parts(id, name.to_owned(), 1, payload, metadata).unwrap()
    };
    (0..many).map(event).collect()
}

fn append_of(key: &str, expected: ExpectedVersion, name: &str, many: usize) -> Append {
    let stream = StreamId::new("counter", key).unwrap();
    Append::new(stream, expected, events(name, many)).unwrap()
}

async fn add(store: &dyn EventStore, key: &str, name: &str, many: usize) -> Appended {
    store.append(&append_of(key, ExpectedVersion::Any, name, many)).await.unwrap()
}

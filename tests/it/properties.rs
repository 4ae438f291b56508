//! Properties that hold for any input.

use std::sync::Arc;
use std::time::SystemTime;

use cqrs::{
    Event, EventId, Metadata, NewEvent, Payload, Position, RecordedEvent, StreamId, Version,
};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

/// Every form a variant can have, with serde attributes that change the stored names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(prefix = "any")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "kebab-case")]
enum Any {
    Nothing,
    Single(f64),
    Pair(i64, String),
    Fields {
        first_name: String,
        numbers: Vec<f32>,
    },
    #[event(name = "nested")]
    Nested {
        inner: Box<Inner>,
        maybe: Option<u128>,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Inner {
    Number(i64),
    Text(String),
    List(Vec<Inner>),
}

fn text() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| text.replace('\0', " "))
}

fn inner() -> impl Strategy<Value = Inner> {
    let leaf = prop_oneof![any::<i64>().prop_map(Inner::Number), text().prop_map(Inner::Text)];
    leaf.prop_recursive(8, 64, 8, |inner| prop::collection::vec(inner, 0..8).prop_map(Inner::List))
}

fn finite() -> impl Strategy<Value = f64> {
    use prop::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO
}

fn event() -> impl Strategy<Value = Any> {
    use prop::num::f32::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    let numbers = prop::collection::vec(POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO, 0..5);
    prop_oneof![
        Just(Any::Nothing),
        finite().prop_map(Any::Single),
        (any::<i64>(), text()).prop_map(|(number, text)| Any::Pair(number, text)),
        (text(), numbers).prop_map(|(first_name, numbers)| Any::Fields { first_name, numbers }),
        (inner(), any::<Option<u128>>())
            .prop_map(|(inner, maybe)| Any::Nested { inner: Box::new(inner), maybe }),
    ]
}

/// The event as a store would give it back.
fn stored(event: &Any) -> RecordedEvent {
    let id = EventId::random();
    let metadata = Arc::new(Metadata::of(id.as_uuid()));
    let event = NewEvent::of(event, id, metadata).unwrap();
    let stream = StreamId::new("any", "1").unwrap();
    RecordedEvent::new(event, stream, Version::FIRST, Position::new(1), SystemTime::now())
}

proptest! {
    #[test]
    fn an_event_is_read_back_as_it_was_written(event in event()) {
        prop_assert_eq!(Any::decode(&stored(&event)).unwrap(), event.into());
    }

    #[test]
    fn what_is_stored_is_json_that_can_be_taken_as_it_is(event in event()) {
        let payload = event.encode().unwrap();
        prop_assert_eq!(Payload::from_json(payload.as_str()).unwrap(), payload);
    }

    #[test]
    fn any_text_is_a_payload_or_an_error(text in any::<String>()) {
        let _ = Payload::from_json(text);
    }

    #[test]
    fn g11_any_json_is_an_event_or_a_typed_error(event in event(), json in inner()) {
        let mut stored = stored(&event);
        stored.payload = Payload::of(&json).unwrap();
        if let Ok(read) = Any::decode(&stored) {
            prop_assert_eq!(read.map(|read| read.event_type()), event.event_type().into());
        }
    }

    #[test]
    fn any_key_is_a_stream_or_an_error(category in any::<String>(), key in any::<String>()) {
        if let Ok(stream) = StreamId::new(&category, &key) {
            prop_assert_eq!((stream.category(), stream.key()), (&*category, &*key));
        }
        if let Ok(stream) = StreamId::new("c", &key) {
            prop_assert_eq!(stream.to_string(), format!("c/{key}"));
        }
    }
}

//! Payloads on their way into a store: what could not be read back, or costs too much, is refused before anything is
//! stored (G13).

use cqrs::{Append, EventStore as _, ExpectedVersion, MemoryStore, Payload, limits};
use proptest::prelude::*;
use serde::ser::{Serialize, SerializeSeq as _, Serializer};
use serde_json::Value;

use super::texts::{cases, nearly_json};
use super::{OnPostgres, OnSqlite, add, bombs, log, new_event, stream};

/// How deep arrays and objects are nested in it.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(elements) => 1 + elements.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// What is taken for a payload can be read by whoever asks for all of it, and is within the limits.
fn is_sound(payload: &Payload) {
    let value: Value = payload.parse().unwrap();
    assert!(depth(&value) <= limits::MAX_PAYLOAD_DEPTH);
    assert!(payload.len() <= limits::MAX_PAYLOAD_BYTES);
    let written = serde_json::to_string(&value).unwrap();
    assert!(!written.contains("\\u0000"), "{written}");
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn g13_text_is_a_payload_that_can_be_read_or_it_is_refused(text in nearly_json()) {
        match Payload::from_json(text.clone()) {
            Ok(payload) => {
                prop_assert_eq!(payload.as_str(), &*text);
                is_sound(&payload);
            }
            Err(error) => prop_assert!(error.to_string().len() > 10),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g13_imports_that_cost_a_parser_too_much_are_refused_or_kept_as_they_are() {
    let (sqlite, postgres) = (OnSqlite::new().await, OnPostgres::new().await);
    let (memory, stream) = (MemoryStore::new(), stream("hostile", "imports"));
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    for (what, value) in bombs::values() {
        for text in [value.clone(), format!(r#"{{"field":{value}}}"#)] {
            match Payload::from_json(text) {
                Ok(payload) => {
                    is_sound(&payload);
                    taken.push(what.clone());
                    let event = new_event("hostile.imported", 1, payload);
                    for store in [&memory as &dyn cqrs::EventStore, &sqlite.store, &postgres.store]
                    {
                        add(store, &stream, vec![event.clone()]).await;
                    }
                }
                Err(_) => refused.push(what.clone()),
            }
        }
    }
    for store in [&memory as &dyn cqrs::EventStore, &sqlite.store, &postgres.store] {
        let events = log(store).await;
        assert_eq!(events.len(), taken.len());
        for (event, first) in events.iter().zip(log(&memory).await) {
            assert!(event.payload == first.payload, "{store:?}, {}", event.version);
        }
    }
    // What each of them is, in both places.
    for what in ["arrays, 127 deep", "objects, 100000 deep", "a number of 100 000 digits", "1e999"]
    {
        assert_eq!(refused.iter().filter(|refused| *refused == what).count(), 2, "{what}");
    }
    for what in ["-0.0", "1e-999", "a text of 3 MB", "300 000 arrays", "18446744073709551616"] {
        assert_eq!(taken.iter().filter(|taken| *taken == what).count(), 2, "{what}");
    }
    for what in [r#""\ud800""#, r#"{"\ud800":1}"#, r#""\u0000""#, "NaN", "Infinity", "\u{feff}1"] {
        assert!(refused.iter().any(|refused| refused == what), "{what}");
        assert!(!taken.iter().any(|taken| taken == what), "{what}");
    }
}

/// An array that holds itself, as deep as one looks.
struct Endless;

impl Serialize for Endless {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut array = serializer.serialize_seq(None)?;
        array.serialize_element(&Endless)?;
        array.end()
    }
}

#[test]
fn g13_a_value_nested_without_end_is_refused() {
    let error = Payload::of(&Endless).unwrap_err();
    assert!(matches!(error, cqrs::EncodeError::TooDeep), "{error}");
}

#[test]
fn g13_a_hundred_megabytes_are_refused_with_how_many_they_are() {
    const BYTES: usize = 100 << 20;
    let text = "x".repeat(BYTES);
    let error = Payload::of(&text).unwrap_err();
    assert!(error.to_string().contains("104857602 bytes"), "{error}");
    let error = Payload::from_json(format!("\"{text}\"")).unwrap_err();
    assert!(error.to_string().contains("104857602 bytes"), "{error}");
}

#[tokio::test]
async fn g13_an_append_that_is_too_large_stores_none_of_its_events() {
    let store = MemoryStore::new();
    let largest = Payload::of(&"x".repeat(limits::MAX_PAYLOAD_BYTES - 2)).unwrap();
    let many = limits::MAX_APPEND_BYTES / limits::MAX_PAYLOAD_BYTES + 1;
    let events = (0..many).map(|_| new_event("hostile.large", 1, largest.clone())).collect();
    let error = Append::new(stream("hostile", "large"), ExpectedVersion::Any, events).unwrap_err();
    assert!(error.to_string().contains("split it"), "{error}");
    assert_eq!(store.head().await.unwrap().last.get(), 0);
}

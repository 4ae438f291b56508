//! Steps of upcasters on whatever is stored: a typed error or a draft, and what no step names stays byte for byte.

use std::fmt::Write as _;

use cqrs::{Draft, UpcastError};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;
use serde_json::value::RawValue;

use super::bombs;
use super::texts::{cases, json, nearly_json};

/// A step, with the names of fields it is given.
#[derive(Debug, Clone)]
enum Step {
    Rename(&'static str, &'static str),
    Default(&'static str, String),
    Set(&'static str, String),
    Remove(&'static str),
    Map(&'static str),
    Refuse(&'static str),
    Nest(Vec<&'static str>, &'static str),
    Unnest(&'static str),
    Within(&'static str, Box<Step>),
    Each(&'static str, Box<Step>),
    Ask(&'static str),
    Whole,
}

/// Not among them are the names of fields that are to stay as they are.
const FIELDS: [&str; 8] = ["text", "amount", "owner", "a", "", "é", "\"", "\u{0}"];

fn step() -> impl Strategy<Value = Step> {
    let field = || select(&FIELDS[..]);
    let plain = prop_oneof![
        (field(), field()).prop_map(|(from, to)| Step::Rename(from, to)),
        (field(), any::<String>()).prop_map(|(field, text)| Step::Default(field, text)),
        (field(), any::<String>()).prop_map(|(field, text)| Step::Set(field, text)),
        field().prop_map(Step::Remove),
        field().prop_map(Step::Map),
        field().prop_map(Step::Refuse),
        (prop::collection::vec(field(), 0..4), field()).prop_map(|(all, to)| Step::Nest(all, to)),
        field().prop_map(Step::Unnest),
        field().prop_map(Step::Ask),
        Just(Step::Whole),
    ];
    plain.prop_recursive(3, 6, 1, move |inner| {
        prop_oneof![
            (field(), inner.clone()).prop_map(|(field, step)| Step::Within(field, Box::new(step))),
            (field(), inner).prop_map(|(field, step)| Step::Each(field, Box::new(step))),
        ]
    })
}

fn take(draft: &mut Draft, step: &Step) -> Result<(), UpcastError> {
    match step {
        Step::Rename(from, to) => draft.rename(from, to),
        Step::Default(field, text) => draft.default(field, text),
        Step::Set(field, text) => draft.set(field, text),
        Step::Remove(field) => draft.remove(field),
        Step::Map(field) => draft.map(field, |value: Value| Value::Array(vec![value])),
        Step::Refuse(field) => draft.convert(field, |_: Value| Err::<(), _>("no")),
        Step::Nest(fields, object) => draft.nest(fields, object),
        Step::Unnest(object) => draft.unnest(object),
        Step::Within(field, step) => draft.within(field, |inner| take(inner, step)),
        Step::Each(field, step) => draft.each(field, |inner| take(inner, step)),
        Step::Ask(field) => {
            draft.has(field)?;
            draft.get_optional::<Value>(field)?;
            draft.get::<String>(field).map(drop)
        }
        Step::Whole => draft.read::<Value>().map(drop),
    }
}

/// A step fails or not; the draft is JSON all the same, and one that failed has not lost what it had.
fn take_all(draft: &mut Draft, steps: &[Step]) {
    for step in steps {
        if let Err(error) = take(draft, step) {
            assert!(!error.to_string().is_empty());
        }
        let json = draft.to_json();
        let is_json = serde_json::from_str::<&RawValue>(&json).is_ok();
        assert!(is_json, "{step:?}: {json:.300}");
        let _ = format!("{draft:?}");
    }
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn any_steps_on_anything_are_a_draft_or_an_error(
        text in nearly_json(),
        steps in prop::collection::vec(step(), 0..6),
    ) {
        match Draft::from_json(&text) {
            Ok(mut draft) => take_all(&mut draft, &steps),
            Err(error) => prop_assert!(matches!(error, UpcastError::Json(_)), "{}", error),
        }
    }

    #[test]
    fn what_no_step_names_stays_byte_for_byte_wherever_it_stands(
        first in json(),
        known in prop::collection::vec((select(&FIELDS[..]), json()), 0..5),
        last in json(),
        steps in prop::collection::vec(step(), 0..8),
    ) {
        let mut text = format!("{{\"first kept\" : {first} ");
        for (field, value) in known {
            write!(text, ", {} : {value}", serde_json::to_string(field).unwrap()).unwrap();
        }
        write!(text, ", \"last kept\" : {last} }}").unwrap();
        let mut draft = Draft::from_json(&text).unwrap();
        take_all(&mut draft, &steps);
        let json = draft.to_json();
        for (field, value) in [("first kept", &first), ("last kept", &last)] {
            let compact = format!("\"{field}\":{}", value.trim());
            let as_it_was = format!("\"{field}\" : {value}");
            prop_assert!(json.contains(&compact) || json.contains(&as_it_was), "{}: {}", steps.len(), json);
        }
    }
}

#[test]
fn steps_take_what_costs_a_parser_too_much_as_it_is() {
    for (what, value) in bombs::values() {
        let text = format!(r#"{{"kept":{value},"a":1}}"#);
        let Ok(mut draft) = Draft::from_json(&text) else {
            assert!(Draft::from_json(&value).is_err(), "{what}");
            continue;
        };
        draft.rename("a", "b").unwrap();
        draft.set("c", &2).unwrap();
        draft.nest(&["c"], "n").unwrap();
        let kept = value.trim();
        assert_eq!(
            draft.to_json(),
            format!(r#"{{"kept":{kept},"b":1,"n":{{"c":2}}}}"#),
            "{what:.40}"
        );
        // Whoever asks for it gets it, or is told.
        let _ = draft.map("kept", |value: Value| value).map_err(|error| error.to_string());
        let _ = draft.within("kept", |inner| inner.remove("a"));
        let _ = draft.each("kept", |inner| inner.remove("a"));
        assert!(serde_json::from_str::<&RawValue>(&draft.to_json()).is_ok(), "{what:.40}");
    }
}

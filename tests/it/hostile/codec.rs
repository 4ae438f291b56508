//! Whatever stands in the column of a payload is the event that was stored, or a typed error.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::sync::Arc;
use std::time::SystemTime;

use cqrs::prelude::*;
use cqrs::{
    DecodeError, DecodeReason, EventId, Metadata, NewEvent, Payload, Position, RecordedEvent,
    Version,
};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::bombs;
use super::texts::{cases, nearly_json};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "hostile.wide")]
struct Wide {
    text: String,
    small: (i8, char, bool),
    large: (i64, u64),
    widest: (i128, u128),
    float: f64,
    list: Vec<f32>,
    map: BTreeMap<String, Option<i64>>,
}

/// Without fields: everything in it is passed over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "hostile.empty")]
struct Empty;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(prefix = "hostile")]
enum Evolved {
    #[event(alias = "hostile.founded", from("hostile.begun", upcast(1 => owned)))]
    Opened {
        owner: String,
    },
    #[event(version = 4, upcast(1 => cents_from_units, 2 => apart, 3 => type PaidV3))]
    Paid {
        cents: i64,
        to: String,
    },
    Kept(serde_json::Value),
    Closed,
}

#[derive(Serialize, Deserialize, Upcast)]
#[upcast(try_into = Evolved)]
struct PaidV3 {
    amount: u128,
}

impl TryFrom<PaidV3> for Evolved {
    type Error = std::num::TryFromIntError;

    fn try_from(old: PaidV3) -> Result<Self, Self::Error> {
        Ok(Self::Paid { cents: old.amount.try_into()?, to: "bank".into() })
    }
}

fn owned(draft: &mut Draft) -> Result<(), UpcastError> {
    draft.default("owner", "nobody")?;
    draft.map("owner", |owner: serde_json::Value| owner.to_string())
}

fn cents_from_units(draft: &mut Draft) -> Result<(), UpcastError> {
    draft.rename("units", "cents")?;
    draft.convert("cents", |units: i64| units.checked_mul(100).ok_or("too much"))
}

fn apart(mut draft: Draft) -> Result<Vec<Draft>, UpcastError> {
    draft.rename("cents", "amount")?;
    Ok(vec![draft.clone(), draft])
}

const NAMES: &[&str] = &[
    "hostile.wide",
    "hostile.empty",
    "hostile.opened",
    "hostile.founded",
    "hostile.begun",
    "hostile.paid",
    "hostile.kept",
    "hostile.closed",
    "hostile.Paid",
    "",
];

/// An event as a store gives it that holds this text.
fn stored(name: &str, schema_version: u32, text: &str) -> RecordedEvent {
    let mut event =
        recorded(super::new_event("hostile.empty", 1, Payload::from_stored(text.to_owned())));
    event.event_type = Arc::<str>::from(name).into();
    event.schema_version = schema_version;
    event
}

fn recorded(event: NewEvent) -> RecordedEvent {
    let stream = super::stream("hostile", "codec");
    RecordedEvent::new(event, stream, Version::new(7), Position::new(9), SystemTime::UNIX_EPOCH)
}

/// Reads it as every type here.
fn read(event: &RecordedEvent) {
    told(Wide::decode(event).err());
    told(Empty::decode(event).err());
    told(Evolved::decode(event).err());
}

/// An error says which event it is.
fn told(error: Option<DecodeError>) {
    let Some(error) = error else { return };
    let text = error.to_string();
    assert!(text.contains("hostile/codec") && text.contains("position 9"), "{text}");
    let _ = (format!("{error:?}"), error.source().map(ToString::to_string));
}

fn finite() -> impl Strategy<Value = f64> {
    use prop::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    prop_oneof![
        4 => POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO,
        1 => prop::sample::select(vec![f64::MIN, f64::MAX, f64::MIN_POSITIVE, 5e-324, -0.0, 0.1]),
    ]
}

fn text() -> impl Strategy<Value = String> {
    let texts = prop::sample::select(super::texts::TEXTS).prop_map(str::to_owned);
    prop_oneof![any::<String>(), texts].prop_map(|text| text.replace('\0', "\u{1}"))
}

fn wide() -> impl Strategy<Value = Wide> {
    let edge = || prop_oneof![Just(i128::MIN), Just(i128::MAX), any::<i128>()];
    let large = prop_oneof![Just((i64::MIN, u64::MAX)), any::<(i64, u64)>()];
    let floats = prop::collection::vec(finite(), 0..4).prop_map(|floats| {
        #[allow(clippy::cast_possible_truncation, reason = "any number will do")]
        let narrow = floats.into_iter().map(|float| float as f32);
        narrow.filter(|float| float.is_finite()).collect()
    });
    let map = prop::collection::btree_map(text(), any::<Option<i64>>(), 0..4);
    let small =
        any::<(i8, char, bool)>().prop_map(|(a, b, c)| (a, if b == '\0' { '\u{1}' } else { b }, c));
    (text(), small, large, (edge(), any::<u128>()), finite(), floats, map).prop_map(
        |(text, small, large, widest, float, list, map)| Wide {
            text,
            small,
            large,
            widest,
            float,
            list,
            map,
        },
    )
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn g11_any_text_in_the_place_of_a_payload_is_an_event_or_a_typed_error(
        text in nearly_json(),
        name in prop::sample::select(NAMES),
        version in 0..6_u32,
    ) {
        read(&stored(name, version, &text));
    }

    #[test]
    fn values_at_the_ends_of_their_types_come_back_as_they_were(wide in wide()) {
        let id = EventId::random();
        let metadata = Arc::new(Metadata::of(id.as_uuid()));
        let event = NewEvent::of(&wide, id, metadata).unwrap();
        let read = Wide::decode(&recorded(event)).unwrap();
        let [read] = read.as_slice() else { panic!("{read:?}") };
        // Zero has a sign as well.
        prop_assert_eq!(read.float.to_bits(), wide.float.to_bits());
        prop_assert_eq!(read, &wide);
    }
}

#[test]
fn g11_payloads_that_cost_a_parser_too_much_are_typed_errors() {
    for (what, value) in bombs::values() {
        let within = |field: &str| format!("{{\"{field}\":{value}}}");
        let texts = [
            value.clone(),
            within("text"),
            within("owner"),
            within("units"),
            within("unknown"),
            format!("[{value}]"),
            format!(r#"{{"cents":1,"to":"a","more":{value}}}"#),
        ];
        for text in texts {
            for (name, version) in [
                ("hostile.wide", 1),
                ("hostile.empty", 1),
                ("hostile.opened", 1),
                ("hostile.founded", 1),
                ("hostile.begun", 1),
                ("hostile.paid", 1),
                ("hostile.paid", 2),
                ("hostile.paid", 3),
                ("hostile.paid", 4),
                ("hostile.kept", 1),
                ("hostile.closed", 1),
            ] {
                let event = stored(name, version, &text);
                match name {
                    "hostile.wide" => told(Some(Wide::decode(&event).expect_err(&what))),
                    "hostile.empty" => told(Empty::decode(&event).err()),
                    _ => told(Evolved::decode(&event).err()),
                }
            }
        }
    }
}

#[test]
fn g11_what_is_nested_too_deep_is_passed_over_where_it_is_not_wanted_and_refused_where_it_is() {
    for depth in [127, 128, 129, 100_000] {
        for deep in [bombs::arrays(depth), bombs::objects(depth)] {
            // Nobody asks for what is in this field.
            let passed = format!(r#"{{"owner":"Ada","more":{deep}}}"#);
            let opened = Evolved::decode(&stored("hostile.opened", 1, &passed)).unwrap();
            assert_eq!(opened, Evolved::Opened { owner: "Ada".into() }.into());
            let passed = format!(r#"{{"units":2,"more":{deep}}}"#);
            let paid = Evolved::decode(&stored("hostile.paid", 1, &passed)).unwrap();
            assert_eq!(paid.as_slice().len(), 2, "{depth}");
            assert!(Empty::decode(&stored("hostile.empty", 1, &deep)).is_ok());
            // Somebody asks for all that is in this one.
            let kept = Evolved::decode(&stored("hostile.kept", 1, &deep));
            if depth >= 128 {
                let reason = kept.unwrap_err().reason;
                assert!(matches!(reason, DecodeReason::Payload(_)), "{reason}");
            } else {
                assert!(kept.is_ok());
            }
        }
    }
}

//! Stored events of earlier versions, brought to the version of the program by functions and by types.

use cqrs::{BoxError, DecodeReason, Draft, Event, RecordedEvent, Upcast, UpcastError};
use serde::{Deserialize, Serialize};

use crate::{decode, decode_all};

/// A function in each of its forms.
#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
#[event(
    name = "account.deposited",
    version = 5,
    upcast(
        4 => steps::each_knowing,
        1 => Self::cents,
        2 => steps::stream,
        3 => steps::each
    )
)]
struct Deposited {
    cents: u64,
    stream: String,
    position: u64,
}

impl Deposited {
    fn cents(draft: &mut Draft) -> Result<(), UpcastError> {
        draft.rename("units", "cents")?;
        draft.map("cents", |units: u64| units * 100)
    }
}

mod steps {
    use cqrs::{Draft, RecordedEvent, UpcastError};

    pub(super) fn stream(draft: &mut Draft, event: &RecordedEvent) -> Result<(), UpcastError> {
        draft.set("stream", &event.stream.to_string())
    }

    /// As many times as it says.
    pub(super) fn each(mut draft: Draft) -> Result<Vec<Draft>, UpcastError> {
        let times = draft.get_optional("times")?.unwrap_or(1);
        draft.remove("times")?;
        Ok(vec![draft; times])
    }

    pub(super) fn each_knowing(
        mut draft: Draft,
        event: &RecordedEvent,
    ) -> Result<Vec<Draft>, UpcastError> {
        draft.set("position", &event.position.get())?;
        Ok(vec![draft])
    }
}

#[test]
fn a_step_is_a_function_in_one_of_four_forms() {
    let deposited = |cents, position| Deposited { cents, stream: "test/1".into(), position };
    let decode = |version, payload| decode_all::<Deposited>("account.deposited", version, payload);
    assert_eq!(decode(1, r#"{"units":5}"#).unwrap(), [deposited(500, 1)]);
    let payload = r#"{"units":5,"times":2}"#;
    assert_eq!(decode(1, payload).unwrap(), [deposited(500, 1), deposited(500, 1)]);
    assert_eq!(decode(1, r#"{"units":5,"times":0}"#).unwrap(), []);
    let payload = r#"{"cents":5,"times":3}"#;
    assert_eq!(decode(2, payload).unwrap().len(), 3);
    let payload = r#"{"cents":5,"stream":"other","times":2}"#;
    assert_eq!(decode(3, payload).unwrap()[1].stream, "other");
    let payload = r#"{"cents":5,"stream":"other","position":9}"#;
    assert_eq!(decode(4, payload).unwrap()[0].position, 1, "the step sets it");
    assert_eq!(decode(5, payload).unwrap()[0].position, 9);
}

/// Typed steps only, one after the other, to the event.
#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "renamed", version = 4, upcast(1 => type NameV1, 2 => type NameV2, 3 => type v3::Name))]
struct Renamed {
    first: String,
    last: String,
}

#[derive(Deserialize, Upcast)]
#[upcast(into = NameV2)]
struct NameV1(String);

#[derive(Deserialize, Upcast)]
#[upcast(try_into = v3::Name)]
struct NameV2 {
    name: String,
}

mod v3 {
    #[derive(serde::Deserialize, cqrs::Upcast)]
    #[upcast(into = Option<super::Renamed>)]
    pub(super) struct Name {
        pub(super) names: Vec<String>,
    }
}

impl From<NameV1> for NameV2 {
    fn from(old: NameV1) -> Self {
        Self { name: old.0 }
    }
}

impl TryFrom<NameV2> for v3::Name {
    type Error = &'static str;

    fn try_from(old: NameV2) -> Result<Self, &'static str> {
        if old.name.is_empty() {
            return Err("a name is empty");
        }
        Ok(Self { names: old.name.split(' ').map(str::to_owned).collect() })
    }
}

impl From<v3::Name> for Option<Renamed> {
    fn from(old: v3::Name) -> Self {
        let [first, last] = <[String; 2]>::try_from(old.names).ok()?;
        Some(Renamed { first, last })
    }
}

#[test]
fn a_step_is_the_shape_of_the_earlier_version() {
    let renamed = || Renamed { first: "Ada".into(), last: "Lovelace".into() };
    let decode = |version, payload| decode_all::<Renamed>("renamed", version, payload).unwrap();
    assert_eq!(decode(1, r#""Ada Lovelace""#), [renamed()]);
    assert_eq!(decode(2, r#"{"name":"Ada Lovelace"}"#), [renamed()]);
    assert_eq!(decode(3, r#"{"names":["Ada","Lovelace"]}"#), [renamed()]);
    assert_eq!(decode(4, r#"{"first":"Ada","last":"Lovelace"}"#), [renamed()]);
    assert_eq!(decode(1, r#""Ada""#), [], "an option that is none");
}

#[test]
fn g11_a_typed_step_that_fails_is_an_error_that_says_why() {
    let error = decode::<Renamed>("renamed", 1, r#""""#).unwrap_err();
    assert!(matches!(error.reason, DecodeReason::Upcast { from: (_, 1), .. }));
    assert!(
        error.to_string().ends_with("upcaster from `renamed` v1 failed: a name is empty"),
        "{error}"
    );
    let error = decode::<Renamed>("renamed", 2, r#"{"name":7}"#).unwrap_err();
    assert!(matches!(error.reason, DecodeReason::Upcast { from: (_, 2), .. }));
    assert!(error.to_string().contains("invalid type: integer `7`"), "{error}");
}

/// Functions and types in turn, in a variant.
#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
#[event(prefix = "mixed")]
enum MixedEvent {
    Untouched(u8),
    #[event(version = 6, upcast(1 => second, 2 => type V2, 3 => type V3, 4 => fifth, 5 => type V5))]
    Changed {
        steps: Vec<u32>,
    },
}

fn second(draft: &mut Draft) -> Result<(), UpcastError> {
    draft.set("steps", &[1])
}

#[derive(Deserialize, Upcast)]
#[upcast(into = V3)]
struct V2 {
    steps: Vec<u32>,
}

#[derive(Deserialize, Upcast)]
#[upcast(into = Vec<V4>)]
struct V3 {
    steps: Vec<u32>,
}

/// After it comes a function, so it has a JSON form.
#[derive(Serialize)]
struct V4 {
    steps: Vec<u32>,
}

impl From<V2> for V3 {
    fn from(mut old: V2) -> Self {
        old.steps.push(2);
        Self { steps: old.steps }
    }
}

impl From<V3> for Vec<V4> {
    fn from(old: V3) -> Self {
        let with = |step| V4 { steps: old.steps.iter().copied().chain([step]).collect() };
        vec![with(3), with(33)]
    }
}

fn fifth(draft: &mut Draft) -> Result<(), UpcastError> {
    draft.map("steps", |mut steps: Vec<u32>| {
        steps.push(4);
        steps
    })
}

#[derive(Deserialize)]
struct V5 {
    steps: Vec<u32>,
}

// Written by hand it may look at the stored event.
impl Upcast for V5 {
    type Next = MixedEvent;

    fn upcast(mut self, event: &RecordedEvent) -> Result<cqrs::Decoded<MixedEvent>, BoxError> {
        self.steps.push(event.schema_version * 1000);
        Ok(MixedEvent::Changed { steps: self.steps }.into())
    }
}

#[test]
fn functions_and_types_follow_each_other() {
    let changed = |steps: &[u32]| MixedEvent::Changed { steps: steps.to_vec() };
    let decode =
        |version, payload| decode_all::<MixedEvent>("mixed.changed", version, payload).unwrap();
    assert_eq!(decode(1, "{}"), [changed(&[1, 2, 3, 4, 1000]), changed(&[1, 2, 33, 4, 1000])]);
    let payload = r#"{"steps":[7]}"#;
    assert_eq!(decode(2, payload), [changed(&[7, 2, 3, 4, 2000]), changed(&[7, 2, 33, 4, 2000])]);
    assert_eq!(decode(3, payload), [changed(&[7, 3, 4, 3000]), changed(&[7, 33, 4, 3000])]);
    assert_eq!(decode(4, payload), [changed(&[7, 4, 4000])]);
    assert_eq!(decode(5, payload), [changed(&[7, 5000])]);
    assert_eq!(decode(6, payload), [changed(&[7])]);
}

#[test]
fn g11_a_function_that_fails_is_an_error_that_says_at_which_version() {
    let error = decode::<Deposited>("account.deposited", 1, r#"{"amount":5}"#).unwrap_err();
    let DecodeReason::Upcast { from: ("account.deposited", 1), error } = &error.reason else {
        panic!("{error}");
    };
    assert!(matches!(&**error, UpcastError::Missing { field } if field == "units"), "{error}");
    let error = decode::<MixedEvent>("mixed.changed", 4, r#"{"steps":"x"}"#).unwrap_err();
    assert!(matches!(error.reason, DecodeReason::Upcast { from: (_, 4), .. }));
    // The last step leads to a payload that is read like any other.
    let error = decode::<Deposited>("account.deposited", 4, "{}").unwrap_err();
    assert!(matches!(error.reason, DecodeReason::Payload(_)), "{error}");
}

#[test]
fn g11_an_event_of_a_later_version_was_written_by_a_newer_program() {
    let error = decode::<MixedEvent>("mixed.changed", 7, "{}").unwrap_err();
    assert!(error.is_newer());
    assert_eq!(
        error.to_string(),
        "can't read event `mixed.changed` v7 at version 1 of stream `test/1` (position 1): this program reads it up \
         to v6; a newer program has written it, so deploy that here as well"
    );
    assert!(decode::<MixedEvent>("mixed.untouched", 2, "1").unwrap_err().is_newer());
}

#[test]
fn g11_an_unknown_event_type_names_the_most_alike() {
    let error = decode::<MixedEvent>("mixed.chnaged", 1, "{}").unwrap_err();
    assert!(error.is_unknown_type());
    assert!(error.to_string().contains("the most alike are `mixed.changed`"), "{error}");
}

/// The payload of an event without fields may have had some.
#[derive(Debug, PartialEq, Event)]
#[event(name = "closed", version = 3, upcast(1 => not_in_error, 2 => type ClosedV2))]
struct Closed;

fn not_in_error(mut draft: Draft) -> Result<Vec<Draft>, UpcastError> {
    let in_error: bool = draft.get("in_error")?;
    Ok(if in_error { vec![] } else { vec![draft] })
}

#[derive(Deserialize, Upcast)]
#[upcast(into = Closed)]
struct ClosedV2 {}

impl From<ClosedV2> for Closed {
    fn from(ClosedV2 {}: ClosedV2) -> Self {
        Self
    }
}

#[test]
fn an_event_without_fields_has_a_history_as_well() {
    let decode = |version, payload| decode_all::<Closed>("closed", version, payload).unwrap();
    assert_eq!(decode(1, r#"{"in_error":true}"#), []);
    assert_eq!(decode(1, r#"{"in_error":false}"#), [Closed]);
    assert_eq!(decode(2, "{}"), [Closed]);
    assert_eq!(decode(3, "{}"), [Closed]);
}

/// The shape of an earlier version may speak of the parameters of the event.
#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "measured", version = 4, upcast(1 => type Bare<T>, 2 => type Named<T>, 3 => with_unit::<T>))]
struct Measured<T: Clone> {
    values: Vec<T>,
    unit: String,
}

#[derive(Deserialize, Upcast)]
#[upcast(into = Named<T>)]
struct Bare<T>(T);

#[derive(Deserialize, Upcast)]
#[upcast(into = Several<T>)]
struct Named<T> {
    value: T,
}

#[derive(Serialize)]
struct Several<T> {
    values: Vec<T>,
}

impl<T> From<Bare<T>> for Named<T> {
    fn from(old: Bare<T>) -> Self {
        Self { value: old.0 }
    }
}

impl<T> From<Named<T>> for Several<T> {
    fn from(old: Named<T>) -> Self {
        Self { values: vec![old.value] }
    }
}

fn with_unit<T>(draft: &mut Draft) -> Result<(), UpcastError> {
    draft.default("unit", std::any::type_name::<T>())
}

#[test]
fn types_with_parameters_have_a_history() {
    let measured = Measured { values: vec![true], unit: "bool".into() };
    assert_eq!(decode::<Measured<bool>>("measured", 1, "true").unwrap(), measured);
    assert_eq!(decode::<Measured<bool>>("measured", 2, r#"{"value":true}"#).unwrap(), measured);
    let measured = Measured { values: vec![1], unit: "u8".into() };
    assert_eq!(decode::<Measured<u8>>("measured", 3, r#"{"values":[1]}"#).unwrap(), measured);
}

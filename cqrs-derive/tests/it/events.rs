//! Stored names, versions and payloads of events, and the way back.

use std::collections::BTreeMap;
use std::fmt::Debug;

use cqrs::{DecodeReason, Draft, Event, EventType, Upcast, UpcastError};
use serde::{Deserialize, Serialize};

use crate::{decode, record};

/// The event is stored so, and comes back the same.
#[track_caller]
fn stored_as<E: Event + PartialEq + Debug>(event: &E, name: &str, version: u32, payload: &str) {
    let recorded = record(event);
    assert_eq!((&*recorded.event_type, recorded.schema_version), (name, version));
    assert_eq!(recorded.payload.as_str(), payload);
    assert_eq!(E::decode(&recorded).unwrap().as_slice(), std::slice::from_ref(event));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Cents(u64);

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
#[event(prefix = "shop.order")]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
enum OrderEvent {
    Placed,
    Cancelled {},
    Voided(),
    Paid(Cents),
    Moved(String, u8),
    #[event(version = 3, upcast(1 => to_of_address, 2 => type ShippedV2))]
    Shipped {
        to: String,
        weight: Option<u32>,
    },
    #[event(name = "item-added")]
    #[serde(rename = "x", alias = "y")]
    ItemAdded(BTreeMap<String, u32>),
    Nested(Box<OrderEvent>),
    #[serde(rename_all = "camelCase")]
    WithExtras {
        some_field: u8,
        #[serde(flatten)]
        extras: BTreeMap<String, u8>,
    },
    #[serde(with = "as_text")]
    AsText(u64),
}

fn to_of_address(draft: &mut Draft) -> Result<(), UpcastError> {
    draft.rename("address", "to")
}

#[derive(Deserialize, Upcast)]
#[upcast(into = OrderEvent)]
struct ShippedV2 {
    to: String,
}

impl From<ShippedV2> for OrderEvent {
    fn from(old: ShippedV2) -> Self {
        Self::Shipped { to: old.to, weight: None }
    }
}

mod as_text {
    use serde::{Deserialize, Deserializer, Serializer};

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
    pub(super) fn serialize<S: Serializer>(number: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&number.to_string())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[test]
fn every_shape_of_variant_is_stored_as_its_content_alone() {
    use OrderEvent as E;
    stored_as(&E::Placed, "shop.order.placed", 1, "{}");
    stored_as(&E::Cancelled {}, "shop.order.cancelled", 1, "{}");
    stored_as(&E::Voided(), "shop.order.voided", 1, "[]");
    stored_as(&E::Paid(Cents(5)), "shop.order.paid", 1, "5");
    stored_as(&E::Moved("a".into(), 2), "shop.order.moved", 1, "[\"a\",2]");
    let shipped = E::Shipped { to: "b".into(), weight: None };
    stored_as(&shipped, "shop.order.shipped", 3, "{\"to\":\"b\",\"weight\":null}");
    let added = E::ItemAdded(BTreeMap::from([("book".into(), 1)]));
    stored_as(&added, "shop.order.item-added", 1, "{\"book\":1}");
    // Only the event itself is stored without its tag, not an enum inside it.
    let nested = E::Nested(Box::new(E::Paid(Cents(5))));
    stored_as(&nested, "shop.order.nested", 1, "{\"PAID\":5}");
    let extras = E::WithExtras { some_field: 1, extras: BTreeMap::from([("z".into(), 2)]) };
    stored_as(&extras, "shop.order.with_extras", 1, "{\"someField\":1,\"z\":2}");
    stored_as(&E::AsText(7), "shop.order.as_text", 1, "\"7\"");
}

#[test]
fn entry_n_of_types_is_that_of_variant_n() {
    let names: Vec<_> = OrderEvent::TYPES.iter().map(|known| known.name).collect();
    let own = [
        "placed",
        "cancelled",
        "voided",
        "paid",
        "moved",
        "shipped",
        "item-added",
        "nested",
        "with_extras",
        "as_text",
    ];
    assert_eq!(names, own.map(|name| format!("shop.order.{name}")));
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
struct MoneyDeposited {
    cents: u64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "account.renamed", version = 2, upcast(1 => name_alone))]
struct Renamed(String);

fn name_alone(draft: &mut Draft) -> Result<(), UpcastError> {
    let name: String = draft.get("name")?;
    draft.write(&name)
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "pair")]
struct Pair(u8, bool);

// Without fields there is nothing to serialize.
#[derive(Debug, PartialEq, Event)]
#[event(name = "account.closed")]
struct Closed;

#[derive(Debug, PartialEq, Event)]
#[event(name = "account.frozen")]
struct Frozen {}

#[derive(Debug, PartialEq, Event)]
#[event(name = "account.thawed")]
struct Thawed();

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "tagged")]
#[serde(tag = "kind", rename_all = "camelCase")]
struct Tagged {
    some_field: u8,
}

#[test]
fn every_shape_of_struct_is_stored_as_serde_writes_it() {
    stored_as(&MoneyDeposited { cents: 5 }, "money_deposited", 1, "{\"cents\":5}");
    stored_as(&Renamed("a".into()), "account.renamed", 2, "\"a\"");
    stored_as(&Pair(1, true), "pair", 1, "[1,true]");
    stored_as(&Closed, "account.closed", 1, "{}");
    stored_as(&Frozen {}, "account.frozen", 1, "{}");
    stored_as(&Thawed(), "account.thawed", 1, "{}");
    stored_as(&Tagged { some_field: 1 }, "tagged", 1, "{\"kind\":\"Tagged\",\"someField\":1}");
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
enum AccountEvent {
    HTTPCalled,
    Opened2,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
enum Event_ {
    A,
}

mod named_event {
    #[derive(serde::Serialize, serde::Deserialize, cqrs::Event)]
    pub(super) enum Event {
        A,
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
#[event(prefix = "")]
enum Bare {
    #[event(name = "whole.name")]
    Named,
    Unnamed,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
#[allow(non_camel_case_types, reason = "raw identifiers are in lower case")]
enum r#try {
    r#type { r#fn: u8 },
    r#Self_,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
#[allow(non_camel_case_types, reason = "raw identifiers are in lower case")]
struct r#match {
    r#in: u8,
}

#[test]
fn names_that_are_not_given_come_from_the_rust_names() {
    assert_eq!(AccountEvent::TYPES[0].name, "account.http_called");
    assert_eq!(AccountEvent::TYPES[1].name, "account.opened2");
    assert_eq!(Event_::TYPES[0].name, "event_.a");
    assert_eq!(named_event::Event::TYPES[0].name, "event.a");
    assert_eq!(Bare::TYPES[0].name, "whole.name");
    assert_eq!(Bare::TYPES[1].name, "unnamed");
    stored_as(&r#try::r#type { r#fn: 1 }, "try.type", 1, "{\"fn\":1}");
    stored_as(&r#try::r#Self_, "try.self_", 1, "{}");
    stored_as(&r#match { r#in: 1 }, "match", 1, "{\"in\":1}");
    let longest = "n".repeat(cqrs::limits::MAX_EVENT_TYPE_BYTES);
    assert_eq!(Longest::TYPES[0].name, longest);
}

#[derive(Event)]
#[event(
    name = "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
)]
struct Longest;

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
#[event(prefix = "measured")]
enum Measured<T, const N: usize>
where
    T: Clone,
{
    Value(T),
    Values { values: Vec<T> },
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "wrapped")]
struct Wrapped<T: Copy = u8> {
    value: T,
}

#[derive(Debug, PartialEq, Event)]
#[event(name = "marked")]
struct Marked<const N: usize>;

#[test]
fn types_with_parameters_are_events() {
    stored_as(&Measured::<u8, 3>::Value(1), "measured.value", 1, "1");
    let values = Measured::<String, 0>::Values { values: vec!["a".into()] };
    stored_as(&values, "measured.values", 1, "{\"values\":[\"a\"]}");
    stored_as(&Wrapped { value: 'x' }, "wrapped", 1, "{\"value\":\"x\"}");
    stored_as(&Marked::<2>, "marked", 1, "{}");
}

#[test]
fn g11_an_event_of_an_unknown_type_is_an_error_that_lists_the_known() {
    let error = decode::<AccountEvent>("account.gone", 1, "{}").unwrap_err();
    assert!(matches!(
        error.reason,
        DecodeReason::UnknownType { known, .. } if known == AccountEvent::TYPES
    ));
    assert!(error.to_string().contains("`account.http_called`"));
    let error = decode::<Closed>("account.frozen", 1, "{}").unwrap_err();
    assert!(matches!(error.reason, DecodeReason::UnknownType { .. }));
    // The Rust name of a variant is not its stored name, nor is serde's.
    assert!(decode::<OrderEvent>("Paid", 1, "5").is_err());
    assert!(decode::<OrderEvent>("PAID", 1, "5").is_err());
    assert!(decode::<OrderEvent>("shop.order.x", 1, "{}").is_err());
}

#[test]
fn g11_an_event_of_a_later_schema_version_is_an_error() {
    let payload = "{\"to\":\"b\",\"weight\":1}";
    assert!(decode::<OrderEvent>("shop.order.shipped", 3, payload).is_ok());
    for version in [4, u32::MAX] {
        let error = decode::<OrderEvent>("shop.order.shipped", version, payload).unwrap_err();
        assert!(matches!(error.reason, DecodeReason::Newer { newest: 3 }));
        assert!(error.is_newer());
    }
    assert!(decode::<Closed>("account.closed", 2, "{}").is_err());
    assert!(decode::<Renamed>("account.renamed", 3, "\"a\"").is_err());
}

#[test]
fn g11_a_payload_of_another_shape_is_an_error() {
    for (name, payload) in [
        ("shop.order.paid", "{}"),
        ("shop.order.paid", "{\"PAID\":5}"),
        ("shop.order.moved", "[\"a\"]"),
        ("shop.order.moved", "[\"a\",2,3]"),
    ] {
        let error = decode::<OrderEvent>(name, 1, payload).unwrap_err();
        assert!(matches!(error.reason, DecodeReason::Payload(_)), "{name} {payload}");
    }
    assert!(decode::<MoneyDeposited>("money_deposited", 1, "{}").is_err());
}

#[test]
fn knows_tells_the_stored_names() {
    assert!(OrderEvent::knows("shop.order.item-added"));
    assert!(!OrderEvent::knows("shop.order.item_added"));
    let closed = EventType::new("account.closed", 1);
    assert_eq!(Closed.event_type(), closed);
}

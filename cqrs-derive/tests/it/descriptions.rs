//! What programs can be asked about the shapes of events and commands.

use std::collections::BTreeMap;

use cqrs::__private::{Describe, Field};
use cqrs::schema::Shape;
use cqrs::{Aggregate, Apply, Command, Event};
use serde::{Deserialize, Serialize};

#[derive(Default)]
struct Notes(Vec<String>);

impl Describe for Notes {
    fn kind(&mut self, name: &'static str, docs: &'static str, attributes: &'static str) {
        self.0.push(format!("{name}|{docs}|{attributes}"));
    }

    fn field(&mut self, field: Field, shape: impl FnOnce() -> Shape) {
        let Field { name, type_, attributes, docs } = field;
        let known = if shape() == Shape::OPAQUE { "opaque" } else { "known" };
        self.0.push(format!("- {name}: {type_}|{attributes}|{docs}|{known}"));
    }
}

fn of_event<E: Event>() -> Vec<String> {
    let mut notes = Notes::default();
    E::describe(&mut notes);
    notes.0
}

fn of_command<C: Command>() -> Vec<String> {
    let mut notes = Notes::default();
    C::describe(&mut notes);
    notes.0
}

/// It was opened.
///
/// By someone.
#[derive(Serialize, Deserialize, Event)]
#[serde(rename_all = "camelCase")]
struct Opened {
    /// Who.
    owner: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    r#type: Option<Vec<u8>>,
    #[serde(skip)]
    _seen: bool,
    #[serde(with = "as_text")]
    number: u64,
    next: Option<Box<Self>>,
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
fn a_struct_is_described_with_its_fields() {
    let expected = [
        "Opened|It was opened.\n\nBy someone.|#[serde ( rename_all = \"camelCase\" )]",
        "- owner: String||Who.|known",
        "- type: Option<Vec<u8>>|#[serde ( default , skip_serializing_if = \"Option::is_none\" )]||known",
        "- _seen: bool|#[serde ( skip )]||opaque",
        "- number: u64|#[serde ( with = \"as_text\" )]||opaque",
        "- next: Option<Box<Self>>|||opaque",
    ];
    assert_eq!(of_event::<Opened>(), expected);
}

#[derive(Serialize, Deserialize, Event)]
#[event(prefix = "described")]
#[serde(rename_all_fields = "camelCase")]
enum Described<T> {
    /** No content. */
    Empty,
    #[serde(alias = "p")]
    Pair(BTreeMap<String, (u8, [char; 2])>, Vec<T>),
    #[serde(with = "as_text")]
    AsText(u64),
}

#[test]
fn an_enum_is_described_a_variant_each() {
    const ENUM: &str = "#[serde ( rename_all_fields = \"camelCase\" )]";
    let expected = [
        format!("Empty|No content.|{ENUM} |"),
        format!("Pair||{ENUM} | #[serde ( alias = \"p\" )]"),
        "- 0: BTreeMap<String, (u8, [char; 2])>|||known".to_owned(),
        "- 1: Vec<T>|||opaque".to_owned(),
        format!("AsText||{ENUM} | #[serde ( with = \"as_text\" )]"),
        "- 0: u64|||opaque".to_owned(),
    ];
    assert_eq!(of_event::<Described<u8>>(), expected);
}

#[derive(Event)]
#[event(name = "closed")]
struct Closed;

#[derive(Default, Aggregate)]
#[aggregate(events(Closed, Shared))]
struct Account;

#[derive(Serialize, Deserialize, Event)]
struct Shared(
    /// How much.
    i8,
);

impl Apply<Closed> for Account {
    fn apply(&mut self, _: Closed) {}
}

impl Apply<Shared> for Account {
    fn apply(&mut self, _: Shared) {}
}

#[test]
fn several_types_are_described_in_their_order() {
    assert_eq!(
        of_event::<<Account as Aggregate>::Event>(),
        ["Closed||", "Shared||", "- 0: i8||How much.|known"]
    );
}

/// Neither it nor its fields can be read from JSON.
#[derive(Clone, Command)]
#[command(outcome = ())]
#[allow(dead_code, reason = "it is only described")]
struct Carry {
    /// What.
    load: Load,
    times: u8,
    label: &'static str,
}

#[derive(Clone)]
struct Load;

#[derive(Clone, Command)]
#[command(outcome = ())]
#[allow(dead_code, reason = "it is only described")]
enum Administer {
    /// All of them.
    Close,
    Rename(String),
}

#[test]
fn commands_are_described_a_variant_each() {
    let expected = [
        "Carry|Neither it nor its fields can be read from JSON.|",
        "- load: Load||What.|opaque",
        "- times: u8|||known",
        "- label: &'static str|||opaque",
    ];
    assert_eq!(of_command::<Carry>(), expected);
    assert_eq!(
        of_command::<Administer>(),
        ["Close|All of them.|", "Rename||", "- 0: String|||known"]
    );
}

/// A deprecated type that is allowed in a field is allowed in what is derived.
mod deprecated {
    #![deny(deprecated)]

    #[deprecated = "cents are counted"]
    pub(super) type Units = u64;

    #[derive(Clone, cqrs::Command)]
    #[command(outcome = ())]
    pub(super) struct Pay {
        #[allow(deprecated, reason = "old clients send it")]
        pub(super) units: Units,
    }
}

#[test]
fn a_deprecated_type_is_described_like_others() {
    assert_eq!(of_command::<deprecated::Pay>()[1], "- units: Units|||known");
    assert_eq!(deprecated::Pay { units: 1 }.units, 1);
}

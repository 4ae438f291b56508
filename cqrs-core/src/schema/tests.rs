//! Catalogues: what is in them, names that mean two things, and their forms for people and tools.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Catalogue, Describe, Field, Probe, ProbeShape as _};
use crate::aggregate::Aggregate;
use crate::command::{AggregateCommand, Command, Committed, StreamKey};
use crate::event::{
    DecodeError, Decoded, EncodeError, Event, EventType, Payload, RecordedEvent, UpcastStep,
};

/// An event type without content.
macro_rules! event {
    ($event:ident, $types:expr) => {
        struct $event;

        impl Event for $event {
            const TYPES: &'static [EventType] = &$types;

            fn event_type(&self) -> EventType {
                Self::TYPES[0]
            }

            fn encode(&self) -> Result<Payload, EncodeError> {
                Payload::of(&json!({}))
            }

            fn decode(_: &RecordedEvent) -> Result<Decoded<Self>, DecodeError> {
                Ok(Self.into())
            }
        }
    };
}

macro_rules! aggregate {
    ($aggregate:ident, $category:literal, $event:ty, $ignored:expr) => {
        #[derive(Default)]
        struct $aggregate;

        impl Aggregate for $aggregate {
            const CATEGORY: &'static str = $category;
            const IGNORED: &'static [&'static str] = &$ignored;
            type Event = $event;
            type Error = std::convert::Infallible;

            fn dispatch(&mut self, _: $event) {}
        }
    };
}

#[derive(Clone, Serialize, Deserialize)]
struct Line {
    article: String,
    count: Option<u32>,
}

#[derive(Clone, Serialize, Deserialize)]
enum Payment {
    Cash,
    Card { number: String },
    Split(Vec<Payment>),
}

#[derive(Serialize, Deserialize)]
struct Placed;

impl Event for Placed {
    const TYPES: &'static [EventType] = &[
        EventType::new("order.placed", 3)
            .aliases(&["order.created"])
            .steps(&[
                UpcastStep { from: ("order.placed", 1), to: ("order.placed", 2), by: "with_lines" },
                UpcastStep { from: ("order.placed", 2), to: ("order.placed", 3), by: "PlacedV2" },
                UpcastStep { from: ("order.bought", 1), to: ("order.placed", 1), by: "placed" },
            ])
            .written_at(2),
        EventType::new("order.audited", 1).retired(),
    ];

    fn event_type(&self) -> EventType {
        Self::TYPES[0]
    }

    fn encode(&self) -> Result<Payload, EncodeError> {
        Payload::of(self)
    }

    fn decode(_: &RecordedEvent) -> Result<Decoded<Self>, DecodeError> {
        Ok(Decoded::none())
    }

    fn describe<D: Describe>(to: &mut D) {
        let field = |name, type_, attributes, docs| Field { name, type_, attributes, docs };
        to.kind(
            "Placed",
            "An order was placed.\n\nBy a customer.",
            r#"#[serde(rename_all = "camelCase")]"#,
        );
        let lines = field("order_lines", "Vec < Line >", "", "What | was ordered.");
        to.field(lines, || (&&Probe::<Vec<Line>>::new()).shape());
        let paid = field("paid", "Payment", r#"#[serde(rename = "by")]"#, "");
        to.field(paid, || (&&Probe::<Payment>::new()).shape());
        let again = field("other_lines", "Vec < Line >", "#[serde(default)]", "");
        to.field(again, || (&&Probe::<Vec<Line>>::new()).shape());
        let cached = field("cached", "u8", "#[serde(skip)]", "");
        to.field(cached, || (&&Probe::<u8>::new()).shape());
        let rest = field("rest", "Line", "#[serde(flatten)]", "");
        to.field(rest, || (&&Probe::<Line>::new()).shape());
        to.kind("Cancelled", "", "");
        to.field(field("0", "i16", "", ""), || (&&Probe::<i16>::new()).shape());
        to.field(field("1", "Uuid", "", ""), || (&&Probe::<uuid::Uuid>::new()).shape());
    }
}

event!(Shipped, [EventType::new("parcel.shipped", 1)]);
aggregate!(Order, "order", Placed, ["order.counted"]);

#[derive(Clone)]
struct Place;

impl Command for Place {
    const NAME: &'static str = "Place";
    type Outcome = Committed;
    type Error = std::convert::Infallible;
    type Route = crate::bus::ToAggregate;

    fn describe<D: Describe>(to: &mut D) {
        to.kind("Place", "Places an order.", "");
        let by = Field { name: "by", type_: "Payment", attributes: "", docs: "" };
        to.field(by, || (&&Probe::<Payment>::new()).shape());
    }
}

impl AggregateCommand for Place {
    type Aggregate = Order;

    fn stream_key(&self) -> impl StreamKey + '_ {
        "1"
    }
}

impl crate::Handle<Place> for Order {
    fn handle(&self, _: Place) -> crate::Decision<Self> {
        crate::emit(())
    }
}

fn catalogue() -> Catalogue {
    Catalogue::new().events::<Shipped>().command::<Place>().aggregate::<Order>()
}

#[test]
fn the_table_shows_what_is_read_from_what() {
    let expected = "\
EVENT           VERSION  WRITTEN      ALSO READ FROM  STEPS                                         AGGREGATE
order.audited   v1       no, retired                                                                order
order.placed    v3       v2           order.created   v1 → v2: with_lines                           order
                                      order.bought    v2 → v3: PlacedV2
                                                      order.bought v1 → order.placed v1: placed
parcel.shipped  v1       v1

order.counted is passed over in the streams of order";
    let table = catalogue().to_string();
    let squeezed = |text: &str| {
        let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        lines.collect::<Vec<_>>()
    };
    assert_eq!(squeezed(&table), squeezed(expected), "{table}");
    let column = |line: &str, what: &str| line.find(what).map(|at| line[..at].chars().count());
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(column(lines[0], "STEPS"), column(lines[2], "v1 →"), "{table}");
    assert_eq!(column(lines[0], "STEPS"), column(lines[4], "order.bought v1"), "{table}");
}

#[test]
fn markdown_shows_documentation_fields_and_types() {
    let text = catalogue().markdown();
    for part in [
        "# Events\n",
        "\n## `order.placed` v3\n",
        "Aggregate: `order`. Written as v2 for now. Also read from: `order.created`.\n",
        "\nAn order was placed.\n\nBy a customer.\n",
        "| `order_lines` | `Vec < Line >` | `list<Line>` | What \\| was ordered. |\n",
        "| `paid` | `Payment` | `Payment` `#[serde(rename = \"by\")]` |  |\n",
        "\n```text\ntype Line\n  article: text\n  count?: option<u32>\nenum Payment\n  Card\n    number: text\n  Cash\n  Split = list<Payment>\n```\n",
        "- v1 → v2: with_lines\n",
        "Retired: it is read, and no longer written.\n",
        "## `parcel.shipped` v1\n\nIts fields are not known here.\n",
        "# Commands\n\n## `Place`\n\nDecided on by the aggregate `order`.\n\nPlaces an order.\n",
    ] {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }
}

#[test]
fn json_schema_describes_the_stored_form() {
    let schema = catalogue().json_schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let line = json!({ "$ref": "#/$defs/type.Line" });
    let lines = json!({ "type": "array", "items": line });
    let described = json!({
        "type": "array", "items": line, "description": "What | was ordered.",
    });
    let payment = json!({ "$ref": "#/$defs/type.Payment" });
    let number = json!({ "type": "integer", "minimum": 0, "maximum": 4_294_967_295_u32 });
    let expected = json!({
        "command.Place": {
            "title": "Place", "type": "object", "description": "Places an order.",
            "properties": { "by": payment }, "required": ["by"],
        },
        "order.audited.v1": {
            "title": "order.audited", "deprecated": true,
            "type": "array", "minItems": 2, "maxItems": 2,
            "prefixItems": [
                { "type": "integer", "minimum": -32768, "maximum": 32767 },
                { "type": "string", "examples": ["00000000-0000-0000-0000-000000000000"] },
            ],
        },
        "order.placed.v3": {
            "title": "order.placed", "description": "An order was placed.\n\nBy a customer.",
            "type": "object",
            "properties": { "orderLines": described, "by": payment, "otherLines": lines },
            "required": ["orderLines", "by"],
            "allOf": [line],
        },
        "parcel.shipped.v1": { "title": "parcel.shipped" },
        "type.Line": {
            "type": "object",
            "properties": {
                "article": { "type": "string" },
                "count": { "anyOf": [number, { "type": "null" }] },
            },
            "required": ["article"],
        },
        "type.Payment": { "oneOf": [
            { "const": "Cash" },
            {
                "type": "object", "required": ["Card"], "additionalProperties": false,
                "properties": { "Card": {
                    "type": "object", "properties": { "number": { "type": "string" } },
                    "required": ["number"],
                } },
            },
            {
                "type": "object", "required": ["Split"], "additionalProperties": false,
                "properties": { "Split": { "type": "array", "items": payment } },
            },
        ] },
    });
    assert_eq!(schema["$defs"], expected, "{schema:#}");
}

#[test]
fn the_order_of_registration_does_not_show() {
    let other = Catalogue::new().command::<Place>().aggregate::<Order>().events::<Shipped>();
    assert_eq!(other.to_string(), catalogue().to_string());
    assert_eq!(other.markdown(), catalogue().markdown());
    assert_eq!(other.json_schema().to_string(), catalogue().json_schema().to_string());
    let twice = catalogue().aggregate::<Order>().events::<Shipped>().command::<Place>();
    assert_eq!(twice.markdown(), catalogue().markdown());
    assert!(twice.check().is_ok());
}

event!(Newer, [EventType::new("order.placed", 4)]);
event!(Taken, [EventType::new("thing.taken", 1).aliases(&["parcel.shipped"])]);
event!(
    Made,
    [EventType::new("thing.made", 1).steps(&[UpcastStep {
        from: ("order.created", 1),
        to: ("thing.made", 1),
        by: "made"
    }])]
);
event!(
    Split,
    [EventType::new("thing.split", 1).steps(&[UpcastStep {
        from: ("order.bought", 1),
        to: ("thing.split", 1),
        by: "split"
    }])]
);
event!(Twin, [EventType::new("parcel.shipped", 1).retired()]);
aggregate!(Thing, "thing", Split, ["order.bought"]);

#[test]
fn g11_names_that_mean_two_things_are_found_all_at_once() {
    let catalogue = catalogue()
        .events::<Newer>()
        .events::<Taken>()
        .events::<Made>()
        .events::<Twin>()
        .aggregate::<Thing>();
    let clashes = catalogue.check().unwrap_err();
    let expected = [
        "`order.bought` is ignored in `thing` streams, but `thing.split` of that aggregate is read from it; remove one of \
         the two",
        "`order.created` is an alias of `order.placed` in `Placed` and a source of `thing.made` in `Made`; events stored \
         under it can be only one of them",
        "`order.placed` is declared twice: at v3 in `Placed`, at v4 in `Newer`; declare it once, or give one of the two \
         another name",
        "`parcel.shipped` is declared twice: in `Shipped` and in `Twin`, with other aliases or steps; declare it once, or \
         give one of the two another name",
        "`parcel.shipped` is the name of `parcel.shipped` in `Shipped` and an alias of `thing.taken` in `Taken`; events \
         stored under it can be only one of them",
        "`parcel.shipped` is the name of `parcel.shipped` in `Twin` and an alias of `thing.taken` in `Taken`; events \
         stored under it can be only one of them",
    ];
    let path = concat!(module_path!(), "::");
    let clashes: Vec<String> = clashes.iter().map(|clash| clash.replace(path, "")).collect();
    assert_eq!(clashes, expected);
}

event!(
    Parcels,
    [
        EventType::new("parcel.shipped", 1).aliases(&["order.placed"]),
        EventType::new("parcel.made", 1).aliases(&["order.audited"]),
        EventType::new("parcel.counted", 1),
    ]
);
aggregate!(Parcel, "parcel", Parcels, []);
aggregate!(Fair, "fair", Shipped, []);

#[test]
fn g11_a_bus_reports_all_clashes_of_its_aggregates_at_once() {
    let bus = || crate::Bus::builder(crate::MemoryStore::new());
    let error = bus().aggregate::<Order>().aggregate::<Fair>().aggregate::<Parcel>().build();
    let error = error.unwrap_err().to_string();
    let lines: Vec<&str> = error.lines().skip(1).collect();
    assert_eq!(lines.len(), 3, "{error}");
    assert!(lines.iter().all(|line| line.contains("tests.rs:")), "{error}");
    for part in ["`order.placed` is", "`order.audited` is", "`parcel.shipped` is declared twice"] {
        assert_eq!(lines.iter().filter(|line| line.contains(part)).count(), 1, "{part}\n{error}");
    }
    // What one event type is to two aggregates is the same.
    aggregate!(Market, "market", Shipped, []);
    assert!(bus().aggregate::<Order>().aggregate::<Fair>().aggregate::<Market>().build().is_ok());
}

#[derive(Clone)]
struct Count;

impl Command for Count {
    const NAME: &'static str = "Count";
    type Outcome = ();
    type Error = std::convert::Infallible;
    type Route = crate::bus::ToHandler;
}

#[test]
fn commands_of_handlers_have_no_aggregate() {
    let catalogue = catalogue().handled_command::<Count>();
    let commands: Vec<_> = catalogue.commands().map(|known| (known.name, known.category)).collect();
    assert_eq!(commands, [("Count", None), ("Place", Some("order"))]);
    let text = catalogue.markdown();
    assert!(text.contains("## `Count`\n\nCarried out by a handler.\n"), "{text}");
    assert_eq!(catalogue.json_schema()["$defs"]["command.Count"], json!({}));
}

mod apart {
    use super::*;

    pub(super) struct Shipped;

    impl Event for Shipped {
        const TYPES: &'static [EventType] = super::Shipped::TYPES;

        fn event_type(&self) -> EventType {
            Self::TYPES[0]
        }

        fn encode(&self) -> Result<Payload, EncodeError> {
            Payload::of(&json!({}))
        }

        fn decode(_: &RecordedEvent) -> Result<Decoded<Self>, DecodeError> {
            Ok(Self.into())
        }

        fn describe<D: Describe>(to: &mut D) {
            to.kind("Changed", "", "");
        }
    }
}

#[test]
fn g11_types_that_say_the_same_of_different_content_clash() {
    let clashes = catalogue().events::<apart::Shipped>().check().unwrap_err();
    assert_eq!(clashes.iter().count(), 1);
    assert!(clashes.to_string().contains("with different content"), "{clashes}");
}

#[test]
fn a_stored_event_may_be_split_among_types_that_are_registered_apart() {
    let catalogue = catalogue().events::<Split>();
    assert!(catalogue.check().is_ok());
    let readers = catalogue.readers_of("order.bought").map(super::EventReader::rust_type);
    assert_eq!(readers.count(), 2);
    assert_eq!(catalogue.readers_of("order.counted").count(), 0);
}

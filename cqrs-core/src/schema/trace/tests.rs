//! What types of all forms of serde ask for.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::num::NonZeroU32;
use std::time::Duration;

use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::outline::{form, names, outlines};
use super::shape_of;

/// The shape of `T` as text: its form, then the structs and enums in it.
fn outline<T: DeserializeOwned>() -> String {
    let shape = shape_of::<T>();
    let mut lines = vec![form(&shape.form, &names(&shape.types))];
    lines.extend(outlines(&shape.types));
    lines.join("\n")
}

/// The outline of the shape of `T`.
#[track_caller]
fn shows<T: DeserializeOwned>(expected: &str) {
    let expected = expected.lines().map(|line| line.strip_prefix("        ").unwrap_or(line));
    let expected: Vec<&str> = expected.filter(|line| !line.trim().is_empty()).collect();
    assert_eq!(outline::<T>(), expected.join("\n"));
}

/// A date that no made-up text is, unless it has the form of one.
#[derive(Serialize)]
struct Date(String);

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let is_date = text.len() == 10 && text.as_bytes()[4] == b'-';
        if is_date { Ok(Self(text)) } else { Err(D::Error::custom("not a date")) }
    }
}

/// What accepts nothing that is tried.
#[derive(Serialize)]
struct Secret;

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "open sesame" { Ok(Self) } else { Err(D::Error::custom("no")) }
    }
}

#[test]
fn values() {
    shows::<bool>("bool");
    shows::<i8>("i8");
    shows::<u64>("u64");
    shows::<i128>("i128");
    shows::<usize>("u64");
    shows::<f32>("f32");
    shows::<f64>("f64");
    shows::<char>("char");
    shows::<String>("text");
    shows::<Box<str>>("text");
    shows::<std::path::PathBuf>("text");
    shows::<()>("null");
    shows::<NonZeroU32>("u32 like 1");
    shows::<serde_json::Value>("any");
    shows::<Box<serde_json::value::RawValue>>("any");
    shows::<std::net::Ipv4Addr>(r#"text like "127.0.0.1""#);
    shows::<Uuid>(r#"text like "00000000-0000-0000-0000-000000000000""#);
    shows::<Date>(r#"text like "2000-01-01""#);
    shows::<Secret>("checked text");
}

#[test]
fn collections() {
    shows::<Option<u8>>("option<u8>");
    shows::<Vec<Option<String>>>("list<option<text>>");
    shows::<HashSet<char>>("list<char>");
    shows::<[u8; 3]>("tuple<u8, u8, u8>");
    shows::<(u8, String, Uuid, bool)>(
        r#"tuple<u8, text, text like "00000000-0000-0000-0000-000000000000", bool>"#,
    );
    shows::<(Secret, u8)>("tuple<checked text, opaque>");
    shows::<HashMap<String, Vec<u8>>>("map<text, list<u8>>");
    shows::<BTreeMap<u32, bool>>("map<u32, bool>");
    shows::<HashMap<Uuid, Date>>(
        r#"map<text like "00000000-0000-0000-0000-000000000000", text like "2000-01-01">"#,
    );
    shows::<Duration>(
        "
        Duration
        type Duration
          nanos: u32
          secs: u64",
    );
    shows::<Result<u8, String>>(
        "
        Result
        enum Result
          Err = text
          Ok = u8",
    );
}

fn five() -> u8 {
    5
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "only looked at")]
struct Order {
    customer_id: Uuid,
    #[serde(rename = "when", alias = "at", alias = "zeit")]
    placed: Date,
    secret: Secret,
    lines: Vec<Line>,
    #[serde(default = "five")]
    urgency: u8,
    note: Option<String>,
    #[serde(skip)]
    cached: usize,
    newtype: Cents,
    pair: Pair,
    marker: Marker,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "only looked at")]
struct Line {
    article: Box<str>,
    #[serde(default)]
    count: u32,
    #[serde(alias = "cost")]
    price: Cents,
    #[serde(with = "as_text")]
    weight: u64,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "only looked at")]
struct Cents(u64);

#[derive(Deserialize)]
#[allow(dead_code, reason = "only looked at")]
struct Pair(u8, String);

#[derive(Deserialize)]
struct Marker;

mod as_text {
    use super::*;

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[test]
fn structs_by_their_stored_names() {
    // No value is made up for the secret, so that nobody knows which fields of the order may be absent.
    shows::<Order>(
        r#"
        Order
        type Line
          article: text
          count?: u32
          price: u64
          weight: text like "0"
        type Order
          customerId~: text like "00000000-0000-0000-0000-000000000000"
          lines~: list<Line>
          marker~: null
          newtype~: u64
          note~: option<text>
          pair~: Pair
          secret~: checked text
          urgency~: u8
          when~: text like "2000-01-01"
        type Pair = tuple<u8, text>"#,
    );
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "only looked at")]
struct Optional {
    secret: Option<Secret>,
    #[serde(default)]
    other: Vec<Secret>,
    uuid: Uuid,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "only looked at")]
struct Leaves {
    #[serde(default = "none")]
    secret: Secret,
    size: u8,
}

fn none() -> Secret {
    Secret
}

#[test]
fn fields_that_may_be_absent() {
    shows::<Optional>(
        r#"
        Optional
        type Optional
          other?: list<checked text>
          secret?: option<checked text>
          uuid: text like "00000000-0000-0000-0000-000000000000""#,
    );
    shows::<Leaves>(
        "
        Leaves
        type Leaves
          secret?: checked text
          size: u8",
    );
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code, reason = "only looked at")]
enum External {
    Nothing,
    One(Cents),
    Two(u8, Date),
    Fields {
        first: Secret,
        #[serde(alias = "zweite")]
        second: u8,
    },
    #[serde(rename = "empty!")]
    Empty {},
    #[serde(skip)]
    Gone,
}

#[derive(Deserialize)]
#[serde(tag = "kind")]
#[allow(dead_code, reason = "only looked at")]
enum Internal {
    A {
        x: u8,
    },
    B,
    #[serde(rename = "cc")]
    C(Leaves),
}

#[derive(Deserialize)]
#[serde(tag = "t", content = "c")]
#[allow(dead_code, reason = "only looked at")]
enum Adjacent {
    A { x: u8 },
    B,
    C(Leaves),
    D(u8, Date),
}

#[derive(Deserialize)]
#[serde(untagged)]
#[allow(dead_code, reason = "only looked at")]
enum Untagged {
    A(u8),
    B { x: u8 },
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "only looked at")]
struct Flat {
    own: u8,
    #[serde(flatten)]
    leaves: Leaves,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "only looked at")]
struct Two {
    kind: Kind,
    value: serde_json::Value,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "only looked at")]
enum Kind {
    A,
    B,
}

#[test]
fn enums_of_all_forms() {
    shows::<External>(
        r#"
        External
        enum External
          empty! {}
          fields
            first~: checked text
            second~: u8
          nothing
          one = u64
          two = tuple<u8, text like "2000-01-01">"#,
    );
    shows::<Internal>(
        r#"
        Tagged
        enum Tagged by "kind"
          A = opaque
          B = opaque
          cc = opaque"#,
    );
    shows::<Adjacent>(
        r#"
        Adjacent
        enum Adjacent by "t" of "c"
          A = opaque
          B
          C = Leaves
          D = tuple<u8, text like "2000-01-01">
        type Leaves
          secret?: checked text
          size: u8"#,
    );
    shows::<Untagged>("any");
    shows::<Flat>("any");
    shows::<Two>(
        "
        Two
        enum Kind
          A
          B
        type Two
          kind: Kind
          value: any",
    );
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "only looked at")]
struct Node {
    value: u8,
    left: Option<Box<Node>>,
    others: Vec<Node>,
    by_name: HashMap<String, Node>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "only looked at")]
struct Chain(Option<Box<Chain>>);

#[derive(Deserialize)]
#[allow(dead_code, reason = "only looked at")]
enum Tree {
    Branch(Box<Tree>, Box<Tree>),
    Leaf(u8),
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "only looked at")]
struct Page<T> {
    items: Vec<T>,
    next: Option<Box<Page<T>>>,
}

#[test]
fn types_within_themselves_and_type_parameters() {
    shows::<Node>(
        "
        Node
        type Node
          by_name: map<text, Node>
          left?: option<Node>
          others: list<Node>
          value: u8",
    );
    shows::<Chain>(
        "
        Chain
        type Chain = option<Chain>",
    );
    shows::<Tree>(
        "
        Tree
        enum Tree
          Branch = tuple<Tree, Tree>
          Leaf = u8",
    );
    shows::<Page<Page<u8>>>(
        "
        Page
        type Page
          items: list<Page.2>
          next?: option<Page>
        type Page.2
          items: list<u8>
          next?: option<Page.2>",
    );
}

/// A sequence of itself, written by hand, without a name by which it could be known again.
struct Endless;

impl<'de> Deserialize<'de> for Endless {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<Self>::deserialize(deserializer).map(|_| Self)
    }
}

#[test]
fn what_has_no_end_ends() {
    let text = outline::<Endless>();
    assert!(text.starts_with("list<list<") && text.contains("opaque"), "{text}");
}

/// Asks for something else each time.
struct Fickle;

impl<'de> Deserialize<'de> for Fickle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        static TIMES: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        match TIMES.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 3 {
            0 => Option::<u8>::deserialize(deserializer).map(drop),
            1 => Kind::deserialize(deserializer).map(drop),
            _ => Pair::deserialize(deserializer).map(drop),
        }?;
        Ok(Self)
    }
}

#[test]
fn what_asks_for_something_else_each_time_does_no_harm() {
    for _ in 0..3 {
        assert!(!outline::<Fickle>().is_empty());
        assert!(!outline::<Vec<(Fickle, Fickle)>>().is_empty());
    }
}

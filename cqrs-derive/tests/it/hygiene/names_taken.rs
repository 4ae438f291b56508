//! Everything the expansions could mean by a short name means something else here.

#![no_implicit_prelude]
#![allow(
    clippy::enum_variant_names,
    clippy::upper_case_acronyms,
    dead_code,
    non_camel_case_types,
    non_upper_case_globals,
    unused_macros,
    reason = "the names are there to be in the way"
)]

use ::cqrs::{
    Aggregate as DeriveAggregate, Command, Event as DeriveEvent, Projection as DeriveProjection,
    Query, Upcast as DeriveUpcast, View as DeriveView,
};
use ::std::clone::Clone;
use ::std::default::Default;

pub(super) struct Result;
pub(super) struct Option;
struct Some;
struct None;
struct Ok;
struct Err;
struct Vec;
struct From;
struct EventType;
struct Payload;
struct RecordedEvent;
struct Received;
struct Transaction;
struct BoxError;
struct MemoryModel;
struct Value;
struct Table;
struct ColumnInfo;
struct ColumnType;
struct ColumnError;
struct E0;
struct E1;
struct Decoded;
struct Probe;
struct Field;
struct UpcastStep;
struct D;
trait Upcast {}
trait Into {}
trait Describe {}
trait Send {}
trait Sync {}
trait Apply {}
trait Project {}
trait ReadModel {}
trait Future {}
trait Serialize {}
trait Fold {}
trait View {}
trait Column {}
trait TryFrom {}
trait Iterator {}
trait IntoIterator {}
mod core {}
mod std {}
mod cqrs {}
mod serde {}
const event: () = ();
static command: () = ();
static received: () = ();
static transaction: () = ();
static row: () = ();
static key: () = ();
static values: () = ();
static error: () = ();
macro_rules! panic {
    () => {};
}
macro_rules! vec {
    () => {};
}
macro_rules! format {
    () => {};
}
macro_rules! matches {
    () => {};
}

#[derive(::serde::Serialize, ::serde::Deserialize, DeriveEvent)]
pub(super) enum Event {
    TYPES,
    Error(::std::string::String),
    Event { content: ::core::primitive::u8 },
}

#[derive(::serde::Serialize, ::serde::Deserialize, DeriveEvent)]
#[event(name = "other")]
pub(super) struct Other<T> {
    content: T,
}

#[derive(DeriveEvent)]
#[event(name = "unit")]
pub(super) struct Unit;

#[derive(::serde::Serialize, ::serde::Deserialize, DeriveEvent)]
#[event(
    name = "history",
    version = 5,
    upcast(1 => type History, 2 => type Link, 3 => step, 4 => type Step),
    from("source", upcast(1 => step), into = 4),
    write_version = 4,
    downcast(5 => step)
)]
pub(super) struct Past {
    content: ::core::primitive::u8,
}

#[derive(::serde::Deserialize, DeriveUpcast)]
#[upcast(into = Link)]
struct History {}

#[derive(::serde::Serialize, ::serde::Deserialize, DeriveUpcast)]
#[upcast(into = Link)]
struct Link {}

#[derive(::serde::Deserialize, DeriveUpcast)]
#[upcast(try_into = ::std::vec::Vec<Past>)]
struct Step {}

impl ::core::convert::From<History> for Link {
    fn from(_: History) -> Self {
        Self {}
    }
}

impl ::core::convert::From<Step> for ::std::vec::Vec<Past> {
    fn from(_: Step) -> Self {
        ::std::vec![Past { content: 1 }]
    }
}

fn step(draft: &mut ::cqrs::Draft) -> ::core::result::Result<(), ::cqrs::UpcastError> {
    draft.default("content", &1)
}

#[derive(DeriveEvent)]
#[event(name = "retired", retired)]
pub(super) struct Retired;

#[derive(
    Clone, Default, ::std::cmp::PartialEq, ::serde::Serialize, ::serde::Deserialize, DeriveAggregate,
)]
#[aggregate(events(Event, Other<T>, Unit), snapshot(every = 2), ignore("ignored"))]
pub(super) struct Aggregate<T> {
    content: T,
}

impl<T> ::cqrs::Apply<Event> for Aggregate<T> {
    fn apply(&mut self, _: Event) {}
}

impl<T> ::cqrs::Apply<Other<T>> for Aggregate<T> {
    fn apply(&mut self, _: Other<T>) {}
}

impl<T> ::cqrs::Apply<Unit> for Aggregate<T> {
    fn apply(&mut self, _: Unit) {}
}

#[derive(Clone, Command)]
#[command(aggregate = Aggregate<::core::primitive::u8>, id = command)]
pub(super) struct Do {
    command: ::std::string::String,
}

impl ::cqrs::Handle<Do> for Aggregate<::core::primitive::u8> {
    fn handle(&self, _: Do) -> ::cqrs::Decision<Self> {
        ::cqrs::emit(Unit)
    }
}

#[derive(Clone, Command)]
#[command(outcome = Result)]
pub(super) struct Carry;

#[derive(Clone, Query)]
#[query(output = Option)]
pub(super) struct Ask;

#[derive(DeriveProjection)]
#[projection(
    model = ::cqrs::MemoryModel<::core::primitive::u8>,
    events(Event, Other<T>, Unit),
)]
pub(super) struct Projection<T: Member> {
    content: T,
}

pub(super) trait Member:
    ::serde::Serialize
    + ::serde::de::DeserializeOwned
    + ::core::marker::Send
    + ::core::marker::Sync
    + 'static
{
}

impl Member for ::core::primitive::u8 {}

project!(for Projection<T>: Event, Other<T>, Unit; where T: Member);

#[derive(Clone, DeriveView)]
#[view(key(event, content), index(values), events(Event, Unit))]
pub(super) struct Row {
    event: ::std::string::String,
    content: ::core::primitive::bool,
    values: ::core::option::Option<::std::string::String>,
    #[view(json)]
    key: ::std::string::String,
}

fold!(for Row: Event, Unit);

#[derive(Clone, ::serde::Serialize, ::serde::Deserialize, DeriveView)]
#[serde(bound = "")]
#[view(document, key(error), events(Other<T>, Unit))]
pub(super) struct Paper<T: Member + Clone> {
    error: ::core::primitive::u8,
    content: T,
}

pub(super) trait Content: Member + Clone {}

impl<T: Member + Clone> Content for T {}

fold!(for Paper<T>: Other<T>, Unit; where T: Content);

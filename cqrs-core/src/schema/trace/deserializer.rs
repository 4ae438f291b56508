//! A deserializer without values. It goes along a path into a type, and at the end of it sees what is asked for.

use std::any::type_name;
use std::cell::RefCell;
use std::fmt;

use serde::Deserializer;
use serde::de::value::MapDeserializer;
use serde::de::{self, DeserializeSeed, Visitor};

use super::super::Form;
use super::access::{Entry, Key, Parts, Variant};

/// A step into a type. What has to come before the part the step leads to is given as JSON text.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Some,
    Newtype,
    Element,
    /// An element of a tuple, after the others.
    Item(Vec<String>),
    Key,
    /// The value of this key.
    Value(String),
    Field(&'static str),
    Variant(&'static str),
    /// A field after another one.
    After {
        first: &'static str,
        json: String,
        field: &'static str,
    },
}

/// What to find out at the end of the path.
#[derive(Debug)]
pub(super) enum Question {
    /// What is asked for?
    Asks,
    /// Is this JSON text accepted?
    Accepts(String),
    /// What does something that takes anything say of an object of these entries?
    Says(Vec<(&'static str, &'static str)>),
    /// Which field is this one, which is given twice with this value?
    Twice(&'static str, String),
}

/// What is found.
#[derive(Debug)]
pub(super) enum Finding {
    Asks(Ask),
    Accepts(bool),
    Says(Halt),
}

/// What is asked for. Structs and enums come with what tells them from others.
#[derive(Debug)]
pub(super) enum Ask {
    Leaf(Form),
    /// Asked for by this reader.
    Any(&'static str),
    Identifier,
    Option,
    Newtype(Origin),
    Sequence,
    Tuple(usize),
    TupleStruct(Origin, usize),
    Map,
    Struct(Origin, &'static [&'static str]),
    Enum(Origin, &'static [&'static str]),
    UnitVariant,
    NewtypeVariant,
    TupleVariant(usize),
    StructVariant(&'static [&'static str]),
}

/// Where a struct or enum comes from: its name, and that of what reads it.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) name: &'static str,
    pub(super) reader: &'static str,
}

/// Why reading stops: mostly because it has come to the end of the path.
#[derive(Debug)]
pub(super) enum Halt {
    Stop,
    Missing(&'static str),
    Twice(&'static str),
    UnknownVariant(&'static [&'static str]),
}

impl fmt::Display for Halt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("only looking")
    }
}

impl std::error::Error for Halt {}

impl de::Error for Halt {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Stop
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::Twice(field)
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::UnknownVariant(expected)
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Tracer<'a> {
    pub(super) path: &'a [Step],
    pub(super) question: &'a Question,
    pub(super) finding: &'a RefCell<Option<Finding>>,
}

impl<'de> Tracer<'de> {
    fn found(self, finding: Finding) -> Halt {
        *self.finding.borrow_mut() = Some(finding);
        Halt::Stop
    }

    /// The end of the path, or the next step.
    pub(super) fn step(self, ask: impl FnOnce() -> Ask) -> Result<(&'de Step, Self), Halt> {
        match self.path.split_first() {
            Some((step, path)) => Ok((step, Self { path, ..self })),
            None if matches!(self.question, Question::Asks) => {
                Err(self.found(Finding::Asks(ask())))
            }
            None => Err(Halt::Stop),
        }
    }

    fn leaf<T>(self, form: Form) -> Result<T, Halt> {
        // Where the path goes on, something else was asked for before.
        Err(self.step(|| Ask::Leaf(form)).err().unwrap_or(Halt::Stop))
    }

    /// The value to be tried here.
    fn tried(self) -> Option<&'de str> {
        match (self.path, self.question) {
            ([], Question::Accepts(json)) => Some(json),
            _ => None,
        }
    }

    fn outcome<T>(self, outcome: &Result<T, serde_json::Error>) -> Halt {
        self.found(Finding::Accepts(outcome.is_ok()))
    }

    pub(super) fn part<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Halt> {
        match self.tried() {
            Some(json) => {
                let outcome = seed.deserialize(&mut serde_json::Deserializer::from_str(json));
                Err(self.outcome(&outcome))
            }
            None => seed.deserialize(self),
        }
    }
}

/// Where a struct or enum comes from that is read by `V`.
fn origin<V>(name: &'static str) -> Origin {
    Origin { name, reader: type_name::<V>() }
}

macro_rules! leaves {
    ($($method:ident: $form:expr),* $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Halt> { self.leaf($form) })*
    };
}

impl<'de> Deserializer<'de> for Tracer<'de> {
    type Error = Halt;

    leaves! {
        deserialize_bool: Form::Bool,
        deserialize_i8: Form::Integer { bits: 8, signed: true },
        deserialize_i16: Form::Integer { bits: 16, signed: true },
        deserialize_i32: Form::Integer { bits: 32, signed: true },
        deserialize_i64: Form::Integer { bits: 64, signed: true },
        deserialize_i128: Form::Integer { bits: 128, signed: true },
        deserialize_u8: Form::Integer { bits: 8, signed: false },
        deserialize_u16: Form::Integer { bits: 16, signed: false },
        deserialize_u32: Form::Integer { bits: 32, signed: false },
        deserialize_u64: Form::Integer { bits: 64, signed: false },
        deserialize_u128: Form::Integer { bits: 128, signed: false },
        deserialize_f32: Form::Float { bits: 32 },
        deserialize_f64: Form::Float { bits: 64 },
        deserialize_char: Form::Char,
        deserialize_str: Form::Text,
        deserialize_string: Form::Text,
        deserialize_bytes: Form::Bytes,
        deserialize_byte_buf: Form::Bytes,
        deserialize_unit: Form::Unit,
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
        if let ([], Question::Says(entries)) = (self.path, self.question) {
            let said = visitor.visit_map(MapDeserializer::new(entries.iter().copied()));
            return Err(match said {
                Ok(_) => Halt::Stop,
                Err(halt) => self.found(Finding::Says(halt)),
            });
        }
        Err(self.step(|| Ask::Any(type_name::<V>())).err().unwrap_or(Halt::Stop))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Halt> {
        Err(self.step(|| Ask::Any(type_name::<V>())).err().unwrap_or(Halt::Stop))
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Halt> {
        Err(self.step(|| Ask::Identifier).err().unwrap_or(Halt::Stop))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: V,
    ) -> Result<V::Value, Halt> {
        self.leaf(Form::Unit)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
        let (Step::Some, inner) = self.step(|| Ask::Option)? else { return Err(Halt::Stop) };
        match inner.tried() {
            Some(json) => {
                let json = &mut serde_json::Deserializer::from_str(json);
                Err(self.outcome(&visitor.visit_some(json)))
            }
            None => visitor.visit_some(inner),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        let step = self.step(|| Ask::Newtype(origin::<V>(name)))?;
        let (Step::Newtype, inner) = step else { return Err(Halt::Stop) };
        match inner.tried() {
            Some(json) => {
                let json = &mut serde_json::Deserializer::from_str(json);
                Err(self.outcome(&visitor.visit_newtype_struct(json)))
            }
            None => visitor.visit_newtype_struct(inner),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
        let (Step::Element, inner) = self.step(|| Ask::Sequence)? else { return Err(Halt::Stop) };
        visitor.visit_seq(Parts { before: [].iter(), last: Some(inner) })
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        let (step, inner) = self.step(|| Ask::Tuple(length))?;
        inner.item(step, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        let (step, inner) = self.step(|| Ask::TupleStruct(origin::<V>(name), length))?;
        inner.item(step, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
        let (step, inner) = self.step(|| Ask::Map)?;
        visitor.visit_map(Entry::of(step, inner)?)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Halt> {
        if let ([], Question::Twice(field, json)) = (self.path, self.question) {
            return self.twice(field, json, visitor);
        }
        let (step, inner) = self.step(|| Ask::Struct(origin::<V>(name), fields))?;
        visitor.visit_map(Entry::of(step, inner)?)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Halt> {
        let (step, inner) = self.step(|| Ask::Enum(origin::<V>(name), variants))?;
        let Step::Variant(variant) = step else { return Err(Halt::Stop) };
        visitor.visit_enum(Variant { variant, content: inner })
    }
}

impl<'de> Tracer<'de> {
    pub(super) fn item<V: Visitor<'de>>(
        self,
        step: &'de Step,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        let Step::Item(before) = step else { return Err(Halt::Stop) };
        visitor.visit_seq(Parts { before: before.iter(), last: Some(self) })
    }

    pub(super) fn twice<V: Visitor<'de>>(
        self,
        field: &'static str,
        json: &'de str,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        let before = Some((field, json));
        let said = visitor.visit_map(Entry { before, key: Key::Name(field), inner: self });
        match said {
            Err(halt @ Halt::Twice(_)) => Err(self.found(Finding::Says(halt))),
            said => said,
        }
    }
}

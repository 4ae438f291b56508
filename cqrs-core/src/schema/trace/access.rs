//! The parts of what is read: only those the path leads to, and what has to come before them.

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::deserializer::{Ask, Halt, Question, Step, Tracer};

/// Reads what has to come before.
fn given<'de, S: DeserializeSeed<'de>>(seed: S, json: &'de str) -> Result<S::Value, Halt> {
    seed.deserialize(&mut serde_json::Deserializer::from_str(json)).map_err(|_| Halt::Stop)
}

/// The elements before the one the path leads to, and that one.
pub(super) struct Parts<'a> {
    pub(super) before: std::slice::Iter<'a, String>,
    pub(super) last: Option<Tracer<'a>>,
}

impl<'de> SeqAccess<'de> for Parts<'de> {
    type Error = Halt;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Halt> {
        match (self.before.next(), self.last) {
            (Some(json), _) => given(seed, json).map(Some),
            (None, Some(last)) => {
                self.last = None;
                last.part(seed).map(Some)
            }
            (None, None) => Ok(None),
        }
    }
}

/// The entry the path leads to, before all others: one that is not accepted hides none of them.
pub(super) struct Entry<'a> {
    pub(super) before: Option<(&'static str, &'a str)>,
    pub(super) key: Key<'a>,
    pub(super) inner: Tracer<'a>,
}

#[derive(Clone, Copy)]
pub(super) enum Key<'a> {
    Name(&'static str),
    Json(&'a str),
    /// The path leads into the key.
    Wanted,
}

impl<'a> Entry<'a> {
    pub(super) fn of(step: &'a Step, inner: Tracer<'a>) -> Result<Self, Halt> {
        let (before, key) = match step {
            Step::Key => (None, Key::Wanted),
            Step::Value(key) => (None, Key::Json(key)),
            Step::Field(name) => (None, Key::Name(name)),
            Step::After { first, json, field } => (Some((*first, &**json)), Key::Name(field)),
            _ => return Err(Halt::Stop),
        };
        Ok(Self { before, key, inner })
    }
}

impl<'de> MapAccess<'de> for Entry<'de> {
    type Error = Halt;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Halt> {
        let key = self.before.map_or(self.key, |(name, _)| Key::Name(name));
        let key = match key {
            Key::Wanted => self.inner.part(seed),
            Key::Json(json) => given(seed, json),
            Key::Name(name) => {
                let name: StrDeserializer<'static, Halt> = name.into_deserializer();
                seed.deserialize(name)
            }
        };
        key.map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Halt> {
        match self.before.take() {
            Some((_, json)) => given(seed, json),
            None => self.inner.part(seed),
        }
    }
}

/// A variant of an enum, by its stored name.
pub(super) struct Variant<'a> {
    pub(super) variant: &'static str,
    pub(super) content: Tracer<'a>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Halt;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Halt> {
        let name: StrDeserializer<'static, Halt> = self.variant.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = Halt;

    fn unit_variant(self) -> Result<(), Halt> {
        Err(self.content.step(|| Ask::UnitVariant).err().unwrap_or(Halt::Stop))
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Halt> {
        let (_, inner) = self.content.step(|| Ask::NewtypeVariant)?;
        inner.part(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Halt> {
        let (step, inner) = self.content.step(|| Ask::TupleVariant(length))?;
        inner.item(step, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Halt> {
        if let ([], Question::Twice(field, json)) = (self.content.path, self.content.question) {
            return self.content.twice(field, json, visitor);
        }
        let (step, inner) = self.content.step(|| Ask::StructVariant(fields))?;
        visitor.visit_map(Entry::of(step, inner)?)
    }
}

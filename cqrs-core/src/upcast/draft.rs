//! The payload of an event while it is brought to another version of its schema.

use std::fmt;

use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeMap as _, Serializer as _};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::UpcastError;
use crate::event::Payload;

/// The payload of an event while it is brought to another version of its schema.
///
/// What no step touches stays as it is stored, byte for byte: numbers of any size included.
///
/// ```
/// # use cqrs_core as cqrs;
/// use cqrs::{Draft, UpcastError};
///
/// /// v1 had whole units; v2 has cents, and a currency.
/// fn cents_from_units(draft: &mut Draft) -> Result<(), UpcastError> {
///     draft.rename("units", "cents")?;
///     draft.map("cents", |units: u64| units * 100)?;
///     draft.default("currency", "EUR")
/// }
///
/// let mut draft = Draft::from_json(r#"{"units":5,"note":"rent"}"#)?;
/// cents_from_units(&mut draft)?;
/// assert_eq!(draft.to_json(), r#"{"cents":500,"note":"rent","currency":"EUR"}"#);
/// # Ok::<(), UpcastError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Draft(Body);

#[derive(Clone)]
enum Body {
    /// As it is stored; most steps of a chain never look inside.
    Text(Box<str>),
    Object(Vec<(Box<str>, Box<RawValue>)>),
}

impl Draft {
    /// An object without fields.
    pub fn empty() -> Self {
        Self(Body::Object(Vec::new()))
    }

    /// A draft of this JSON text.
    ///
    /// # Errors
    /// When it is not JSON.
    pub fn from_json(text: &str) -> Result<Self, UpcastError> {
        let value: &RawValue = serde_json::from_str(text).map_err(UpcastError::Json)?;
        Ok(Self(Body::Text(value.get().into())))
    }

    /// A draft of the JSON form of `value`.
    ///
    /// # Errors
    /// When it has none.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, UpcastError> {
        let text = serde_json::to_string(value).map_err(UpcastError::Json)?;
        Ok(Self(Body::Text(text.into())))
    }

    pub(crate) fn of_payload(payload: &Payload) -> Self {
        Self(Body::Text(payload.as_str().into()))
    }

    /// The JSON text.
    pub fn to_json(&self) -> String {
        match &self.0 {
            Body::Text(text) => text.to_string(),
            Body::Object(fields) => written(fields),
        }
    }

    pub(crate) fn into_payload(self) -> Payload {
        match self.0 {
            Body::Text(text) => Payload::from_stored(text),
            Body::Object(fields) => Payload::from_stored(written(&fields)),
        }
    }

    /// The whole payload as a `T`, for one that is not an object: a number, a text, an array.
    ///
    /// # Errors
    /// When it does not have the shape of a `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, UpcastError> {
        let read = match &self.0 {
            Body::Text(text) => serde_json::from_str(text),
            Body::Object(fields) => serde_json::from_str(&written(fields)),
        };
        read.map_err(UpcastError::Json)
    }

    /// Takes the JSON form of `value` for the whole payload.
    ///
    /// # Errors
    /// When it has none.
    pub fn write<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), UpcastError> {
        *self = Self::of(value)?;
        Ok(())
    }

    /// Whether the object has this field. `null` is a value like others.
    ///
    /// # Errors
    /// When the payload is not an object.
    pub fn has(&mut self, field: &str) -> Result<bool, UpcastError> {
        Ok(self.find(field)?.is_some())
    }

    /// The value of a field.
    ///
    /// # Errors
    /// When there is none, or it does not have the shape of a `T`.
    pub fn get<T: DeserializeOwned>(&mut self, field: &str) -> Result<T, UpcastError> {
        match self.find(field)? {
            Some(value) => parse(field, value),
            None => Err(UpcastError::Missing { field: field.to_owned() }),
        }
    }

    /// The value of a field that may be absent; `None` where it is absent or `null`.
    ///
    /// # Errors
    /// When it does not have the shape of a `T`.
    pub fn get_optional<T: DeserializeOwned>(
        &mut self,
        field: &str,
    ) -> Result<Option<T>, UpcastError> {
        match self.find(field)? {
            Some(value) => parse(field, value),
            None => Ok(None),
        }
    }

    /// Gives a field this value, whether or not it has one; a new field comes last.
    ///
    /// # Errors
    /// When the value has no JSON form.
    pub fn set<T: Serialize + ?Sized>(
        &mut self,
        field: &str,
        value: &T,
    ) -> Result<(), UpcastError> {
        let value = raw(field, value)?;
        match self.position(field)? {
            (fields, Some(index)) => fields[index].1 = value,
            (fields, None) => fields.push((field.into(), value)),
        }
        Ok(())
    }

    /// Gives a field this value if it is absent.
    ///
    /// # Errors
    /// When the value has no JSON form.
    pub fn default<T: Serialize + ?Sized>(
        &mut self,
        field: &str,
        value: &T,
    ) -> Result<(), UpcastError> {
        if self.has(field)? { Ok(()) } else { self.set(field, value) }
    }

    /// Gives a field another name, in its place.
    ///
    /// # Errors
    /// When there is no such field, or one with the new name already.
    pub fn rename(&mut self, field: &str, name: &str) -> Result<(), UpcastError> {
        if field != name && self.has(name)? {
            return Err(UpcastError::Present { field: name.to_owned() });
        }
        let (fields, index) = self.present(field)?;
        fields[index].0 = name.into();
        Ok(())
    }

    /// Removes a field, if it is there.
    ///
    /// # Errors
    /// When the payload is not an object.
    pub fn remove(&mut self, field: &str) -> Result<(), UpcastError> {
        let (fields, index) = self.position(field)?;
        if let Some(index) = index {
            fields.remove(index);
        }
        Ok(())
    }

    /// Makes another value of that of a field.
    ///
    /// # Errors
    /// When there is no such field, its value does not have the shape of a `T`, or the new one has no JSON form.
    pub fn map<T: DeserializeOwned, U: Serialize>(
        &mut self,
        field: &str,
        change: impl FnOnce(T) -> U,
    ) -> Result<(), UpcastError> {
        self.convert(field, |value| Ok::<U, UpcastError>(change(value)))
    }

    /// The same with a change that may fail.
    ///
    /// # Errors
    /// When `change` fails; otherwise see [`map`](Self::map).
    pub fn convert<T: DeserializeOwned, U: Serialize, E: fmt::Display>(
        &mut self,
        field: &str,
        change: impl FnOnce(T) -> Result<U, E>,
    ) -> Result<(), UpcastError> {
        let (fields, index) = self.present(field)?;
        let changed = change(parse(field, &fields[index].1)?).map_err(|error| {
            UpcastError::Refused { field: field.to_owned(), reason: error.to_string() }
        })?;
        fields[index].1 = raw(field, &changed)?;
        Ok(())
    }

    /// Moves those of these fields that are there into an object of their own, which comes last.
    ///
    /// # Errors
    /// When there is a field with the object's name already.
    pub fn nest(&mut self, fields: &[&str], object: &str) -> Result<(), UpcastError> {
        if self.has(object)? && !fields.contains(&object) {
            return Err(UpcastError::Present { field: object.to_owned() });
        }
        let own = self.fields()?;
        let (inner, outer) =
            std::mem::take(own).into_iter().partition(|(name, _)| fields.contains(&&**name));
        *own = outer;
        own.push((object.into(), stored(written(&inner))?));
        Ok(())
    }

    /// Moves the fields of an object up, in its place.
    ///
    /// # Errors
    /// When there is no such object, or one of its fields is there already.
    pub fn unnest(&mut self, object: &str) -> Result<(), UpcastError> {
        let (fields, index) = self.present(object)?;
        let mut inner = Self(Body::Text(fields[index].1.get().into()));
        let inner = std::mem::take(inner.fields().map_err(|error| error.within(object))?);
        for (name, _) in &inner {
            let is_twice = fields.iter().any(|(other, _)| other == name && **other != *object);
            if is_twice {
                return Err(UpcastError::Present { field: name.to_string() });
            }
        }
        fields.splice(index..=index, inner);
        Ok(())
    }

    /// Changes the object in a field.
    ///
    /// # Errors
    /// When there is no such field, or `change` fails.
    pub fn within(
        &mut self,
        field: &str,
        change: impl FnOnce(&mut Self) -> Result<(), UpcastError>,
    ) -> Result<(), UpcastError> {
        let (fields, index) = self.present(field)?;
        let mut inner = Self(Body::Text(fields[index].1.get().into()));
        change(&mut inner).map_err(|error| error.within(field))?;
        fields[index].1 = stored(inner.to_json())?;
        Ok(())
    }

    /// Changes each element of the array in a field.
    ///
    /// # Errors
    /// When there is no such field, it is not an array, or `change` fails.
    pub fn each(
        &mut self,
        field: &str,
        mut change: impl FnMut(&mut Self) -> Result<(), UpcastError>,
    ) -> Result<(), UpcastError> {
        let (fields, index) = self.present(field)?;
        let elements: Vec<Box<RawValue>> = parse(field, &fields[index].1)?;
        let mut changed = Vec::with_capacity(elements.len());
        for (number, element) in elements.iter().enumerate() {
            let mut inner = Self(Body::Text(element.get().into()));
            change(&mut inner).map_err(|error| error.within(&format!("{field}[{number}]")))?;
            changed.push(stored(inner.to_json())?);
        }
        fields[index].1 = raw(field, &changed)?;
        Ok(())
    }

    /// The fields of the object.
    fn fields(&mut self) -> Result<&mut Fields, UpcastError> {
        if let Body::Text(text) = &self.0 {
            let Object(fields) =
                serde_json::from_str(text).map_err(|_| UpcastError::NotAnObject)?;
            self.0 = Body::Object(fields);
        }
        match &mut self.0 {
            Body::Object(fields) => Ok(fields),
            Body::Text(_) => Err(UpcastError::NotAnObject),
        }
    }

    fn find(&mut self, field: &str) -> Result<Option<&RawValue>, UpcastError> {
        let (fields, index) = self.position(field)?;
        Ok(index.map(|index| &*fields[index].1))
    }

    fn position(&mut self, field: &str) -> Result<(&mut Fields, Option<usize>), UpcastError> {
        let fields = self.fields()?;
        let index = fields.iter().position(|(name, _)| **name == *field);
        Ok((fields, index))
    }

    fn present(&mut self, field: &str) -> Result<(&mut Fields, usize), UpcastError> {
        match self.position(field)? {
            (fields, Some(index)) => Ok((fields, index)),
            (_, None) => Err(UpcastError::Missing { field: field.to_owned() }),
        }
    }
}

type Fields = Vec<(Box<str>, Box<RawValue>)>;

fn parse<T: DeserializeOwned>(field: &str, value: &RawValue) -> Result<T, UpcastError> {
    serde_json::from_str(value.get())
        .map_err(|error| UpcastError::Field { field: field.to_owned(), error })
}

fn raw<T: Serialize + ?Sized>(field: &str, value: &T) -> Result<Box<RawValue>, UpcastError> {
    serde_json::value::to_raw_value(value)
        .map_err(|error| UpcastError::Field { field: field.to_owned(), error })
}

fn stored(text: String) -> Result<Box<RawValue>, UpcastError> {
    RawValue::from_string(text).map_err(UpcastError::Json)
}

fn written(fields: &[(Box<str>, Box<RawValue>)]) -> String {
    let mut text = Vec::with_capacity(
        2 + fields.iter().map(|(name, value)| name.len() + value.get().len() + 4).sum::<usize>(),
    );
    let mut serializer = serde_json::Serializer::new(&mut text);
    let done = serializer.serialize_map(Some(fields.len())).and_then(|mut map| {
        for (name, value) in fields {
            map.serialize_entry(name, value)?;
        }
        map.end()
    });
    debug_assert!(done.is_ok(), "text and raw JSON have a JSON form");
    String::from_utf8(text).unwrap_or_default()
}

/// What is in the payload is not for logs.
impl fmt::Debug for Body {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(formatter, "{} bytes", text.len()),
            Self::Object(fields) => {
                formatter.debug_set().entries(fields.iter().map(|(name, _)| name)).finish()
            }
        }
    }
}

/// The fields of an object, in their order, with values that are not looked into.
struct Object(Fields);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Object;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut fields = Vec::with_capacity(map.size_hint().unwrap_or(8));
                while let Some(entry) = map.next_entry()? {
                    fields.push(entry);
                }
                Ok(Object(fields))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

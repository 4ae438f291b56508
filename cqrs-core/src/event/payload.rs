//! The JSON text of an event or a snapshot, checked when made so that every store can keep it.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{EncodeError, strict};

/// JSON text that every store keeps byte for byte and every database can query.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Payload(Box<str>);

impl Payload {
    /// The JSON form of `value`.
    ///
    /// # Errors
    /// When `value` has no faithful JSON form; see [`EncodeError`].
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, EncodeError> {
        strict::check(value)?;
        let text = serde_json::to_string(value).map_err(EncodeError::json)?;
        Self::sized(text.into_boxed_str())
    }

    /// Takes JSON text as it is, from an import or a store of your own.
    ///
    /// # Errors
    /// When the text is not one JSON value, or one that no store could keep; see [`EncodeError`].
    pub fn from_json(text: impl Into<Box<str>>) -> Result<Self, EncodeError> {
        let text = text.into();
        if text.len() > crate::limits::MAX_PAYLOAD_BYTES {
            return Err(EncodeError::TooLarge { bytes: text.len() });
        }
        let value: serde_json::Value = serde_json::from_str(&text).map_err(EncodeError::json)?;
        strict::check(&value)?;
        Ok(Self(text))
    }

    /// Takes text that a store wrote from a `Payload` before, without checking it again.
    ///
    /// For authors of stores: text that is not JSON surfaces later, as a typed decode error.
    #[inline]
    pub fn from_stored(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The JSON text.
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_text(self) -> Box<str> {
        self.0
    }

    /// Length of the JSON text in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no text at all, which is never so for a payload made by this crate.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads the JSON as a `T`.
    ///
    /// # Errors
    /// When the JSON does not have the shape of a `T`.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }

    /// Takes what a JSON serializer wrote.
    pub(super) fn from_utf8(text: Vec<u8>) -> Result<Self, EncodeError> {
        let text = String::from_utf8(text).map_err(|error| {
            EncodeError::json(<serde_json::Error as serde::ser::Error>::custom(error))
        })?;
        Self::sized(text.into_boxed_str())
    }

    fn sized(text: Box<str>) -> Result<Self, EncodeError> {
        match text.len() {
            bytes if bytes > crate::limits::MAX_PAYLOAD_BYTES => {
                Err(EncodeError::TooLarge { bytes })
            }
            _ => Ok(Self(text)),
        }
    }
}

/// Only the size: what is in an event is not for logs. `Display` shows the text.
impl fmt::Debug for Payload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Payload({} bytes)", self.len())
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

//! Between typed events and their stored form; the functions here are what derived code calls.

use std::fmt;
use std::sync::Arc;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::variant::{VariantDeserializer, VariantSerializer};
use super::{Event, EventType, Payload, RecordedEvent, strict};
use crate::limits::{MAX_PAYLOAD_BYTES, MAX_PAYLOAD_DEPTH};
use crate::stream::StreamId;
use crate::version::{Position, Version};

/// The stored form of a struct.
///
/// # Errors
/// See [`EncodeError`].
#[doc(hidden)]
pub fn encode_struct<T: Serialize>(event: &T) -> Result<Payload, EncodeError> {
    Payload::of(event)
}

/// The stored form of a struct without fields.
#[doc(hidden)]
pub fn encode_unit() -> Payload {
    Payload::from_stored("{}")
}

/// The stored form of an enum: the content of its variant.
///
/// # Errors
/// See [`EncodeError`].
#[doc(hidden)]
pub fn encode_variant<T: Serialize>(event: &T) -> Result<Payload, EncodeError> {
    strict::check(event)?;
    let mut text = Vec::with_capacity(128);
    event
        .serialize(VariantSerializer(&mut serde_json::Serializer::new(&mut text)))
        .map_err(EncodeError::json)?;
    Payload::from_utf8(text)
}

/// The struct that was stored.
///
/// # Errors
/// See [`DecodeError`].
#[doc(hidden)]
pub fn decode_struct<T: Event + for<'de> Deserialize<'de>>(
    event: &RecordedEvent,
) -> Result<T, DecodeError> {
    index_of::<T>(event)?;
    event.payload.parse().map_err(|error| DecodeError::new(event, DecodeReason::Payload(error)))
}

/// The struct without fields that was stored.
///
/// # Errors
/// See [`DecodeError`].
#[doc(hidden)]
pub fn decode_unit<T: Event>(event: &RecordedEvent, value: T) -> Result<T, DecodeError> {
    index_of::<T>(event)?;
    match event.payload.parse::<IgnoredAny>() {
        Ok(_) => Ok(value),
        Err(error) => Err(DecodeError::new(event, DecodeReason::Payload(error))),
    }
}

/// The enum whose variant was stored. Entry `n` of `T::TYPES` must be that of variant `n`.
///
/// # Errors
/// See [`DecodeError`].
#[doc(hidden)]
pub fn decode_variant<T: Event + for<'de> Deserialize<'de>>(
    event: &RecordedEvent,
) -> Result<T, DecodeError> {
    let index = index_of::<T>(event)?;
    let mut content = serde_json::Deserializer::from_str(event.payload.as_str());
    T::deserialize(VariantDeserializer { index, content: &mut content })
        .and_then(|value| content.end().map(|()| value))
        .map_err(|error| DecodeError::new(event, DecodeReason::Payload(error)))
}

/// The error for an event that is none of `known`.
#[doc(hidden)]
#[cold]
pub fn unknown_type(event: &RecordedEvent, known: &'static [EventType]) -> DecodeError {
    DecodeError::new(event, DecodeReason::UnknownType { known })
}

/// Which of the event types of `T` the stored event has, at exactly the schema version this program writes.
fn index_of<T: Event>(event: &RecordedEvent) -> Result<u32, DecodeError> {
    let mut types = (0..).zip(T::TYPES);
    let Some((index, current)) = types.find(|(_, known)| known.name == &*event.event_type) else {
        return Err(unknown_type(event, T::TYPES));
    };
    if event.schema_version == current.schema_version {
        return Ok(index);
    }
    let reason = DecodeReason::SchemaVersion { current: current.schema_version };
    Err(DecodeError::new(event, reason))
}

/// A value that has no stored form that every store could keep and give back (G13).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A number is infinite or not a number; JSON has no form for it.
    #[error(
        "the number at `{path}` is not finite, which JSON can't hold; store it as an option or a text"
    )]
    NotFinite {
        /// Where in the value.
        path: String,
    },
    /// A text or a key has a NUL character.
    #[error("the text at `{path}` has a NUL character, which databases can't store")]
    Nul {
        /// Where in the value.
        path: String,
    },
    /// `Some` of nothing, such as `Some(None)`, which JSON can't tell from `None`.
    #[error(
        "the value at `{path}` is a `Some` without content, which would be read back as `None`"
    )]
    LostSome {
        /// Where in the value.
        path: String,
    },
    /// Arrays and objects are nested too deeply to be read back.
    #[error(
        "the value is nested deeper than {MAX_PAYLOAD_DEPTH} levels and could not be read back"
    )]
    TooDeep,
    /// The JSON text is too large.
    #[error(
        "the payload has {bytes} bytes; at most {MAX_PAYLOAD_BYTES} are allowed: \
         store large documents elsewhere and their address in the event"
    )]
    TooLarge {
        /// Size of the JSON text.
        bytes: usize,
    },
    /// The value's own `Serialize` failed, or the text is not JSON.
    #[error("the value has no JSON form: {0}")]
    Json(serde_json::Error),
}

impl EncodeError {
    pub(crate) fn json(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

/// A stored event that this program can't read. It is never guessed at and never skipped in silence (G11).
#[derive(Debug, thiserror::Error)]
#[error(
    "can't read event `{event_type}` v{schema_version} at version {version} of stream `{stream}` \
     (position {position}): {reason}"
)]
#[non_exhaustive]
pub struct DecodeError {
    /// The stream of the event.
    pub stream: StreamId,
    /// The place of the event in its stream.
    pub version: Version,
    /// The place of the event in the log.
    pub position: Position,
    /// The stored name of the event type.
    pub event_type: Arc<str>,
    /// The stored version of the schema.
    pub schema_version: u32,
    /// What is wrong.
    pub reason: DecodeReason,
}

impl DecodeError {
    #[cold]
    fn new(event: &RecordedEvent, reason: DecodeReason) -> Self {
        Self {
            stream: event.stream.clone(),
            version: event.version,
            position: event.position,
            event_type: event.event_type.clone(),
            schema_version: event.schema_version,
            reason,
        }
    }
}

/// Why a stored event can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeReason {
    /// The reader does not know the event type.
    #[error("no such event type is known here; known are {}", Names(known))]
    UnknownType {
        /// The event types the reader knows.
        known: &'static [EventType],
    },
    /// The reader knows another version of the schema.
    #[error(
        "this program reads v{current} of it; an event of a later version needs a newer program, \
         one of an earlier version an upcaster"
    )]
    SchemaVersion {
        /// The version the reader knows.
        current: u32,
    },
    /// The payload does not have the shape of the Rust type.
    #[error("its payload does not have the expected shape: {0}")]
    Payload(serde_json::Error),
}

/// Lists event types in an error message, the first few of many.
struct Names<'a>(&'a [EventType]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 12;
        for (index, known) in self.0.iter().take(SHOWN).enumerate() {
            write!(formatter, "{}`{}`", if index == 0 { "" } else { ", " }, known.name)?;
        }
        match self.0.len() {
            0 => formatter.write_str("none"),
            known if known > SHOWN => write!(formatter, " and {} more", known - SHOWN),
            _ => Ok(()),
        }
    }
}

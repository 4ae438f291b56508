//! Events: what a type must tell to be stored and read back.

mod codec;
mod payload;
mod recorded;
mod strict;
mod types;
mod variant;

use std::fmt;

pub use self::codec::{DecodeError, DecodeReason, EncodeError};
#[doc(hidden)]
pub use self::codec::{
    decode_struct, decode_unit, decode_variant, encode_struct, encode_unit, encode_variant,
    unknown_type,
};
pub use self::payload::Payload;
pub use self::recorded::{EventId, InvalidEvent, NewEvent, RecordedEvent};
#[doc(hidden)]
pub use self::types::{are_apart, concatenate};

/// The stored name of a kind of event and the version of its schema that this program writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventType {
    /// The stored name, such as `account.opened`. It never changes once events are stored under it.
    pub name: &'static str,
    /// The version of the schema, from 1.
    pub schema_version: u32,
}

impl EventType {
    /// The event type with this stored name and schema version.
    pub const fn new(name: &'static str, schema_version: u32) -> Self {
        Self { name, schema_version }
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} v{}", self.name, self.schema_version)
    }
}

/// A Rust type whose values are stored as events. Derive it: a struct is one event type, an enum is one event type
/// a variant.
///
/// ```
/// # use cqrs_core as cqrs;
/// use cqrs::{Event, EventType};
/// # use cqrs_core::{DecodeError, EncodeError, Payload, RecordedEvent};
/// # struct Opened;
/// # impl Event for Opened {
/// #     const TYPES: &'static [EventType] = &[EventType::new("account.opened", 1)];
/// #     fn event_type(&self) -> EventType { Self::TYPES[0] }
/// #     fn encode(&self) -> Result<Payload, EncodeError> { Payload::of(&()) }
/// #     fn decode(_: &RecordedEvent) -> Result<Self, DecodeError> { Ok(Self) }
/// # }
/// assert_eq!(Opened::TYPES[0].to_string(), "account.opened v1");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    label = "not an event",
    note = "add `#[derive(serde::Serialize, serde::Deserialize, Event)]` to `{Self}`"
)]
pub trait Event: Sized + Send + Sync + 'static {
    /// The event types of this Rust type, in order of declaration.
    const TYPES: &'static [EventType];

    /// The event type of this value.
    fn event_type(&self) -> EventType;

    /// The stored form of this value.
    ///
    /// # Errors
    /// When the value has no faithful JSON form: a number that is not finite, a NUL character, nesting deeper than
    /// [`MAX_PAYLOAD_DEPTH`](crate::limits::MAX_PAYLOAD_DEPTH), or an error of its own `Serialize`.
    fn encode(&self) -> Result<Payload, EncodeError>;

    /// The value that was stored.
    ///
    /// # Errors
    /// When the event type or schema version is not known to this program, or the payload does not have the shape
    /// this program expects (G11).
    fn decode(event: &RecordedEvent) -> Result<Self, DecodeError>;

    /// Whether an event stored under this name is one of this type's.
    fn knows(event_type: &str) -> bool {
        Self::TYPES.iter().any(|known| known.name == event_type)
    }
}

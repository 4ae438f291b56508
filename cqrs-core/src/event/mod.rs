//! Events: what a type must tell to be stored and read back.

mod codec;
mod decoded;
mod errors;
mod event_type;
mod name;
mod payload;
mod recorded;
mod strict;
mod variant;

#[doc(hidden)]
pub use self::codec::{
    Member, decode_struct, decode_union, decode_unit, decode_variant, encode_retired,
    encode_struct, encode_unit, encode_variant,
};
pub use self::decoded::Decoded;
pub(crate) use self::errors::Brief;
pub use self::errors::{DecodeError, DecodeReason, EncodeError};
pub use self::event_type::{EventType, UpcastStep};
#[doc(hidden)]
pub use self::event_type::{are_apart, concatenate, is_read};
pub use self::name::EventTypeName;
pub use self::payload::Payload;
pub use self::recorded::{EventId, InvalidEvent, NewEvent, RecordedEvent};
use crate::schema::Describe;

/// A Rust type whose values are stored as events. Derive it: a struct is one event type, an enum is one event type
/// a variant.
///
/// ```
/// # use cqrs_core as cqrs;
/// use cqrs::{Event, EventType};
/// # use cqrs_core::{DecodeError, Decoded, EncodeError, Payload, RecordedEvent};
/// # struct Opened;
/// # impl Event for Opened {
/// #     const TYPES: &'static [EventType] = &[EventType::new("account.opened", 1)];
/// #     fn event_type(&self) -> EventType { Self::TYPES[0] }
/// #     fn encode(&self) -> Result<Payload, EncodeError> { Payload::of(&()) }
/// #     fn decode(_: &RecordedEvent) -> Result<Decoded<Self>, DecodeError> { Ok(Self.into()) }
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

    /// What a stored event is to this program, brought to the version it knows: one value, as a rule.
    ///
    /// # Errors
    /// When the event type or schema version is not known to this program, a step of an upcaster fails, or the payload
    /// does not have the shape this program expects (G11).
    fn decode(event: &RecordedEvent) -> Result<Decoded<Self>, DecodeError>;

    /// Whether events stored under this name become events of this type: names they had before are known as well (G10).
    fn knows(event_type: &str) -> bool {
        Self::TYPES.iter().any(|known| known.is_read_from(event_type))
    }

    /// Is asked for where the type is emitted, and does not compile if it is only read.
    #[doc(hidden)]
    const EMITTED: () = assert!(
        !matches!(Self::TYPES, [only] if only.is_retired),
        "an event that is retired is only read, and can't be emitted",
    );

    /// Tells the shapes of the event types, in order.
    #[doc(hidden)]
    fn describe<D: Describe>(_: &mut D) {}
}

/// The names under which events of `E` are or were stored, each once, in order of declaration.
pub(crate) fn stored_names<E: Event>() -> Vec<&'static str> {
    let mut names = Vec::new();
    for name in E::TYPES.iter().flat_map(EventType::stored_names) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

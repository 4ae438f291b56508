//! Between typed events and their stored form; the functions here are what derived code calls.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::errors::unknown_type;
use super::variant::{VariantDeserializer, VariantSerializer};
use super::{
    DecodeError, DecodeReason, Decoded, EncodeError, Event, EventType, Payload, RecordedEvent,
    UpcastStep, strict,
};
use crate::upcast::{History, Upcasting, upcast};

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

/// Refuses to write an event type that is only read.
///
/// # Errors
/// Always.
#[doc(hidden)]
#[cold]
pub fn encode_retired(event_type: EventType) -> Result<Payload, EncodeError> {
    Err(EncodeError::Retired { event_type: event_type.name })
}

/// The struct that was stored.
///
/// # Errors
/// See [`DecodeError`].
#[doc(hidden)]
pub fn decode_struct<T: Event + for<'de> Deserialize<'de>>(
    event: &RecordedEvent,
    histories: &[History<T>],
) -> Result<Decoded<T>, DecodeError> {
    decode(event, histories, |_, payload| payload.parse())
}

/// The struct without fields that was stored.
///
/// # Errors
/// See [`DecodeError`].
#[doc(hidden)]
pub fn decode_unit<T: Event>(
    event: &RecordedEvent,
    histories: &[History<T>],
    value: fn() -> T,
) -> Result<Decoded<T>, DecodeError> {
    decode(event, histories, |_, payload| payload.parse::<IgnoredAny>().map(|_| value()))
}

/// The enum whose variant was stored. Entry `n` of `T::TYPES` must be that of variant `n`.
///
/// # Errors
/// See [`DecodeError`].
#[doc(hidden)]
pub fn decode_variant<T: Event + for<'de> Deserialize<'de>>(
    event: &RecordedEvent,
    histories: &[History<T>],
) -> Result<Decoded<T>, DecodeError> {
    decode(event, histories, |index, payload| {
        let mut content = serde_json::Deserializer::from_str(payload.as_str());
        T::deserialize(VariantDeserializer { index, content: &mut content })
            .and_then(|value| content.end().map(|()| value))
    })
}

/// What is stored at the version this program knows is parsed, and nothing else: what has no past costs nothing.
#[inline]
fn decode<T: Event>(
    event: &RecordedEvent,
    histories: &[History<T>],
    parse: impl Fn(u32, &Payload) -> Result<T, serde_json::Error>,
) -> Result<Decoded<T>, DecodeError> {
    let mut types = (0..).zip(T::TYPES);
    match types.find(|(_, known)| known.name == &*event.event_type) {
        Some((index, known)) if known.schema_version == event.schema_version => {
            let parsed = parse(index, &event.payload);
            parsed.map(Decoded::One).map_err(|error| unreadable(event, error))
        }
        _ => decode_old(event, histories, parse),
    }
}

/// Reads what is stored under another name, or at another version.
fn decode_old<T: Event>(
    event: &RecordedEvent,
    histories: &[History<T>],
    parse: impl Fn(u32, &Payload) -> Result<T, serde_json::Error>,
) -> Result<Decoded<T>, DecodeError> {
    let name = &*event.event_type;
    if !T::knows(name) {
        return Err(unknown_type(event, T::TYPES));
    }
    let mut all: Option<Decoded<T>> = None;
    for (index, known) in (0..).zip(T::TYPES) {
        let history = histories
            .iter()
            .find(|history| history.index == index && history.names.contains(&name));
        let Some(newest) = newest(known, name) else { continue };
        let links = history.map_or(&[][..], |history| history.links);
        check_version(event, newest)?;
        let upcast = upcast(links, event).map_err(|(version, error)| {
            let from = begin_of_step(known, name, version);
            DecodeError::new(event, DecodeReason::Upcast { from, error: Box::new(error) })
        })?;
        let decoded = match upcast {
            Upcasting::Events(events) => events,
            Upcasting::Payloads(payloads) => payloads
                .try_flat_map(|payload| parse(index, &payload).map(Decoded::One))
                .map_err(|error| unreadable(event, error))?,
        };
        all = Some(match all {
            Some(before) => before.and(decoded),
            None => decoded,
        });
    }
    Ok(all.unwrap_or_else(Decoded::none))
}

/// The newest version at which events of this name become events of the type; `None` if they don't.
fn newest(known: &EventType, name: &str) -> Option<u32> {
    if known.is_own(name) {
        return Some(known.schema_version);
    }
    let sources = known.steps.iter().filter(|step| step.from.0 == name);
    sources.map(|step| step.from.1).max()
}

/// Where the step begins that an event of this name takes at this version. Versions of a source count on where those of the
/// event type itself begin.
fn begin_of_step(known: &EventType, name: &str, version: u32) -> (&'static str, u32) {
    let sources = known.steps.iter().filter(|step| step.from.0 == name && !known.is_own(name));
    match sources.max_by_key(|step| step.from.1) {
        Some(UpcastStep { from: (source, newest), .. }) if version <= *newest => (source, version),
        Some(UpcastStep { from: (_, newest), to: (own, into), .. }) => {
            (own, into + (version - newest - 1))
        }
        None => (known.name, version),
    }
}

/// A version this program does not know is an error. So is one that has no steps to the one it knows, which the derive
/// leaves to nobody.
fn check_version(event: &RecordedEvent, newest: u32) -> Result<(), DecodeError> {
    let reason = match event.schema_version {
        version if version > newest => DecodeReason::Newer { newest },
        0 => DecodeReason::NoSteps { newest },
        _ => return Ok(()),
    };
    Err(DecodeError::new(event, reason))
}

/// What a stored event is to one of several types that are listed together, and to those it was split into.
///
/// # Errors
/// See [`DecodeError`].
#[doc(hidden)]
pub fn decode_union<T: Event>(
    event: &RecordedEvent,
    members: &[Member<T>],
) -> Result<Decoded<T>, DecodeError> {
    let name = &*event.event_type;
    if let Some(member) = members.iter().find(|member| member.is_own(name)) {
        return (member.decode)(event);
    }
    let mut readers = members.iter().filter(|member| member.is_reader(name));
    let Some(first) = readers.next() else {
        return Err(unknown_type(event, T::TYPES));
    };
    readers.try_fold((first.decode)(event)?, |all, member| Ok(all.and((member.decode)(event)?)))
}

/// One of several types that are listed together.
#[doc(hidden)]
#[derive(Debug)]
pub struct Member<T: 'static> {
    types: &'static [EventType],
    decode: fn(&RecordedEvent) -> Result<Decoded<T>, DecodeError>,
}

impl<T> Member<T> {
    /// The member of type `E`.
    pub const fn of<E: Event + Into<T>>() -> Self {
        Self { types: E::TYPES, decode: |event| Ok(E::decode(event)?.map(Into::into)) }
    }

    fn is_own(&self, name: &str) -> bool {
        self.types.iter().any(|known| known.is_own(name))
    }

    fn is_reader(&self, name: &str) -> bool {
        self.types.iter().any(|known| known.is_read_from(name))
    }
}

#[cold]
fn unreadable(event: &RecordedEvent, error: serde_json::Error) -> DecodeError {
    DecodeError::new(event, DecodeReason::Payload(error))
}

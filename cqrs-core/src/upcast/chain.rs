//! Carries out the steps from the version an event is stored at to the one this program knows.

use serde::Serialize;

use super::{Becomes, Draft, UpcastError};
use crate::event::{Decoded, Payload, RecordedEvent};

/// How stored events of a kind become an event type of `E`: what derived code says of one.
#[doc(hidden)]
#[derive(Debug)]
pub struct History<E: 'static> {
    /// Which of `E::TYPES` they become.
    pub index: u32,
    /// The stored names that share these steps.
    pub names: &'static [&'static str],
    /// From version 1 on; after the last comes the version this program knows.
    pub links: &'static [Link<E>],
}

/// A step, or several that are carried out as one.
#[doc(hidden)]
#[derive(Debug)]
pub enum Link<E> {
    /// Brings the payload so many versions further.
    Draft(u32, fn(Draft, &RecordedEvent) -> Result<Decoded<Draft>, UpcastError>),
    /// Ends at the events.
    Events(fn(Draft, &RecordedEvent) -> Result<Decoded<E>, UpcastError>),
}

/// What came of an event of an earlier version.
#[derive(Debug)]
pub(crate) enum Upcasting<E> {
    /// Payloads of the version this program knows.
    Payloads(Decoded<Payload>),
    Events(Decoded<E>),
}

/// Carries out the steps that are left for an event of this version. On failure, tells the version it has come to.
pub(crate) fn upcast<E>(
    links: &[Link<E>],
    event: &RecordedEvent,
) -> Result<Upcasting<E>, (u32, UpcastError)> {
    let mut version = event.schema_version;
    let mut drafts = Decoded::One(Draft::of_payload(&event.payload));
    loop {
        let next = version.checked_sub(1).and_then(|index| links.get(index as usize));
        let failed = |error| (version, error);
        match next {
            None => return Ok(Upcasting::Payloads(drafts.map(Draft::into_payload))),
            Some(Link::Events(step)) => {
                return drafts
                    .try_flat_map(|draft| step(draft, event))
                    .map(Upcasting::Events)
                    .map_err(failed);
            }
            Some(Link::Draft(versions, step)) => {
                drafts = drafts.try_flat_map(|draft| step(draft, event)).map_err(failed)?;
                version += versions;
            }
        }
    }
}

/// The first of several typed steps.
///
/// # Errors
/// When the payload does not have the shape, or the step fails.
#[doc(hidden)]
pub fn shaped<T: Becomes<N>, N>(
    draft: &Draft,
    event: &RecordedEvent,
) -> Result<Decoded<N>, UpcastError> {
    T::upcast(draft.read()?, event).map_err(UpcastError::Other)
}

/// A typed step after another.
///
/// # Errors
/// When it fails.
#[doc(hidden)]
pub fn reshaped<T: Becomes<N>, N>(
    before: Decoded<T>,
    event: &RecordedEvent,
) -> Result<Decoded<N>, UpcastError> {
    before.try_flat_map(|old| T::upcast(old, event)).map_err(UpcastError::Other)
}

/// The payloads on which a step that is no typed one goes on.
///
/// # Errors
/// When one has no JSON form.
#[doc(hidden)]
pub fn to_drafts<N: Serialize>(shapes: Decoded<N>) -> Result<Decoded<Draft>, UpcastError> {
    shapes.try_flat_map(|shape| Draft::of(&shape).map(Decoded::One))
}

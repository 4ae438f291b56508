//! Functions that are steps of an upcaster.

use super::{Draft, UpcastError};
use crate::event::{Decoded, EncodeError, Payload, RecordedEvent};

/// A function that brings the payload of an event to the next version of its schema, in one of these forms:
///
/// ```
/// # use cqrs_core::{Draft, RecordedEvent, UpcastError};
/// fn change(draft: &mut Draft) -> Result<(), UpcastError> {
/// #   Ok(())
/// # }
/// /// `event` tells stream, version, time and metadata.
/// fn change_knowing(draft: &mut Draft, event: &RecordedEvent) -> Result<(), UpcastError> {
/// #   Ok(())
/// # }
/// /// One stored event becomes several, or none.
/// fn split(draft: Draft) -> Result<Vec<Draft>, UpcastError> {
/// #   Ok(vec![draft])
/// # }
/// fn split_knowing(draft: Draft, event: &RecordedEvent) -> Result<Vec<Draft>, UpcastError> {
/// #   Ok(vec![draft])
/// # }
/// ```
///
/// Steps are pure: the same stored event always becomes the same.
#[diagnostic::on_unimplemented(
    message = "this can't be a step of an upcaster",
    label = "not a step",
    note = "write `fn step(draft: &mut Draft) -> Result<(), UpcastError>`, with `event: &RecordedEvent` as a second \
            argument if you need it; a step that makes several events of one, or none, is \
            `fn step(draft: Draft) -> Result<Vec<Draft>, UpcastError>`",
    note = "the shape of an earlier version is written with `type`: `upcast(1 => type DepositedV1)`"
)]
pub trait Step<Form> {
    /// Carries out the step.
    ///
    /// # Errors
    /// When the payload is not what the step expects.
    fn run(&self, draft: Draft, event: &RecordedEvent) -> Result<Decoded<Draft>, UpcastError>;
}

impl<F: Fn(&mut Draft) -> Result<(), UpcastError>> Step<fn(&mut Draft)> for F {
    fn run(&self, mut draft: Draft, _: &RecordedEvent) -> Result<Decoded<Draft>, UpcastError> {
        self(&mut draft).map(|()| Decoded::One(draft))
    }
}

impl<F> Step<fn(&mut Draft, &RecordedEvent)> for F
where
    F: Fn(&mut Draft, &RecordedEvent) -> Result<(), UpcastError>,
{
    fn run(&self, mut draft: Draft, event: &RecordedEvent) -> Result<Decoded<Draft>, UpcastError> {
        self(&mut draft, event).map(|()| Decoded::One(draft))
    }
}

impl<F: Fn(Draft) -> Result<Vec<Draft>, UpcastError>> Step<fn(Draft)> for F {
    fn run(&self, draft: Draft, _: &RecordedEvent) -> Result<Decoded<Draft>, UpcastError> {
        self(draft).map(Decoded::from)
    }
}

impl<F> Step<fn(Draft, &RecordedEvent)> for F
where
    F: Fn(Draft, &RecordedEvent) -> Result<Vec<Draft>, UpcastError>,
{
    fn run(&self, draft: Draft, event: &RecordedEvent) -> Result<Decoded<Draft>, UpcastError> {
        self(draft, event).map(Decoded::from)
    }
}

/// Carries out a step, in whatever form it is written.
///
/// # Errors
/// See [`Step::run`].
#[doc(hidden)]
pub fn run<Form>(
    step: &impl Step<Form>,
    draft: Draft,
    event: &RecordedEvent,
) -> Result<Decoded<Draft>, UpcastError> {
    step.run(draft, event)
}

/// A step back, on the way of an event to the store.
type StepBack = fn(&mut Draft) -> Result<(), UpcastError>;

/// The payload in the form of an earlier version.
///
/// # Errors
/// When a step fails.
#[doc(hidden)]
pub fn downcast(payload: &Payload, steps: &[StepBack]) -> Result<Payload, EncodeError> {
    let mut draft = Draft::of_payload(payload);
    for step in steps {
        step(&mut draft).map_err(EncodeError::Downcast)?;
    }
    // A step may have made what no store can keep.
    Payload::from_json(draft.into_payload().into_text())
}

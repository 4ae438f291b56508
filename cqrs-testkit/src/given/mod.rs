//! Given, when, then: a test of an aggregate without a store.

pub(crate) mod report;

use std::sync::Arc;
use std::time::SystemTime;

use cqrs_core::{
    Aggregate, AggregateCommand, Command, Decoded, Event, EventId, EventType, Handle as _,
    IntoEvents, Metadata, NewEvent, Position, RecordedEvent, StreamId, Version, emit,
};

use self::report::{Events, Form, difference, indented};

/// Begins a test of an aggregate: these events have happened before.
///
/// Takes what [`emit`] takes: one event, an array, a `Vec`, a tuple of events of several types, or `()` for none. Which
/// aggregate it is follows from the command of [`when`](Given::when). See the [crate](crate) for an example.
///
/// The events reach the aggregate as they would from a store: each is encoded and decoded again.
#[must_use = "nothing is tested before `.when(…)` and `.then(…)`"]
pub fn given<G>(events: G) -> Given<G> {
    Given { events }
}

/// What has happened before; see [`given`].
#[derive(Debug)]
#[must_use = "nothing is tested before `.when(…)` and `.then(…)`"]
pub struct Given<G> {
    events: G,
}

impl<G> Given<G> {
    /// Lets the aggregate decide on a command.
    ///
    /// # Panics
    /// When an event, given or decided on, has no stored form, or its stored form does not read back.
    #[must_use = "nothing is tested before `.then(…)` or `.then_err(…)`"]
    #[track_caller]
    pub fn when<C>(self, command: C) -> Decided<C::Aggregate>
    where
        C: AggregateCommand,
        G: IntoEvents<C::Aggregate>,
    {
        let events = listed::<C::Aggregate>(self.events);
        let mut state = C::Aggregate::default();
        let (mut forms, mut version) = (Vec::new(), 0);
        for event in &events {
            version += 1;
            let (form, events) = read_back::<C::Aggregate>("a given event", event, version);
            forms.push(form);
            events.into_iter().for_each(|event| state.dispatch(event));
        }
        let outcome = match state.handle(command) {
            Err(error) => Err(error),
            Ok(events) => {
                let mut decided = Vec::new();
                for event in events.as_slice() {
                    version += 1;
                    let what = "an event that was decided on";
                    let (form, events) = read_back::<C::Aggregate>(what, event, version);
                    decided.push(form);
                    events.into_iter().for_each(|event| state.dispatch(event));
                }
                Ok(Events(decided))
            }
        };
        let command = <C as Command>::NAME;
        Decided { given: Events(forms), command, outcome, state }
    }
}

/// What an aggregate decided; see [`given`].
#[derive(Debug)]
pub struct Decided<A: Aggregate> {
    given: Events,
    command: &'static str,
    outcome: Result<Events, A::Error>,
    /// With the events of the decision applied.
    state: A,
}

#[allow(
    clippy::needless_pass_by_value,
    clippy::return_self_not_must_use,
    reason = "so that it reads well: expectations are written in place, and a test may end with any of them"
)]
impl<A: Aggregate> Decided<A> {
    /// These events happen, and no others. Takes what [`given`] takes; `()` where nothing is to happen.
    ///
    /// Events are compared by their type and their stored JSON, so that they need no `PartialEq`.
    ///
    /// # Panics
    /// When the command leads to something else; the message shows the difference.
    #[track_caller]
    pub fn then(self, expected: impl IntoEvents<A>) -> Self {
        let mut forms = Vec::new();
        for event in &listed::<A>(expected) {
            forms.push(encoded("an expected event", event).0);
        }
        let expected = Events(forms);
        match &self.outcome {
            Ok(happened) if *happened == expected => self,
            Ok(happened) => {
                let difference = difference(&expected.texts(), &happened.texts());
                self.fail("led to other events", "then (- expected, + happened)", &difference)
            }
            Err(error) => {
                let expected = format!("{expected}\n\nbut it was refused: {error}\n{error:#?}");
                self.fail("was refused, but is to lead to events", "then", &expected)
            }
        }
    }

    /// The command is refused with this error.
    ///
    /// # Panics
    /// When the command is not refused, or with another error; the message shows the difference.
    #[track_caller]
    pub fn then_err(self, expected: A::Error) -> Self
    where
        A::Error: PartialEq,
    {
        match &self.outcome {
            Err(error) if *error == expected => self,
            Err(error) => {
                let difference = difference(&[format!("{expected:#?}")], &[format!("{error:#?}")]);
                self.fail(
                    "was refused with another error",
                    "then (- expected, + happened)",
                    &difference,
                )
            }
            Ok(happened) => {
                let expected = format!("{expected:#?}\n\nbut it led to\n{happened}");
                self.fail("is to be refused, but was not", "then", &expected)
            }
        }
    }

    /// The state after what happened passes this check, which panics if it does not.
    ///
    /// Prefer to test what an aggregate decides; this is for state that shows in no decision.
    pub fn then_state(self, check: impl FnOnce(&A)) -> Self {
        check(&self.state);
        self
    }

    #[track_caller]
    fn fail(&self, what: &str, then: &str, outcome: &str) -> ! {
        let Self { given, command, .. } = self;
        let given = indented(&given.to_string());
        let outcome = indented(outcome);
        panic!("`{command}` {what}\n\ngiven\n{given}\nwhen\n    {command}\n{then}\n{outcome}\n");
    }
}

#[track_caller]
fn listed<A: Aggregate>(events: impl IntoEvents<A>) -> Vec<A::Event> {
    match emit::<A>(events) {
        Ok(events) => events.into_vec(),
        Err(error) => unreachable!("listing events fails: {error}"),
    }
}

/// The stored form of an event, readable and as a store takes it.
///
/// No closures here: a panic inside of one would not be at the caller's place.
#[track_caller]
fn encoded<E: Event>(what: &str, event: &E) -> (Form, NewEvent) {
    let id = EventId::random();
    let event_type = event.event_type();
    let stored = match NewEvent::of(event, id, Arc::new(Metadata::of(id.as_uuid()))) {
        Ok(stored) => stored,
        Err(error) => panic!("{what}, `{event_type}`, can't be stored: {error}"),
    };
    // As it is written, which may be at an earlier version than the one the program works with.
    let event_type = EventType::new(event_type.name, stored.schema_version());
    match stored.payload().parse() {
        Ok(payload) => (Form { event_type, payload }, stored),
        Err(error) => panic!("{what}, `{event_type}`, is not stored as JSON: {error}"),
    }
}

/// An event after it was stored and read back.
#[track_caller]
fn read_back<A: Aggregate>(
    what: &str,
    event: &A::Event,
    version: u64,
) -> (Form, Decoded<A::Event>) {
    let (form, stored) = encoded(what, event);
    let stream = match StreamId::new(A::CATEGORY, "given") {
        Ok(stream) => stream,
        Err(error) => panic!("the aggregate can have no streams: {error}"),
    };
    let (version, position) = (Version::new(version), Position::new(version));
    let recorded = RecordedEvent::new(stored, stream, version, position, SystemTime::UNIX_EPOCH);
    match A::Event::decode(&recorded) {
        Ok(events) => (form, events),
        Err(error) => {
            panic!("{what} does not read back: {error}\n\n{}", indented(&form.to_string()))
        }
    }
}

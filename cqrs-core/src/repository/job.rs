//! A command that waits to be decided on.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use backon::ExponentialBackoff;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tracing::Span;

use super::load::Loaded;
use super::{Outcome, Retry};
use crate::aggregate::{Aggregate, Handle as _};
use crate::command::{AggregateCommand, Committed};
use crate::error::{DispatchError, InvalidCommand};
use crate::event::{EncodeError, Event, EventId, NewEvent};
use crate::metadata::Metadata;
use crate::store::Conflict;
use crate::stream::StreamId;

/// The error of the aggregate that decides on `C`.
pub(super) type Refusal<C> = <<C as AggregateCommand>::Aggregate as Aggregate>::Error;

/// A command to an aggregate, whatever its type.
pub(super) trait Job<A: Aggregate>: Send {
    /// Whether the aggregate most likely has no events yet.
    fn is_likely_new(&self) -> bool;

    /// Decides in this state, and applies what comes of it.
    fn decide(&mut self, loaded: &mut Loaded<A>) -> Decided;

    /// Others were faster. How long to wait before the command is decided on again; `None` if it has been often enough.
    fn again(&mut self) -> Option<Duration>;

    /// Tells the caller what has become of it.
    fn finish(self: Box<Self>, done: Done);

    /// Whether nobody waits for it any more.
    fn is_given_up(&self) -> bool;
}

/// What a command leads to.
pub(super) enum Decided {
    Events(Vec<NewEvent>),
    /// The state is as it was.
    Refused,
    /// The state is not what it should be.
    Spoiled,
}

/// What has become of a command.
pub(super) enum Done {
    /// It is carried out.
    Committed(Committed),
    /// It is not, for the reason it has found itself.
    Refused,
    Conflict(Conflict),
    /// The same error as that of others; without the command's own.
    Failed(DispatchError<std::convert::Infallible>),
}

/// Where the outcome of a command will be; that it panicked is one.
pub(super) type Answer<C> = oneshot::Receiver<thread::Result<Outcome<C>>>;

pub(super) struct CommandJob<C: AggregateCommand> {
    is_likely_new: bool,
    command: C,
    metadata: Arc<Metadata>,
    delays: ExponentialBackoff,
    attempts: u32,
    refusal: Option<thread::Result<DispatchError<Refusal<C>>>>,
    done: oneshot::Sender<thread::Result<Outcome<C>>>,
    span: Span,
    _room: Option<OwnedSemaphorePermit>,
}

impl<C: AggregateCommand> CommandJob<C> {
    /// A command that waits, and where its outcome will be.
    pub(super) fn waiting(
        command: C,
        metadata: Arc<Metadata>,
        retry: Retry,
        room: Option<OwnedSemaphorePermit>,
    ) -> (Box<dyn Job<C::Aggregate>>, Answer<C>) {
        let (done, outcome) = oneshot::channel();
        let job = Self {
            is_likely_new: command.is_likely_new(),
            command,
            metadata,
            delays: retry.backoff(),
            attempts: 1,
            refusal: None,
            done,
            span: Span::current(),
            _room: room,
        };
        (Box::new(job), outcome)
    }

    fn try_decide(
        &self,
        loaded: &mut Loaded<C::Aggregate>,
    ) -> Result<Vec<NewEvent>, (DispatchError<Refusal<C>>, Decided)> {
        let new = decide(loaded, self.command.clone(), &self.metadata, |_| EventId::random());
        let new = new.map_err(|error| (error, Decided::Refused))?;
        let preview = |event| {
            loaded.preview(event).map_err(|error| (DispatchError::Invalid(error), Decided::Spoiled))
        };
        new.into_iter().map(preview).collect()
    }
}

impl<C: AggregateCommand> Job<C::Aggregate> for CommandJob<C> {
    fn is_likely_new(&self) -> bool {
        self.is_likely_new
    }

    fn decide(&mut self, loaded: &mut Loaded<C::Aggregate>) -> Decided {
        let _entered = self.span.clone().entered();
        // What panics here panics at the caller's; the commands of others go on.
        let decided = std::panic::catch_unwind(AssertUnwindSafe(|| self.try_decide(loaded)));
        match decided {
            Ok(Ok(events)) => Decided::Events(events),
            Ok(Err((error, decided))) => {
                self.refusal = Some(Ok(error));
                decided
            }
            Err(panic) => {
                self.refusal = Some(Err(panic));
                Decided::Spoiled
            }
        }
    }

    fn again(&mut self) -> Option<Duration> {
        crate::bus::telemetry::conflict(self.command.name());
        let delay = self.delays.next()?;
        self.attempts += 1;
        Some(delay)
    }

    fn finish(self: Box<Self>, done: Done) {
        let Self { attempts, refusal, .. } = *self;
        let outcome: thread::Result<Outcome<C>> = match done {
            Done::Committed(committed) => Ok(Ok(Committed { attempts, ..committed })),
            Done::Conflict(conflict) => Ok(Err(DispatchError::Conflict(conflict))),
            Done::Failed(error) => Ok(Err(error.map_rejected(|never| match never {}))),
            // A job is refused only after it has noted why.
            Done::Refused => refusal.map_or_else(
                || Ok(Err(DispatchError::Stopped("a command was refused for no reason".into()))),
                |refusal| refusal.map(Err),
            ),
        };
        // A caller who is gone does not want to know.
        let _ = self.done.send(outcome);
    }

    fn is_given_up(&self) -> bool {
        self.done.is_closed()
    }
}

/// The events a command leads to in this state, which stays as it is.
pub(super) fn decide<C: AggregateCommand>(
    loaded: &Loaded<C::Aggregate>,
    command: C,
    metadata: &Arc<Metadata>,
    id: impl Fn(usize) -> EventId,
) -> Result<Vec<NewEvent>, DispatchError<Refusal<C>>> {
    let events = loaded.state.handle(command).map_err(DispatchError::Rejected)?.into_vec();
    let encode = |(index, event)| {
        NewEvent::of(&event, id(index), metadata.clone())
            .map_err(|error| invalid_event(&loaded.stream, &event, error))
    };
    events.into_iter().enumerate().map(encode).collect()
}

fn invalid_event<E: Event, R>(
    stream: &StreamId,
    event: &E,
    error: EncodeError,
) -> DispatchError<R> {
    DispatchError::Invalid(InvalidCommand::Event {
        stream: stream.clone(),
        event_type: event.event_type().name,
        error,
    })
}

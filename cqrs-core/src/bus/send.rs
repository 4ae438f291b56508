//! A command or query about to be dispatched.

use std::any::Any;
use std::future::{Future, IntoFuture};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::Instrument as _;

use super::handler::{AnyQueryHandler, BoxFuture, Steps};
use super::layers::{self, Kind, Message};
use super::updates::{Concern, Updates};
use super::{Bus, telemetry};
use crate::bus::Route as _;
use crate::command::Command;
use crate::context::DispatchContext;
use crate::error::{DispatchError, QueryError};
use crate::query::Query;
use crate::runner::{NotYet, Target};
use crate::store::BoxError;
use crate::version::Version;

/// A command about to be sent: await it. Made by [`Bus::send`].
#[derive(Debug)]
#[must_use = "a command is sent when this is awaited"]
pub struct SendCommand<C> {
    bus: Bus,
    command: C,
    context: DispatchContext,
    /// Within a command handler: to be told when the command is, or may have been, carried out.
    step_of: Option<Arc<Steps>>,
}

impl<C: Command> SendCommand<C> {
    pub(super) fn new(bus: Bus, command: C) -> Self {
        Self { bus, command, context: DispatchContext::new(), step_of: None }
    }

    /// Sends the command from within a command handler.
    pub(super) fn within(mut self, context: DispatchContext, step_of: Arc<Steps>) -> Self {
        (self.context, self.step_of) = (context, Some(step_of));
        self
    }

    /// Sends the command with this context instead of a new one. An idempotency key and an expected version that were
    /// set before stay, unless the context has others.
    pub fn context(mut self, context: DispatchContext) -> Self {
        self.context = context.or_conditions_of(self.context);
        self
    }

    /// Who gives the command.
    pub fn actor(mut self, actor: impl Into<String>) -> Self {
        self.context = self.context.actor(actor);
        self
    }

    /// On whose behalf.
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.context = self.context.tenant(tenant);
        self
    }

    /// Makes the command idempotent; see [`DispatchContext::idempotency_key`].
    pub fn idempotency_key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.context = self.context.idempotency_key(key);
        self
    }

    /// Carries the command out only at this version; see [`DispatchContext::expected_version`].
    pub fn expected_version(mut self, version: Version) -> Self {
        self.context = self.context.expected_version(version);
        self
    }
}

impl<C: Command> IntoFuture for SendCommand<C> {
    type Output = Result<C::Outcome, DispatchError<C::Error>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { bus, command, context, step_of } = self;
        let span = telemetry::span(Kind::Command, command.name(), &context);
        let work = async move {
            let watch = telemetry::Watch::start(Kind::Command, command.name());
            // Layers are around what comes from outside: a limit that held a handler's own commands back while the
            // handler counts against it would never let go.
            let layers = bus.shared.command_layers.as_ref().filter(|_| step_of.is_none());
            let result = match layers {
                None => C::Route::dispatch(&bus, command, context).await,
                Some(stack) => layers::dispatch(stack, &bus, Sent(command), context).await,
            };
            if let Some(steps) = step_of
                && may_be_carried_out(&result)
            {
                steps.mark_sent();
            }
            watch.stop(result.as_ref().err().map(DispatchError::label));
            result
        };
        Box::pin(work.instrument(span))
    }
}

/// Whether the command, or a part of it, has happened for all that is known.
fn may_be_carried_out<T, E>(result: &Result<T, DispatchError<E>>) -> bool {
    match result {
        Ok(_) => true,
        Err(error) => matches!(
            error,
            DispatchError::OutcomeUnknown(_)
                | DispatchError::Partial(_)
                | DispatchError::Failed(_)
                | DispatchError::Stopped(_)
        ),
    }
}

/// A query about to be asked: await it. Made by [`Bus::ask`].
#[derive(Debug)]
#[must_use = "a query is asked when this is awaited"]
pub struct AskQuery<Q> {
    bus: Bus,
    query: Q,
    context: DispatchContext,
    /// Asked by a command handler, not from outside.
    is_inner: bool,
    after: Option<Target>,
    patience: Duration,
}

impl<Q: Query> AskQuery<Q> {
    pub(super) fn new(bus: Bus, query: Q) -> Self {
        /// Views are a few milliseconds behind; one that is this far behind has other troubles.
        const PATIENCE: Duration = Duration::from_secs(5);
        let context = DispatchContext::new();
        Self { bus, query, context, is_inner: false, after: None, patience: PATIENCE }
    }

    /// Waits until all [views](crate::BusBuilder::view) of the bus show the outcome of a command, or have seen a position.
    pub fn after(mut self, target: impl Into<Target>) -> Self {
        self.after = Some(target.into());
        self
    }

    /// How long to wait at most for the views; 5 seconds unless it is said. Then the answer is
    /// [`QueryError::NotYet`], with how far the view is.
    pub fn patience(mut self, time: Duration) -> Self {
        self.patience = time;
        self
    }

    /// The answer now, and then again whenever it is another one: see [`Updates`].
    ///
    /// What the answer depends on is told by `concern`: events of one stream (a [`StreamId`](crate::StreamId)), or those a
    /// [`LogFilter`](crate::LogFilter) wants.
    pub fn updates(self, concern: impl Into<Concern>) -> Updates<Q>
    where
        Q::Output: PartialEq + Clone,
    {
        Updates::new(self, concern.into())
    }

    /// The same question once more.
    pub(super) fn again(&self) -> Self {
        let Self { bus, query, context, is_inner, after, patience } = self;
        let (bus, query, context) = (bus.clone(), query.clone(), context.clone());
        Self { bus, query, context, is_inner: *is_inner, after: after.clone(), patience: *patience }
    }

    pub(super) fn bus(&self) -> &Bus {
        &self.bus
    }

    /// Asks the query from within a command handler.
    pub(super) fn within(mut self, context: DispatchContext) -> Self {
        (self.context, self.is_inner) = (context, true);
        self
    }

    /// Asks the query with this context instead of a new one.
    pub fn context(mut self, context: DispatchContext) -> Self {
        self.context = context;
        self
    }
}

impl<Q: Query> IntoFuture for AskQuery<Q> {
    type Output = Result<Q::Output, QueryError<Q::Error>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { bus, query, context, is_inner, after, patience } = self;
        let span = telemetry::span(Kind::Query, Q::NAME, &context);
        let work = async move {
            let watch = telemetry::Watch::start(Kind::Query, Q::NAME);
            let layers = bus.shared.query_layers.as_ref().filter(|_| !is_inner);
            let result = match (wait_for_views(&bus, after, patience).await, layers) {
                (Err(not_yet), _) => Err(QueryError::NotYet(not_yet)),
                (Ok(()), None) => Asked(query).dispatch(&bus, context).await,
                (Ok(()), Some(stack)) => layers::dispatch(stack, &bus, Asked(query), context).await,
            };
            watch.stop(result.as_ref().err().map(QueryError::label));
            result
        };
        Box::pin(work.instrument(span))
    }
}

async fn wait_for_views(bus: &Bus, after: Option<Target>, time: Duration) -> Result<(), NotYet> {
    let Some(target) = after else { return Ok(()) };
    let until = Instant::now() + time;
    for view in &bus.shared.views {
        let left = until.saturating_duration_since(Instant::now());
        view.wait_for(target.clone(), left).await?;
    }
    Ok(())
}

/// Waits until all views of a bus have seen something; whether they have.
pub(super) async fn views_show(bus: &Bus, target: &Target, time: Duration) -> bool {
    wait_for_views(bus, Some(target.clone()), time).await.is_ok()
}

/// A command on its way through the layers.
#[derive(Clone)]
struct Sent<C>(C);

impl<C: Command> Message for Sent<C> {
    type Output = C::Outcome;
    type Failure = DispatchError<C::Error>;
    const KIND: Kind = Kind::Command;

    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn content(&self) -> &dyn Any {
        &self.0
    }

    fn dispatch(
        self,
        bus: &Bus,
        context: DispatchContext,
    ) -> impl Future<Output = Result<Self::Output, Self::Failure>> + Send {
        C::Route::dispatch(bus, self.0, context)
    }

    fn is_refusal(failure: &Self::Failure) -> bool {
        failure.is_answer()
    }

    fn stopped(error: BoxError) -> Self::Failure {
        DispatchError::Stopped(error)
    }
}

/// A query on its way through the layers.
#[derive(Clone)]
struct Asked<Q>(Q);

impl<Q: Query> Message for Asked<Q> {
    type Output = Q::Output;
    type Failure = QueryError<Q::Error>;
    const KIND: Kind = Kind::Query;

    fn name(&self) -> &'static str {
        Q::NAME
    }

    fn content(&self) -> &dyn Any {
        &self.0
    }

    async fn dispatch(
        self,
        bus: &Bus,
        context: DispatchContext,
    ) -> Result<Self::Output, Self::Failure> {
        match bus.shared.registry.get::<Q, Box<dyn AnyQueryHandler<Q>>>() {
            Some(handler) => {
                handler.handle_boxed(self.0, &context).await.map_err(QueryError::Failed)
            }
            None => Err(QueryError::Unregistered { query: Q::NAME }),
        }
    }

    fn is_refusal(failure: &Self::Failure) -> bool {
        matches!(failure, QueryError::Failed(_))
    }

    fn stopped(error: BoxError) -> Self::Failure {
        QueryError::Stopped(error)
    }
}

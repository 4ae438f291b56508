//! Handlers of commands that no single aggregate can decide on.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{AskQuery, Bus, SendCommand};
use crate::aggregate::Aggregate;
use crate::command::Command;
use crate::context::DispatchContext;
use crate::error::{DispatchError, LoadError};
use crate::query::{Query, QueryHandler};
use crate::repository::Loaded;

/// Carries out a command that spans aggregates or calls services: the shell around the pure core.
///
/// It runs once a dispatch. The commands it sends are retried on conflict one by one; the handler as a whole is not.
/// Layers are around what comes from outside: not around what a handler sends and asks.
///
/// When it fails after something it has sent was carried out, the caller is told so by [`DispatchError::Partial`],
/// unless the handler is [`IDEMPOTENT`](Self::IDEMPOTENT), so that sending the command again goes on where it was.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not handle the command `{C}`",
    label = "does not handle `{C}`",
    note = "write `impl CommandHandler<{C}> for {Self}` with `async fn handle(&self, command: {C}, context: \
            &CommandContext) -> Result<Outcome, DispatchError<Error>>`"
)]
pub trait CommandHandler<C: Command>: Send + Sync + 'static {
    /// Whether the command may be sent again, with the same idempotency key, until it succeeds: every step of the
    /// handler then changes nothing the second time. Commands sent with a [key](CommandContext::step_key) of their
    /// step are such steps. Without it, a command with an idempotency key is refused.
    const IDEMPOTENT: bool = false;

    /// Carries out `command`. An error of type `C::Error` becomes [`DispatchError::Rejected`] with `?`. What it sends to
    /// an aggregate with another error is translated:
    ///
    /// ```text
    /// context.send(Withdraw { … }).await.map_err(|error| error.map_rejected(TransferError::from))?;
    /// context.load::<Account>("1").await.map_err(LoadError::into_dispatch)?;
    /// ```
    ///
    /// When the future is dropped, what it has sent so far has happened and the rest has not.
    fn handle(
        &self,
        command: C,
        context: &CommandContext,
    ) -> impl Future<Output = Result<C::Outcome, DispatchError<C::Error>>> + Send;
}

/// What a [`CommandHandler`] works with. What it sends carries on the correlation, actor and tenant of the command.
#[derive(Debug, Clone)]
pub struct CommandContext {
    bus: Bus,
    context: DispatchContext,
    steps: Arc<Steps>,
}

/// What a handler has done so far.
#[derive(Debug, Default)]
pub(super) struct Steps {
    /// Whether something that was sent has been carried out, or may have been.
    sent: AtomicBool,
    /// Whether a step was given a key that no other dispatch of the command has.
    unkeyed: AtomicBool,
}

impl Steps {
    /// Something that was sent has been carried out, or may have been.
    pub(super) fn mark_sent(&self) {
        self.sent.store(true, Ordering::Relaxed);
    }
}

impl CommandContext {
    pub(super) fn new(bus: Bus, context: DispatchContext) -> Self {
        Self { bus, context, steps: Arc::default() }
    }

    /// Sends another command, caused by this one.
    pub fn send<C: Command>(&self, command: C) -> SendCommand<C> {
        self.bus.send(command).within(self.context.follow_up(), self.steps.clone())
    }

    /// Asks a query, caused by this command.
    pub fn ask<Q: Query>(&self, query: Q) -> AskQuery<Q> {
        self.bus.ask(query).within(self.context.follow_up())
    }

    /// An idempotency key for one step of the handler: the same whenever the command is sent with the same key. A command
    /// that is sent without a key has other ones each time, and is not idempotent then.
    ///
    /// Give each command that the handler sends to one aggregate another `step`.
    pub fn step_key(&self, step: &str) -> String {
        if let Some(key) = self.context.key() {
            return format!("{key}/{step}");
        }
        self.steps.unkeyed.store(true, Ordering::Relaxed);
        format!("{}/{step}", self.context.id())
    }

    /// Whether sending the command again would repeat steps that have keys now.
    pub(super) fn is_unkeyed(&self) -> bool {
        self.steps.unkeyed.load(Ordering::Relaxed)
    }

    /// Whether something that was sent has been carried out, or may have been.
    pub(super) fn has_sent(&self) -> bool {
        self.steps.sent.load(Ordering::Relaxed)
    }

    /// The aggregate with this key as it stands now.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub async fn load<A: Aggregate>(&self, key: &str) -> Result<Loaded<A>, LoadError> {
        self.bus.load(key).await
    }

    /// What came along with the command.
    pub fn dispatch(&self) -> &DispatchContext {
        &self.context
    }
}

pub(super) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What handling a message of type `C` comes to.
type Handled<C> = Result<<C as Command>::Outcome, DispatchError<<C as Command>::Error>>;

/// A handler of any type, as it is kept in the registry.
pub(super) trait AnyCommandHandler<C: Command>: Send + Sync {
    fn is_idempotent(&self) -> bool;

    fn handle_boxed<'a>(
        &'a self,
        command: C,
        context: &'a CommandContext,
    ) -> BoxFuture<'a, Handled<C>>;
}

impl<C: Command, H: CommandHandler<C>> AnyCommandHandler<C> for H {
    fn is_idempotent(&self) -> bool {
        H::IDEMPOTENT
    }

    fn handle_boxed<'a>(
        &'a self,
        command: C,
        context: &'a CommandContext,
    ) -> BoxFuture<'a, Handled<C>> {
        Box::pin(self.handle(command, context))
    }
}

/// What answering a query of type `Q` comes to.
type Answer<Q> = Result<<Q as Query>::Output, <Q as Query>::Error>;

/// A query handler of any type, as it is kept in the registry.
pub(super) trait AnyQueryHandler<Q: Query>: Send + Sync {
    fn handle_boxed<'a>(
        &'a self,
        query: Q,
        context: &'a DispatchContext,
    ) -> BoxFuture<'a, Answer<Q>>;
}

impl<Q: Query, H: QueryHandler<Q>> AnyQueryHandler<Q> for H {
    fn handle_boxed<'a>(
        &'a self,
        query: Q,
        context: &'a DispatchContext,
    ) -> BoxFuture<'a, Answer<Q>> {
        Box::pin(self.handle(query, context))
    }
}

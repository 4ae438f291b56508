//! How a command finds what carries it out: chosen at compile time by its derive.

use std::future::Future;

use super::handler::AnyCommandHandler;
use super::{Bus, CommandContext};
use crate::aggregate::Aggregate;
use crate::command::{AggregateCommand, Command, Committed};
use crate::context::DispatchContext;
use crate::error::{DispatchError, InvalidCommand};
use crate::repository::Lanes;

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::ToAggregate {}
    impl Sealed for super::ToHandler {}
}

/// Takes a command to what carries it out.
pub trait Route<C: Command>: sealed::Sealed {
    #[doc(hidden)]
    fn dispatch(
        bus: &Bus,
        command: C,
        context: DispatchContext,
    ) -> impl Future<Output = Result<C::Outcome, DispatchError<C::Error>>> + Send;
}

/// The command is decided on by an aggregate.
#[derive(Debug)]
pub struct ToAggregate;

impl<C> Route<C> for ToAggregate
where
    C: AggregateCommand + Command<Outcome = Committed>,
    C::Aggregate: Aggregate<Error = C::Error>,
{
    async fn dispatch(
        bus: &Bus,
        command: C,
        context: DispatchContext,
    ) -> Result<Committed, DispatchError<C::Error>> {
        let Some(lanes) = bus.shared.registry.get::<C::Aggregate, Lanes<C::Aggregate>>() else {
            let mend = "`.aggregate::<…>()` with the aggregate that handles it";
            return Err(DispatchError::Unregistered { command: C::NAME, mend });
        };
        bus.shared.repository.execute_in(lanes, command, &context).await
    }
}

/// The command is carried out by a registered [`CommandHandler`](super::CommandHandler).
#[derive(Debug)]
pub struct ToHandler;

impl<C: Command> Route<C> for ToHandler {
    async fn dispatch(
        bus: &Bus,
        command: C,
        context: DispatchContext,
    ) -> Result<C::Outcome, DispatchError<C::Error>> {
        let Some(handler) = bus.shared.registry.get::<C, Box<dyn AnyCommandHandler<C>>>() else {
            let mend = "`.command_handler(…)`";
            return Err(DispatchError::Unregistered { command: C::NAME, mend });
        };
        let command_name = C::NAME;
        if context.expected().is_some() {
            let refused = InvalidCommand::VersionNotHonoured { command: command_name };
            return Err(DispatchError::Invalid(refused));
        }
        if context.key().is_some() && !handler.is_idempotent() {
            let refused = InvalidCommand::KeyNotHonoured { command: command_name };
            return Err(DispatchError::Invalid(refused));
        }
        let context = CommandContext::new(bus.clone(), context);
        let result = handler.handle_boxed(command, &context).await;
        let may_repeat = handler.is_idempotent() && !context.is_unkeyed();
        if may_repeat || !context.has_sent() {
            return result;
        }
        result.map_err(|error| match error {
            DispatchError::Rejected(_) | DispatchError::Partial(_) => error,
            error => DispatchError::Partial(error.into()),
        })
    }
}

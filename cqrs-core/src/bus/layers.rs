//! Middleware: `tower` layers around commands or queries.
//!
//! A layer sees a [`Request`] and a [`Reply`] of any type. Without layers, none of this is in the way of a dispatch.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceExt as _};

use super::Bus;
use super::handler::BoxFuture;
use crate::context::DispatchContext;
use crate::store::BoxError;

/// Whether a request is a command or a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A command.
    Command,
    /// A query.
    Query,
}

/// A command or query on its way through the layers.
#[derive(Clone)]
pub struct Request {
    bus: Bus,
    context: DispatchContext,
    message: Arc<dyn AnyMessage>,
}

impl Request {
    /// Whether it is a command or a query.
    pub fn kind(&self) -> Kind {
        self.message.kind()
    }

    /// The name of the command or query.
    pub fn name(&self) -> &'static str {
        self.message.name()
    }

    /// What came along with it.
    pub fn context(&self) -> &DispatchContext {
        &self.context
    }

    /// The command or query itself, if it is of type `T`.
    pub fn downcast_ref<T: 'static>(&self) -> Option<&T> {
        self.message.content().downcast_ref()
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Request")
            .field("kind", &self.kind())
            .field("name", &self.name())
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

/// What came of a request that was carried out, or refused by the domain.
pub struct Reply {
    content: Box<dyn Any + Send>,
    refused: bool,
}

impl Reply {
    /// Whether the command was refused, by the domain, for a conflict, or because it is not valid, or the query's
    /// handler gave an error: an answer like any other to a layer that watches over the health of what is below.
    pub fn is_refused(&self) -> bool {
        self.refused
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Reply").field("refused", &self.refused).finish_non_exhaustive()
    }
}

/// A command or query in the form in which it goes through the layers.
pub(super) trait Message: Clone + Send + Sync + 'static {
    type Output: Send + 'static;
    type Failure: std::error::Error + Send + Sync + 'static;
    const KIND: Kind;

    fn name(&self) -> &'static str;
    fn content(&self) -> &dyn Any;
    fn dispatch(
        self,
        bus: &Bus,
        context: DispatchContext,
    ) -> impl Future<Output = Result<Self::Output, Self::Failure>> + Send;
    fn is_refusal(failure: &Self::Failure) -> bool;
    fn stopped(error: BoxError) -> Self::Failure;
}

trait AnyMessage: Send + Sync {
    fn kind(&self) -> Kind;
    fn name(&self) -> &'static str;
    fn content(&self) -> &dyn Any;
    fn dispatch(
        &self,
        bus: Bus,
        context: DispatchContext,
    ) -> BoxFuture<'static, Result<Reply, BoxError>>;
}

impl<M: Message> AnyMessage for M {
    fn kind(&self) -> Kind {
        M::KIND
    }

    fn name(&self) -> &'static str {
        Message::name(self)
    }

    fn content(&self) -> &dyn Any {
        Message::content(self)
    }

    fn dispatch(
        &self,
        bus: Bus,
        context: DispatchContext,
    ) -> BoxFuture<'static, Result<Reply, BoxError>> {
        let message = self.clone();
        Box::pin(async move {
            match message.dispatch(&bus, context).await {
                Err(failure) if !M::is_refusal(&failure) => Err(failure.into()),
                result => Ok(Reply { refused: result.is_err(), content: Box::new(result) }),
            }
        })
    }
}

/// The layers around the commands or the queries of a bus.
pub(super) type Stack = BoxCloneSyncService<Request, Reply, BoxError>;

/// Puts a layer around a stack.
pub(super) type Wrap = Box<dyn FnOnce(Stack) -> Stack + Send + Sync>;

/// What puts `layer` around a stack.
pub(super) fn wrap<L>(layer: L) -> Wrap
where
    L: Layer<Stack> + Send + Sync + 'static,
    L::Service: Service<Request, Response = Reply> + Clone + Send + Sync + 'static,
    <L::Service as Service<Request>>::Error: Into<BoxError> + 'static,
    <L::Service as Service<Request>>::Future: Send + 'static,
{
    Box::new(move |stack| BoxCloneSyncService::new(layer.layer(stack).map_err(Into::into)))
}

/// The layers in the order in which they were added, the first one outermost; `None` if there are none.
pub(super) fn stack(layers: Vec<Wrap>) -> Option<Stack> {
    if layers.is_empty() {
        return None;
    }
    let inner = tower::service_fn(|request: Request| {
        request.message.dispatch(request.bus, request.context)
    });
    let inner = BoxCloneSyncService::new(inner);
    Some(layers.into_iter().rev().fold(inner, |stack, wrap| wrap(stack)))
}

/// Sends a message through the layers.
pub(super) async fn dispatch<M: Message>(
    stack: &Stack,
    bus: &Bus,
    message: M,
    context: DispatchContext,
) -> Result<M::Output, M::Failure> {
    let request = Request { bus: bus.clone(), context, message: Arc::new(message) };
    match stack.clone().oneshot(request).await {
        Ok(reply) => match reply.content.downcast::<Result<M::Output, M::Failure>>() {
            Ok(result) => *result,
            Err(_) => Err(M::stopped("a layer answered with the reply to another request".into())),
        },
        Err(error) => match error.downcast::<M::Failure>() {
            Ok(failure) => Err(*failure),
            Err(error) => Err(M::stopped(error)),
        },
    }
}

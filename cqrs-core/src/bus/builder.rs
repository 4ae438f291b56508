//! Puts a bus together and reports everything that is wrong with the wiring at once.

use std::any::type_name;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use tower::{Layer, Service};

use super::changes::Changes;
use super::handler::{AnyCommandHandler, AnyQueryHandler};
use super::layers::{Reply, Request, Stack, Wrap, stack, wrap};
use super::registry::Registry;
use super::{Bus, CommandHandler, Shared};
use crate::aggregate::Aggregate;
use crate::command::Command;
use crate::event::{Event as _, EventType};
use crate::limits::MAX_EVENT_TYPE_BYTES;
use crate::query::{Query, QueryHandler};
use crate::repository::{Lanes, Repository, Retry};
use crate::runner::Progress;
use crate::schema::clash;
use crate::store::BoxError;
use crate::stream::StreamId;

/// Puts a [`Bus`] together. Made by [`Bus::builder`].
#[must_use = "a bus is made by `build`"]
pub struct BusBuilder {
    repository: Repository,
    registry: Registry,
    command_layers: Vec<Wrap>,
    query_layers: Vec<Wrap>,
    views: Vec<Progress>,
    categories: BTreeMap<&'static str, (&'static str, &'static Location<'static>)>,
    event_types: Vec<(EventType, &'static str)>,
    places: BTreeMap<&'static str, &'static Location<'static>>,
    problems: Vec<Problem>,
}

struct Problem {
    at: &'static Location<'static>,
    message: String,
}

impl BusBuilder {
    pub(super) fn new(repository: Repository) -> Self {
        Self {
            repository,
            registry: Registry::default(),
            command_layers: Vec::new(),
            query_layers: Vec::new(),
            views: Vec::new(),
            categories: BTreeMap::new(),
            event_types: Vec::new(),
            places: BTreeMap::new(),
            problems: Vec::new(),
        }
    }

    /// Registers an aggregate: its commands are carried out by it.
    #[track_caller]
    pub fn aggregate<A: Aggregate>(mut self) -> Self {
        let at = Location::caller();
        let name = type_name::<A>();
        if self.register::<A>("aggregate", name, Lanes::<A>::new(), at) {
            self.check_category::<A>(at);
            self.check_event_types::<A>(at);
        }
        self
    }

    /// Registers what carries out the commands of type `C`. A type that handles several kinds of commands is registered
    /// for each: `.command_handler::<PlaceOrder, _>(Checkout)`.
    #[track_caller]
    pub fn command_handler<C: Command, H: CommandHandler<C>>(mut self, handler: H) -> Self {
        let handler: Box<dyn AnyCommandHandler<C>> = Box::new(handler);
        self.register::<C>("handler of command", C::NAME, handler, Location::caller());
        self
    }

    /// Registers what answers the queries of type `Q`: a [`QueryHandler`], or an `async` function or closure.
    #[track_caller]
    pub fn query_handler<Q: Query, H: QueryHandler<Q>>(mut self, handler: H) -> Self {
        let handler: Box<dyn AnyQueryHandler<Q>> = Box::new(handler);
        self.register::<Q>("handler of query", Q::NAME, handler, Location::caller());
        self
    }

    /// How often a command is decided on again when other writers were faster. The default is
    /// [`Retry::default`].
    pub fn retry(mut self, retry: Retry) -> Self {
        self.repository = self.repository.with_retry(retry);
        self
    }

    /// Puts a `tower` layer around all commands: a timeout, a concurrency limit, a check of rights. The first layer
    /// added is the outermost.
    ///
    /// A layer whose service can't be cloned, such as a rate limit, goes behind `tower::buffer`. What a layer refuses
    /// reaches the caller as [`DispatchError::Stopped`](crate::DispatchError::Stopped).
    pub fn command_layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<Stack> + Send + Sync + 'static,
        L::Service: Service<Request, Response = Reply> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Error: Into<BoxError> + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        self.command_layers.push(wrap(layer));
        self
    }

    /// Puts a `tower` layer around all queries; see [`command_layer`](Self::command_layer).
    pub fn query_layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<Stack> + Send + Sync + 'static,
        L::Service: Service<Request, Response = Reply> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Error: Into<BoxError> + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        self.query_layers.push(wrap(layer));
        self
    }

    /// Names a projection whose rows queries are answered from: what [`AskQuery::after`](crate::AskQuery::after) waits
    /// for.
    pub fn view(mut self, progress: Progress) -> Self {
        self.views.push(progress);
        self
    }

    /// The bus.
    ///
    /// # Errors
    /// When something is registered twice, two aggregates have the same category, a stored name means two things to them, or
    /// a name can't be stored. All mistakes are reported together, each with the line it was made at.
    pub fn build(self) -> Result<Bus, BuildError> {
        if !self.problems.is_empty() {
            return Err(BuildError { problems: self.problems });
        }
        Ok(Bus {
            shared: Arc::new(Shared {
                repository: self.repository,
                registry: self.registry,
                command_layers: stack(self.command_layers),
                query_layers: stack(self.query_layers),
                views: self.views,
                changes: Changes::default(),
            }),
        })
    }

    /// Registers under `M`; returns whether that is for the first time.
    fn register<M: 'static>(
        &mut self,
        what: &str,
        name: &'static str,
        handler: impl std::any::Any + Send + Sync,
        at: &'static Location<'static>,
    ) -> bool {
        let first = self.registry.insert::<M>(name, handler);
        if first {
            self.places.insert(type_name::<M>(), at);
        } else {
            let before = self.places.get(type_name::<M>()).copied().unwrap_or(at);
            self.problem(
                at,
                format!("the {what} `{name}` is registered a second time, first at {before}"),
            );
        }
        first
    }

    fn check_category<A: Aggregate>(&mut self, at: &'static Location<'static>) {
        if let Err(error) = StreamId::new(A::CATEGORY, "key") {
            self.problem(at, format!("the aggregate `{}`: {error}", type_name::<A>()));
        }
        if let Some((other, before)) = self.categories.insert(A::CATEGORY, (type_name::<A>(), at)) {
            let message = format!(
                "the aggregates `{}` and `{other}` (at {before}) both have the category `{}`; give one another",
                type_name::<A>(),
                A::CATEGORY,
            );
            self.problem(at, message);
        }
    }

    fn check_event_types<A: Aggregate>(&mut self, at: &'static Location<'static>) {
        let aggregate = type_name::<A>();
        for event_type in A::Event::TYPES {
            let name = event_type.name;
            if name.is_empty() || name.len() > MAX_EVENT_TYPE_BYTES || name.contains('\0') {
                let limit = format!("1 to {MAX_EVENT_TYPE_BYTES} bytes and no NUL character");
                self.problem(
                    at,
                    format!("an event type of `{aggregate}` is named {name:?}; a name has {limit}"),
                );
            }
            let mut clashes = Vec::new();
            for (known, other) in &self.event_types {
                clashes.extend(clash((event_type, aggregate), (known, other)));
            }
            for message in clashes {
                self.problem(at, message);
            }
            self.event_types.push((*event_type, aggregate));
        }
    }

    fn problem(&mut self, at: &'static Location<'static>, message: String) {
        self.problems.push(Problem { at, message });
    }
}

impl fmt::Debug for BusBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("BusBuilder")
            .field("registered", &self.registry)
            .finish_non_exhaustive()
    }
}

/// Everything that is wrong with the wiring of a bus.
pub struct BuildError {
    problems: Vec<Problem>,
}

impl fmt::Display for BuildError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the bus is wired wrongly:")?;
        for Problem { at, message } in &self.problems {
            write!(formatter, "\n  {at}: {message}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for BuildError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The form in which `main` shows an error it returns.
        fmt::Display::fmt(self, formatter)
    }
}

impl std::error::Error for BuildError {}

//! The bus: takes commands and queries to what is registered for them.

mod builder;
mod changes;
mod handler;
mod layers;
mod registry;
mod route;
mod send;
pub(crate) mod telemetry;
mod updates;

use std::fmt;
use std::sync::Arc;

pub use self::builder::{BuildError, BusBuilder};
use self::changes::Changes;
pub use self::handler::{CommandContext, CommandHandler};
use self::layers::Stack;
pub use self::layers::{Kind, Reply, Request};
use self::registry::Registry;
#[doc(hidden)]
pub use self::route::{Route, ToAggregate, ToHandler};
pub use self::send::{AskQuery, SendCommand};
pub use self::updates::{Concern, Updates};
use crate::aggregate::Aggregate;
use crate::command::Command;
use crate::error::LoadError;
use crate::query::Query;
use crate::repository::{Loaded, Repository};
use crate::runner::Progress;
use crate::store::Store;

/// Takes commands and queries to what is registered for them. Clones are cheap and share everything: keep one in the
/// state of the application.
#[derive(Clone)]
pub struct Bus {
    shared: Arc<Shared>,
}

struct Shared {
    repository: Repository,
    registry: Registry,
    command_layers: Option<Stack>,
    query_layers: Option<Stack>,
    views: Vec<Progress>,
    changes: Changes,
}

impl Bus {
    /// Begins a bus over this store.
    pub fn builder(store: impl Store) -> BusBuilder {
        BusBuilder::new(Repository::new(store))
    }

    /// Sends a command: await the result. `actor`, `idempotency_key` and the like may be set before.
    ///
    /// When the result is `Ok`, the events of a command of an aggregate are as durable as the store makes them (G3).
    /// Dropping the future stops the work at an await; the events are then stored all or not at all (G14). Nothing
    /// happens before the first poll.
    ///
    /// # Errors
    /// See [`DispatchError`](crate::DispatchError).
    pub fn send<C: Command>(&self, command: C) -> SendCommand<C> {
        SendCommand::new(self.clone(), command)
    }

    /// Asks a query: await the answer.
    ///
    /// # Errors
    /// See [`QueryError`](crate::QueryError).
    pub fn ask<Q: Query>(&self, query: Q) -> AskQuery<Q> {
        AskQuery::new(self.clone(), query)
    }

    /// The aggregate with this key as it stands now; in its default state, at version 0, if it has no events.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub async fn load<A: Aggregate>(&self, key: &str) -> Result<Loaded<A>, LoadError> {
        self.shared.repository.load(key).await
    }

    /// The store under the bus.
    pub fn store(&self) -> &Arc<dyn Store> {
        self.shared.repository.store()
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Bus")
            .field("store", self.store())
            .field("registered", &self.shared.registry)
            .finish_non_exhaustive()
    }
}

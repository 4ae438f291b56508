//! Loads aggregates from their streams and carries commands out on them: load, decide, append.

mod batch;
mod execute;
mod job;
mod lane;
mod load;
mod manners;
mod retry;

use std::sync::Arc;

use self::job::Refusal;
pub(crate) use self::lane::Lanes;
pub use self::load::Loaded;
pub use self::retry::Retry;
use crate::aggregate::Aggregate;
use crate::command::Committed;
use crate::error::{DispatchError, LoadError};
use crate::store::Store;
use crate::stream::StreamId;

/// Loads aggregates from a store and carries commands out on them. Clones share the store.
#[derive(Debug, Clone)]
pub struct Repository {
    store: Arc<dyn Store>,
    retry: Retry,
}

/// What comes of a command.
type Outcome<C> = Result<Committed, DispatchError<Refusal<C>>>;

impl Repository {
    /// A repository over this store.
    pub fn new(store: impl Store) -> Self {
        Self { store: Arc::new(store), retry: Retry::default() }
    }

    /// The same with another policy for conflicts.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The aggregate with this key as it stands now; in its default state, at [`Version::NONE`](crate::Version::NONE),
    /// if it has no events.
    ///
    /// # Errors
    /// When the key can't name a stream, an event can't be read, or the store fails.
    pub async fn load<A: Aggregate>(&self, key: &str) -> Result<Loaded<A>, LoadError> {
        load::load(&*self.store, StreamId::new(A::CATEGORY, key)?).await
    }
}

//! What the author of a read model gives to the suite: a database to work on.

use async_trait::async_trait;
use cqrs_core::{ReadModel, Rows};

use super::views::{Composite, Sample};

/// A database that one case works on: empty at first, used by nobody else, dropped after the case.
///
/// Every read model that keeps the rows of both views of the suite is one: its handles are its clones. A fixture panics
/// when its database fails.
#[async_trait]
pub trait Fixture: Send + Sync + 'static {
    /// The read model, with rows whose key is one column.
    type Model: ReadModel + Rows<Sample>;

    /// The read model, with rows whose key is several columns: mostly the same.
    type Composite: ReadModel + Rows<Composite>;

    /// A handle on the database. Cases open several; where the read model allows, let each have its own connections, as
    /// another process would.
    async fn open(&self) -> Self::Model;

    /// A handle on the database, or on another one that is as empty.
    async fn open_composite(&self) -> Self::Composite;
}

#[async_trait]
impl<M: ReadModel + Rows<Sample> + Rows<Composite>> Fixture for M {
    type Model = M;
    type Composite = M;

    async fn open(&self) -> M {
        self.clone()
    }

    async fn open_composite(&self) -> M {
        self.clone()
    }
}

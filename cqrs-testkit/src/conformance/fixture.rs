//! What the author of a store gives to the suite: a database to work on.

use std::sync::Arc;

use async_trait::async_trait;
use cqrs_core::{Append, Store};

/// A database that one case works on: empty at first, used by nobody else, dropped after the case.
///
/// Every store that can be cloned is one: its handles are the clones. A fixture panics when its database fails.
#[async_trait]
pub trait Fixture: Send + Sync + 'static {
    /// A handle on the database. Cases open several; where the store allows, let each have its own connections, as
    /// another process would.
    async fn open(&self) -> Arc<dyn Store>;

    /// Begins an append and holds it open: its positions are drawn, but it is not committed.
    ///
    /// For stores whose appends run side by side in transactions. They meet the commonest defect of event stores: a
    /// reader passes the positions of a transaction that commits later. Without this method only the cases with many
    /// writers look for it. A store that can't append anything else meanwhile returns `None`, as the default does.
    async fn hold(&self, append: &Append) -> Option<Box<dyn HeldAppend>> {
        let _ = append;
        None
    }
}

/// An append that is held open.
#[async_trait]
pub trait HeldAppend: Send + Sync {
    /// Commits it.
    async fn commit(self: Box<Self>);

    /// Gives it up; nothing of it is stored.
    async fn roll_back(self: Box<Self>);
}

#[async_trait]
impl<S: Store + Clone> Fixture for S {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.clone())
    }
}

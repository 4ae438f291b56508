//! The suite that every store passes.

use std::sync::Arc;

use async_trait::async_trait;
use cqrs_core::Store;
use cqrs_testkit::conformance::Fixture;

use crate::support::{Place, open_patiently};

/// Each handle has connections of its own.
#[async_trait]
impl Fixture for Place {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(open_patiently(&self.path).await)
    }
}

mod file {
    use crate::support::place;

    cqrs_testkit::conformance::tests!(async { place() });
}

mod memory {
    use cqrs_sqlite::SqliteStore;

    cqrs_testkit::conformance::tests!(async { SqliteStore::in_memory().await.unwrap() });
}

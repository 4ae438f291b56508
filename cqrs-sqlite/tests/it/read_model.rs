//! The suite that every read model passes.

use async_trait::async_trait;
use cqrs_sqlite::SqliteModel;
use cqrs_testkit::read_model::Fixture;

use crate::support::{Place, open_patiently};

/// Each handle has connections of its own.
#[async_trait]
impl Fixture for Place {
    type Model = SqliteModel;
    type Composite = SqliteModel;

    async fn open(&self) -> SqliteModel {
        open_patiently(&self.path).await.model()
    }

    async fn open_composite(&self) -> SqliteModel {
        open_patiently(&self.path).await.model()
    }
}

mod file {
    use crate::support::place;

    cqrs_testkit::read_model::tests!(async { place() });
}

mod memory {
    use cqrs_sqlite::SqliteModel;

    cqrs_testkit::read_model::tests!(async { SqliteModel::in_memory().await.unwrap() });
}

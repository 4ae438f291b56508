//! The suite that every read model passes.

use async_trait::async_trait;
use cqrs_postgres::PostgresModel;
use cqrs_test_harness::{Database, postgres};
use cqrs_testkit::read_model::{Fixture, tests};

struct Place(Database);

impl Place {
    async fn new() -> Self {
        Self(postgres().unwrap().database("read_model").await.unwrap())
    }
}

/// Each handle has connections of its own.
#[async_trait]
impl Fixture for Place {
    type Model = PostgresModel;
    type Composite = PostgresModel;

    async fn open(&self) -> PostgresModel {
        PostgresModel::connect(&self.0.url()).await.unwrap()
    }

    async fn open_composite(&self) -> PostgresModel {
        self.open().await
    }
}

tests!(Place::new());

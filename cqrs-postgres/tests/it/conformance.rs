//! The suite that every store passes.

use std::sync::Arc;

use async_trait::async_trait;
use cqrs_core::{Append, Store};
use cqrs_postgres::PostgresStore;
use cqrs_test_harness::Database;
use cqrs_testkit::conformance::{Fixture, HeldAppend, tests};
use sqlx::PgTransaction;

use crate::support::{second, store};

struct Place {
    store: PostgresStore,
    database: Database,
}

impl Place {
    async fn new() -> Self {
        let (store, database) = store("conformance").await;
        Self { store, database }
    }
}

/// Each handle has connections of its own.
#[async_trait]
impl Fixture for Place {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(second(&self.database).await)
    }

    async fn hold(&self, append: &Append) -> Option<Box<dyn HeldAppend>> {
        let mut transaction = self.store.pool().begin().await.unwrap();
        self.store.append_in(&mut transaction, append).await.unwrap();
        Some(Box::new(Held(transaction)))
    }
}

struct Held(PgTransaction<'static>);

#[async_trait]
impl HeldAppend for Held {
    async fn commit(self: Box<Self>) {
        self.0.commit().await.unwrap();
    }

    async fn roll_back(self: Box<Self>) {
        self.0.rollback().await.unwrap();
    }
}

tests!(Place::new());

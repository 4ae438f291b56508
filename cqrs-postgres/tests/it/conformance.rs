//! The suite that every store passes: with group commit, without it, and where some handles have it and others don't.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use cqrs_core::{Append, Store};
use cqrs_postgres::PostgresStore;
use cqrs_test_harness::Database;
use cqrs_testkit::conformance::{Fixture, HeldAppend};
use sqlx::PgTransaction;

use crate::support::store;

struct Place {
    store: PostgresStore,
    database: Database,
    /// Whether handles have group commit, in turns.
    group_commit: &'static [bool],
    opened: AtomicUsize,
}

impl Place {
    async fn new(group_commit: &'static [bool]) -> Self {
        let (store, database) = store("conformance").await;
        Self { store, database, group_commit, opened: AtomicUsize::new(0) }
    }
}

/// Each handle has connections of its own.
#[async_trait]
impl Fixture for Place {
    async fn open(&self) -> Arc<dyn Store> {
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        let group_commit = self.group_commit[number % self.group_commit.len()];
        let options = PostgresStore::options(self.database.url()).group_commit(group_commit);
        Arc::new(options.connect().await.unwrap())
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

mod grouped {
    cqrs_testkit::conformance::tests!(super::Place::new(&[true]));
}

mod alone {
    cqrs_testkit::conformance::tests!(super::Place::new(&[false]));
}

mod mixed {
    cqrs_testkit::conformance::tests!(super::Place::new(&[true, false]));
}

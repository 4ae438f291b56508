//! The suite that every store passes: with group commit, without it, and where some handles have it and others don't.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use cqrs_core::Store;
use cqrs_sqlite::SqliteStore;
use cqrs_testkit::conformance::Fixture;

use crate::support::{self, place};

struct Place {
    file: support::Place,
    /// Whether handles have group commit, in turns.
    group_commit: &'static [bool],
    opened: AtomicUsize,
}

impl Place {
    fn new(group_commit: &'static [bool]) -> Self {
        Self { file: place(), group_commit, opened: AtomicUsize::new(0) }
    }
}

/// Each handle has connections of its own.
#[async_trait]
impl Fixture for Place {
    async fn open(&self) -> Arc<dyn Store> {
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        let options = SqliteStore::options(&self.file.path)
            .group_commit(self.group_commit[number % self.group_commit.len()])
            // It must not fire where many wait for each other on a slow machine.
            .busy_timeout(Duration::from_mins(2));
        Arc::new(options.open().await.unwrap())
    }
}

mod grouped {
    cqrs_testkit::conformance::tests!(async { super::Place::new(&[true]) });
}

mod alone {
    cqrs_testkit::conformance::tests!(async { super::Place::new(&[false]) });
}

mod mixed {
    cqrs_testkit::conformance::tests!(async { super::Place::new(&[true, false]) });
}

mod memory {
    use super::SqliteStore;

    cqrs_testkit::conformance::tests!(async { SqliteStore::in_memory().await.unwrap() });
}

//! The suite that every store passes.
//!
//! One line in the tests of a store turns every case into a test of its own:
//!
//! ```
//! use cqrs_core::MemoryStore;
//!
//! # mod hidden { use super::MemoryStore;
//! cqrs_testkit::conformance::tests!(async { MemoryStore::new() });
//! # }
//! # fn main() {}
//! ```
//!
//! The expression is evaluated once for each case and gives a future of a [`Fixture`]: a fresh and empty database.
//! A store that can be cloned is a fixture already. One whose database is to be removed afterwards, or that can be
//! opened several times, gets a fixture of its own:
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use async_trait::async_trait;
//! # use cqrs_core::{MemoryStore, Store};
//! # struct TempDir;
//! # impl TempDir { fn new() -> Self { Self } fn path(&self) -> &str { "" } }
//! # struct FileStore;
//! # impl FileStore { async fn open(_: &str) -> MemoryStore { MemoryStore::new() } }
//! use cqrs_testkit::conformance::{self, Fixture};
//!
//! struct OnDisk(TempDir);
//!
//! #[async_trait]
//! impl Fixture for OnDisk {
//!     async fn open(&self) -> Arc<dyn Store> {
//!         Arc::new(FileStore::open(self.0.path()).await)
//!     }
//! }
//!
//! # mod hidden { use super::*;
//! conformance::tests!(async { OnDisk(TempDir::new()) });
//! # }
//! # fn main() {}
//! ```
//!
//! A case whose name begins with `g` and a number proves that guarantee of the framework. The cases are about what a
//! store does while it runs; that events survive a crash (G3) and a broken connection (G4) only the store's own tests
//! can show.

mod append;
mod cancellation;
mod cases;
mod expected;
mod filters;
mod fixture;
mod following;
mod idempotency;
mod limits;
mod names;
mod news;
mod races;
mod reading;
mod snapshots;
mod support;
mod text;

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

pub use self::fixture::{Fixture, HeldAppend};
#[doc(inline)]
pub use crate::__conformance_tests as tests;

/// Runs every case, each on a fixture of its own, and reports all failures together.
///
/// Where the cases should be tests of their own, use [`tests!`].
///
/// ```
/// # use cqrs_core::MemoryStore;
/// # use cqrs_testkit::conformance;
/// # #[tokio::main]
/// # async fn main() {
/// conformance::run(|| async { MemoryStore::new() }).await.unwrap();
/// # }
/// ```
///
/// # Errors
/// When the store fails a case.
///
/// # Panics
/// Outside of a tokio runtime.
pub async fn run<F, Making>(make: impl Fn() -> Making) -> Result<(), Failures>
where
    F: Fixture,
    Making: Future<Output = F>,
{
    let mut failures = Vec::new();
    for case in cases::CASES {
        let fixture: Arc<dyn Fixture> = Arc::new(make().await);
        // A task of its own, so that a failed assertion ends the case and not the suite.
        if let Err(error) = tokio::spawn((case.run)(fixture)).await {
            let reason = match error.try_into_panic() {
                Ok(panic) => message(&*panic),
                Err(error) => error.to_string(),
            };
            let case = case.name;
            failures.push(Failure { case, reason });
        }
    }
    let cases = cases::CASES.len();
    if failures.is_empty() { Ok(()) } else { Err(Failures { failures, cases }) }
}

/// Runs the case of this name on a runtime of its own. What [`tests!`] expands to.
#[doc(hidden)]
pub fn run_case<F, Making>(name: &str, make: impl FnOnce() -> Making)
where
    F: Fixture,
    Making: Future<Output = F>,
{
    let case = cases::CASES.iter().find(|case| case.name == name);
    let case = case.unwrap_or_else(|| panic!("the suite has no case `{name}`"));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
    let runtime = runtime.unwrap_or_else(|error| panic!("no runtime for a test: {error}"));
    runtime.block_on(async {
        let fixture: Arc<dyn Fixture> = Arc::new(make().await);
        (case.run)(fixture).await;
    });
}

/// The names of all cases.
#[doc(hidden)]
pub fn names() -> impl Iterator<Item = &'static str> {
    cases::CASES.iter().map(|case| case.name)
}

/// The cases a store failed, with what it did wrong.
pub struct Failures {
    failures: Vec<Failure>,
    cases: usize,
}

struct Failure {
    case: &'static str,
    reason: String,
}

impl Failures {
    /// The names of the failed cases.
    pub fn cases(&self) -> impl Iterator<Item = &'static str> {
        self.failures.iter().map(|failure| failure.case)
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (failed, cases) = (self.failures.len(), self.cases);
        write!(formatter, "the store fails {failed} of {cases} cases:")?;
        for Failure { case, reason } in &self.failures {
            write!(formatter, "\n- {case}: {}", reason.replace('\n', "\n  "))?;
        }
        Ok(())
    }
}

/// The same as `Display`, so that `unwrap` is readable.
impl fmt::Debug for Failures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl std::error::Error for Failures {}

/// What a panic says.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a message")
        .to_owned()
}

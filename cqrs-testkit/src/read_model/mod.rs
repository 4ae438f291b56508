//! The suite that every read model passes.
//!
//! One line in the tests of a read model turns every case into a test of its own:
//!
//! ```
//! use cqrs_core::MemoryView;
//! use cqrs_testkit::read_model::{self, Composite, Fixture, Sample};
//!
//! struct InMemory(MemoryView<Sample>, MemoryView<Composite>);
//!
//! #[async_trait::async_trait]
//! impl Fixture for InMemory {
//!     type Model = MemoryView<Sample>;
//!     type Composite = MemoryView<Composite>;
//!
//!     async fn open(&self) -> Self::Model {
//!         self.0.clone()
//!     }
//!
//!     async fn open_composite(&self) -> Self::Composite {
//!         self.1.clone()
//!     }
//! }
//!
//! # mod hidden { use super::*; use cqrs_core::MemoryModel;
//! read_model::tests!(async {
//!     InMemory(MemoryModel::new(Default::default()), MemoryModel::new(Default::default()))
//! });
//! # }
//! # fn main() {}
//! ```
//!
//! The expression is evaluated once for each case and gives a future of a [`Fixture`]: a fresh and empty database. A
//! read model that keeps the rows of any view is a fixture already. One whose database is to be removed afterwards, or
//! that can be opened several times, as several processes would, gets a fixture of its own.
//!
//! A case whose name begins with `g` and a number proves that guarantee of the framework. The cases are about what a
//! read model does while it runs, and what all have in common; what a crash leaves, what a broken connection does, and
//! that the tables of something else are left alone, only its own tests can show.

mod adopting;
mod cases;
mod committing;
mod exchanging;
mod fixture;
mod leases;
mod opening;
mod parking;
mod rescaling;
mod rows;
mod sharing;
mod support;
mod views;

use std::future::Future;
use std::sync::Arc;

pub use self::fixture::Fixture;
pub use self::views::{Composite, Sample};
#[doc(inline)]
pub use crate::__read_model_tests as tests;

/// Runs the case of this name on a runtime of its own. What [`tests!`] expands to.
#[doc(hidden)]
pub fn run_case<F, Making>(name: &str, make: impl FnOnce() -> Making)
where
    F: Fixture,
    Making: Future<Output = F>,
{
    let case = cases::cases::<F>().into_iter().find(|case| case.name == name);
    let case = case.unwrap_or_else(|| panic!("the suite has no case `{name}`"));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
    let runtime = runtime.unwrap_or_else(|error| panic!("no runtime for a test: {error}"));
    runtime.block_on(async { (case.run)(Arc::new(make().await)).await });
}

/// The names of all cases.
#[doc(hidden)]
pub fn names() -> impl Iterator<Item = &'static str> {
    cases::NAMES.iter().copied()
}

//! The reference passes the suite.

use super::fixture::InMemory;

cqrs_testkit::read_model::tests!(async { InMemory::new() });

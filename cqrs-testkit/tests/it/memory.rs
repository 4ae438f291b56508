//! The reference store passes the suite.

use cqrs_core::MemoryStore;

cqrs_testkit::conformance::tests!(async { MemoryStore::new() });

//! Tests for what is built with `cqrs`.

pub mod conformance;

//! Tests for what is built with `cqrs`.

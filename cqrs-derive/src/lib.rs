//! Derive macros of the `cqrs` framework.

//! The SQLite store against real files, with real processes.
#![allow(clippy::unwrap_used, reason = "test code; and the name of the database is prose")]

mod append;
mod cancellation;
mod child;
mod conformance;
mod corrupt;
mod crash;
mod model;
mod opening;
mod processes;
mod projecting;
mod racing;
mod snapshots;
mod statements;
mod support;

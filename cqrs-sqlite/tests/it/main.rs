//! The SQLite store against real files, with real processes.
#![allow(clippy::unwrap_used, reason = "test code; and the name of the database is prose")]

mod append;
mod beside;
mod cancellation;
mod child;
mod conformance;
mod corrupt;
mod crash;
mod exchanging;
mod group;
mod model;
mod opening;
mod processes;
mod projecting;
mod racing;
mod read_model;
mod snapshots;
mod statements;
mod support;
mod views;

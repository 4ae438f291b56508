//! Tests across the crates: what an application sees of the framework, and the examples as a user runs them.

mod bank;
mod bus;
mod domain;
mod guarantees;
mod layers;
mod project;
mod properties;
mod snapshots;
mod telemetry;

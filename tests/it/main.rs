//! Tests across the crates: what an application sees of the framework, and the examples as a user runs them.

#![allow(clippy::unwrap_used, reason = "a test that panics is a test that fails")]

mod bank;
mod bus;
mod document;
mod domain;
mod evolution;
mod examples;
mod guarantees;
mod hostile;
mod keyed;
mod known_defects;
mod large;
mod layers;
mod modes;
mod page;
mod project;
mod projections;
mod properties;
mod snapshots;
mod stock;
mod stores;
mod subscriptions;
mod telemetry;
mod together;
mod views;

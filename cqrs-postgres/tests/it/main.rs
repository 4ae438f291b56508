//! The Postgres store against a real server.
#![allow(clippy::unwrap_used, reason = "test code")]

mod abandoned;
mod append;
mod child;
mod conformance;
mod connections;
mod durability;
mod fence;
mod group;
mod head;
mod kinds;
mod model;
mod projecting;
mod proxy;
mod races;
mod read_model;
mod reading;
mod rights;
mod schema;
mod secrets;
mod sessions;
mod support;
mod tls;
mod undone;
mod versions;
mod views;
mod warm;

//! The Postgres store against a real server.

mod append;
mod connections;
mod durability;
mod fence;
mod model;
mod proxy;
mod races;
mod reading;
mod schema;
mod support;

//! The test kit of the read side, tested: the suite of read models, and what is there for projections and views.

#![allow(clippy::unwrap_used, reason = "what fails in a test fails the test")]

mod projections;
mod read_models;

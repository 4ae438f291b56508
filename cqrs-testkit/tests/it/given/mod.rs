//! Given, when, then.

mod domain;
mod messages;
mod passing;

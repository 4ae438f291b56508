//! The SQLite store against real files, with real processes.
#![allow(clippy::doc_markdown)]

mod append;
mod statements;
mod support;

//! The Postgres store of the `cqrs` framework.
//!
//! [`PostgresStore`] keeps events and snapshots in the schema `cqrs` of a database, for any number of processes that
//! append and read at the same time. It needs `PostgreSQL` 13 or later.
//!
//! # What it promises
//! - An append is one statement in one round trip. It is stored as a whole or not at all (G1), at exactly the version
//!   expected (G2), and durable when acknowledged (G3): where role or database say `synchronous_commit = off`, the
//!   transaction of an append commits durably all the same.
//! - When the connection breaks during an append, the append is repeated on another one; the ids of its events make
//!   that safe (G4).
//! - A reader of the log sees every event exactly once, in order of position, whatever order writers commit in (G5).
//!   Every way to insert takes part: also appends in transactions of your own, prepared transactions, and `COPY`.
//! - Positions survive dump and restore (G12).
//!
//! # Poolers
//! Nothing depends on the state of a session, so a pooler in transaction mode works if it supports prepared
//! statements, as `PgBouncer` does from 1.21 on with `max_prepared_statements` above 0.
//!
//! # Replicas
//! The log is read from the primary: a replica does not know which appends are under way. On a replica the store
//! answers [`Unsupported`](cqrs_core::StoreErrorKind::Unsupported).

mod append;
mod error;
mod migrate;
mod options;
mod read;
mod rows;
mod snapshot;
mod store;
mod visibility;

pub use self::options::PostgresOptions;
pub use self::store::PostgresStore;

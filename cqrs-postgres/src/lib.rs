//! The Postgres store of the `cqrs` framework, and its read models.
//!
//! [`PostgresStore`] keeps events and snapshots in the schema `cqrs` of a database, for any number of processes that
//! append and read at the same time. It needs PostgreSQL 13 or later. [`PostgresModel`] keeps the rows of projections.
//!
//! # What it promises
//! - An append is one statement in one round trip. It is stored as a whole or not at all (G1), at exactly the version
//!   expected (G2), and durable when acknowledged (G3): where role or database say `synchronous_commit = off`, the
//!   transaction of an append commits durably all the same.
//! - When the connection breaks during an append, the append is repeated on another one; the ids of its events make
//!   that safe (G4).
//! - A reader of the log sees every event exactly once, in order of position, whatever order writers commit in (G5).
//!   Every way to insert takes part: also appends in transactions of your own, prepared transactions, and `COPY`.
//! - The rows of a projection and its checkpoint are committed together, by the one that owns its lease (G7); see
//!   [`PostgresModel`].
//! - Positions survive dump and restore (G12).
//!
//! # Connections
//! Nothing depends on the state of a session, so a pooler in transaction mode works if it supports prepared
//! statements, as `PgBouncer` does from 1.21 on with `max_prepared_statements` above 0.
//!
//! Every connection must lead to the primary: a replica does not know which appends are under way, so the log can't be
//! read there, and the store answers [`Unavailable`](cqrs_core::StoreErrorKind::Unavailable). It drops the connection, so
//! that it finds the primary again where the address leads to it by then, as after a failover.
//!
//! A network that loses everything and says nothing is noticed by the [time](PostgresOptions::call_timeout) a statement
//! takes: its connection counts as lost then.
//!
//! For TLS, turn on the feature `tls`, which trusts the root certificates of the system, or one of the `tls-…` features
//! of `sqlx` 0.9 in the `Cargo.toml` of your application. Add `?sslmode=verify-full` to the URL: then the connection is
//! encrypted, and the server must have a certificate for the host of the URL, of an authority that is trusted; name
//! another authority with `&sslrootcert=path.pem`. Without it, the store encrypts only where the server offers to, and
//! talks to whoever answers.
//!
//! # News
//! A reader of the log that waits for more is woken by appends through the same store at once, and by those of other
//! stores within milliseconds: after an append the store sends a `NOTIFY` on the channel `cqrs_events`, one for all
//! appends of the last milliseconds, and never in a transaction that appends, where it would make writers wait for each
//! other. Appends don't wait for it. A store opens up to two connections for that beside its pool: one to notify, at the
//! first append, and one to listen, at the first reader.
//!
//! Nothing depends on it: readers also look by themselves, four times a second. That is how they find what you append in
//! [transactions of your own](PostgresStore::append_in). They look a hundred times a second while the store can't listen
//! and while they see appends under way. The store can't listen on a connection through a pooler that shares sessions,
//! such as `PgBouncer`, and finds that out without harm; notifying works there.
//!
//! # Who holds readers back
//! Readers of the log wait for transactions that have inserted events and not ended. This shows them, the one to blame
//! first:
//! ```sql
//! SELECT pid, xact_start, state, application_name, query
//! FROM pg_locks JOIN pg_stat_activity USING (pid)
//! WHERE locktype = 'advisory' AND classid::bigint >> 16 = 17233
//! ORDER BY classid::bigint, objid::bigint;
//! ```
//! A prepared transaction has no process and is listed in `pg_prepared_xacts`.

mod append;
mod connections;
mod error;
mod group;
mod log;
mod migrate;
mod model;
mod news;
mod options;
mod read;
mod reads;
mod rows;
mod snapshot;
mod store;
mod task;
mod visibility;
mod warm;

pub use sqlx;

pub use self::model::{PostgresModel, from_row};
pub use self::options::PostgresOptions;
pub use self::store::PostgresStore;

//! Faults injected into running processes and servers, and a checker of what clients saw.
//!
//! ```sh
//! cargo run --release -p cqrs-faults -- --store postgres --seed 7 --for 60s
//! cargo run --release -p cqrs-faults -- --store sqlite --for 30s --rounds 20
//! cargo run --release -p cqrs-faults -- --for 1h
//! ```
//!
//! A round runs several processes: writers, which send commands over a bus, and workers, which follow the log with a
//! projection, two views and a subscription. All of them run this same program. Their database is a throw-away
//! PostgreSQL server behind a proxy, or SQLite files. A seed determines which faults are injected when, see
//! [`schedule`]; what comes of that depends on the machine.
//!
//! Writers write down every call before they make it and what came of it afterwards, see [`history`]. When all faults
//! are over, everything is brought to its end: commands with a key are sent again until it is known what becomes of
//! them, readers come to the end of the log, parked streams are replayed. Then the [`checker`] compares what is stored,
//! what readers have made of it, and what clients were told. It knows nothing of faults: what is promised holds
//! whatever happens.
//!
//! # What is not injected
//! - The clocks of processes are not set. What is promised depends on them nowhere: stores on a server take the time
//!   from the server, `SQLite` stores that of the machine, and `recorded_at` is not what events are ordered by. Leases
//!   run out by such a clock; [`Fault::JumpLeases`](faults::Fault::JumpLeases) has them run out, or last, as if it were
//!   set.
//! - A full disk takes the right to mount a file system; without it the report says so. The log that PostgreSQL writes
//!   ahead is on another disk: where that is full, the server ends itself, as it does when it is killed.
//! - Nothing is lost of what was synced: machines are not switched off, and disks do not lie.

#![cfg(unix)]

pub mod base;
pub mod checker;
pub mod child;
pub mod disk;
pub mod domain;
pub mod faults;
pub mod fleet;
pub mod history;
pub mod inject;
pub mod proxy;
pub mod random;
pub mod reading;
pub mod report;
pub mod round;
pub mod schedule;
pub mod worker;
mod writer;

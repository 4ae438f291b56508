//! Leases: who moves which checkpoint.

use std::time::Duration;

use uuid::Uuid;

use super::Parked;
use crate::version::Position;

/// The right to move the checkpoint of a slot, until it runs out or someone else has taken it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The slot.
    pub slot: u32,
    /// Rises with every change of owner: a commit under an older token is refused (G7).
    pub token: i64,
    /// How many commits its owner knows of. Where a database can lose commits that were acknowledged, one that knows of
    /// fewer refuses the owner, whose position is ahead of its rows.
    pub commits: i64,
    /// How far the read model has come.
    pub position: Position,
}

/// One of those who share the slots of a projection: a worker.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// Who it is.
    pub id: Uuid,
    /// What people know it by: a host and a process, say.
    pub label: &'a str,
    /// The leases it has, for all it knows, with how far it has come.
    pub leases: &'a [Lease],
    /// How long its leases, and itself, are to last from now on, unless it leaves.
    pub time: Duration,
    /// What keeps it from going on, if anything does: for others to see.
    pub error: Option<&'a str>,
}

/// The share of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Its leases, by slot.
    pub leases: Vec<Lease>,
    /// Into how many slots the streams are divided.
    pub slots: u32,
    /// Whether the version is in service.
    pub in_service: bool,
    /// Whether it is or was: one that was, and is beside now, was replaced or rolled back.
    pub has_served: bool,
    /// While the slots are being divided anew: no checkpoint may move behind this position.
    pub barrier: Option<Position>,
    /// Events up to here were stored before the version was made.
    pub replays_to: Position,
    /// The parked streams of the version, in all slots.
    pub parked: Vec<Parked>,
}

/// What is committed together with the rows.
#[derive(Debug, Clone, Copy)]
pub struct Commit<'a> {
    /// The leases whose checkpoints move, with the positions they move to. There is at least one.
    pub leases: &'a [Lease],
    /// How many events were taken in the transaction.
    pub events: u64,
    /// How long the leases are to last from now on.
    pub time: Duration,
}

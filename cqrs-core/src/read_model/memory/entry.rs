//! A version of a projection in memory: its slots, members and parked streams.

use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::Change;
use crate::read_model::{Commit, Lease, Member, Parked, ProjectionState, Setup, Share, SlotState};
use crate::version::Position;

pub(super) struct Entry<T> {
    pub(super) events: String,
    /// The value, while the version is beside the one in service.
    pub(super) beside: Option<T>,
    pub(super) has_served: bool,
    pub(super) parked: Vec<Parked>,
    /// Whether it was made with tables, which may be emptied.
    pub(super) has_tables: bool,
    slots: Vec<Slot>,
    members: Vec<Known>,
    /// Into how many slots it is being divided anew, and the position all have to come to before.
    rescaling: Option<(u32, Position)>,
    replays_to: Position,
}

struct Slot {
    lease: Lease,
    owner: Option<Uuid>,
    until: Instant,
    heard: Instant,
    events: u64,
    error: Option<String>,
}

struct Known {
    id: Uuid,
    label: String,
    until: Instant,
}

impl<T> Entry<T> {
    /// A version at the beginning of the log. Its tokens are beyond `token`.
    pub(super) fn new(events: String, beside: Option<T>, setup: &Setup<'_>, token: i64) -> Self {
        Self {
            events,
            has_served: beside.is_none(),
            beside,
            parked: Vec::new(),
            has_tables: !setup.tables.is_empty(),
            slots: slots(setup.slots.max(1), token, Position::START),
            members: Vec::new(),
            rescaling: None,
            replays_to: setup.replays_to,
        }
    }

    pub(super) fn is_in_service(&self) -> bool {
        self.beside.is_none()
    }

    pub(super) fn share(&mut self, member: &Member<'_>) -> Share {
        let now = Instant::now();
        let until = now + member.time;
        self.members.retain(|known| known.until > now && known.id != member.id);
        self.members.push(Known { id: member.id, label: member.label.to_owned(), until });
        self.prolong(member.leases, member.time);
        for lease in member.leases {
            if let Some(slot) = self.owned(lease) {
                slot.lease.position = slot.lease.position.max(lease.position);
            }
        }
        self.divide_anew();
        let most = self.slots.len().div_ceil(self.members.len());
        let knows = |lease: &Lease| member.leases.iter().any(|known| lease.is(known));
        let mut leases = Vec::new();
        // First those it has. What it does not know of, or has too many of, is free for others, too.
        for slot in self.slots.iter_mut().filter(|slot| slot.owner == Some(member.id)) {
            if leases.len() < most && knows(&slot.lease) {
                leases.push(slot.lease);
                slot.error = member.error.map(ToOwned::to_owned);
            } else {
                (slot.owner, slot.error) = (None, None);
            }
        }
        for slot in &mut self.slots {
            let is_taken = leases.iter().any(|lease| lease.slot == slot.lease.slot);
            let is_free = slot.owner.is_none() || slot.until <= now;
            if leases.len() < most && !is_taken && is_free {
                slot.lease.token += 1;
                (slot.owner, slot.until, slot.heard) = (Some(member.id), until, now);
                slot.error = member.error.map(ToOwned::to_owned);
                leases.push(slot.lease);
            }
        }
        leases.sort_by_key(|lease| lease.slot);
        Share {
            leases,
            slots: u32::try_from(self.slots.len()).unwrap_or(u32::MAX),
            in_service: self.is_in_service(),
            has_served: self.has_served,
            barrier: self.rescaling.map(|(_, barrier)| barrier),
            replays_to: self.replays_to,
            parked: self.parked.clone(),
        }
    }

    pub(super) fn leave(&mut self, member: &Member<'_>) {
        self.members.retain(|known| known.id != member.id);
        for lease in member.leases {
            if let Some(slot) = self.owned(lease) {
                slot.lease.position = slot.lease.position.max(lease.position);
                (slot.owner, slot.error) = (None, member.error.map(ToOwned::to_owned));
            }
        }
    }

    /// Prolongs those of the leases that are in force; whether all are.
    pub(super) fn prolong(&mut self, leases: &[Lease], time: Duration) -> bool {
        let now = Instant::now();
        let mut all = true;
        for lease in leases {
            match self.owned(lease) {
                Some(slot) => (slot.until, slot.heard) = (now + time, now),
                None => all = false,
            }
        }
        all
    }

    pub(super) fn commit(&mut self, commit: &Commit<'_>) -> bool {
        if !commit.leases.iter().all(|lease| self.owned(lease).is_some()) {
            return false;
        }
        self.prolong(commit.leases, commit.time);
        for (index, lease) in commit.leases.iter().enumerate() {
            if let Some(slot) = self.owned(lease) {
                slot.lease.position = slot.lease.position.max(lease.position);
                slot.lease.commits += 1;
                slot.error = None;
                // The events of a batch are counted once.
                slot.events += if index == 0 { commit.events } else { 0 };
            }
        }
        true
    }

    pub(super) fn change(&mut self, change: Change) {
        match change {
            Change::Unpark(stream) => self.parked.retain(|parked| parked.stream != stream),
            Change::Park(parked) => {
                match self.parked.iter_mut().find(|other| other.stream == parked.stream) {
                    Some(other) => *other = Parked { since: other.since, ..parked },
                    None => self.parked.push(parked),
                }
                self.parked.sort_by_key(|parked| parked.position);
            }
        }
    }

    /// Goes on with these events, unless a checkpoint is beyond this position.
    pub(super) fn adopt(&mut self, events: &str, through: Position) -> bool {
        if self.furthest() > through {
            return false;
        }
        events.clone_into(&mut self.events);
        self.void_leases();
        self.members.clear();
        true
    }

    pub(super) fn rescale(&mut self, slots: u32) {
        self.rescaling = Some((slots, self.furthest()));
        self.void_leases();
    }

    pub(super) fn reset(&mut self, replays_to: Position) {
        self.void_leases();
        self.rescaling = None;
        self.parked.clear();
        self.replays_to = replays_to;
        for slot in &mut self.slots {
            (slot.lease.position, slot.events) = (Position::START, 0);
        }
    }

    pub(super) fn void_leases(&mut self) {
        for slot in &mut self.slots {
            slot.lease.token += 1;
            (slot.owner, slot.error) = (None, None);
        }
    }

    pub(super) fn furthest(&self) -> Position {
        self.positions().max().unwrap_or_default()
    }

    pub(super) fn nearest(&self) -> Position {
        self.positions().min().unwrap_or_default()
    }

    /// The highest token that was given.
    pub(super) fn last_token(&self) -> i64 {
        self.slots.iter().map(|slot| slot.lease.token).max().unwrap_or(0)
    }

    pub(super) fn state(&self, name: &str, version: u32) -> ProjectionState {
        let now = Instant::now();
        let slot = |slot: &Slot| SlotState {
            slot: slot.lease.slot,
            position: slot.lease.position,
            owner: slot.owner.filter(|_| slot.until > now),
            events: slot.events,
            error: slot.error.clone(),
            heard: now - slot.heard,
        };
        let members = self.members.iter().filter(|known| known.until > now);
        ProjectionState {
            name: name.to_owned(),
            version,
            events: self.events.clone(),
            in_service: self.is_in_service(),
            has_served: self.has_served,
            slots: self.slots.iter().map(slot).collect(),
            rescaling: self.rescaling.map(|(slots, _)| slots),
            replays_to: self.replays_to,
            parked: self.parked.len() as u64,
            members: members.map(|known| (known.id, known.label.clone())).collect(),
        }
    }

    fn positions(&self) -> impl Iterator<Item = Position> {
        self.slots.iter().map(|slot| slot.lease.position)
    }

    /// The slot of a lease that is in force.
    fn owned(&mut self, lease: &Lease) -> Option<&mut Slot> {
        let slots = &mut self.slots;
        slots.iter_mut().find(|slot| slot.lease.is(lease) && slot.owner.is_some())
    }

    /// Divides the streams into slots anew when all slots have come to the barrier.
    fn divide_anew(&mut self) {
        let Some((count, barrier)) = self.rescaling else { return };
        if self.positions().any(|position| position < barrier) {
            return;
        }
        let token = self.last_token();
        let events = self.slots.iter().map(|slot| slot.events).sum();
        // Beyond every token that was given, so that no lease from before holds for one of the new slots.
        self.slots = slots(count, token + 1, barrier);
        if let Some(first) = self.slots.first_mut() {
            first.events = events;
        }
        self.rescaling = None;
    }
}

impl Lease {
    /// Whether this, which is stored, is the lease that somebody holds, wherever it has come to. It is not where fewer
    /// commits are stored than its owner knows of.
    fn is(&self, held: &Self) -> bool {
        (self.slot, self.token) == (held.slot, held.token) && self.commits >= held.commits
    }
}

fn slots(count: u32, token: i64, position: Position) -> Vec<Slot> {
    let now = Instant::now();
    let slot = |slot| Slot {
        lease: Lease { slot, token, commits: 0, position },
        owner: None,
        until: now,
        heard: now,
        events: 0,
        error: None,
    };
    (0..count).map(slot).collect()
}

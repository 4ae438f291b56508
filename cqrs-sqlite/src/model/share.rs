//! Sharing the slots of a version among its members.

use cqrs_core::{Lease, Member, Position, ProjectionId, Share, StoreError};

use super::failure::Failure;
use super::place::{ATTEMPTS, Place, milliseconds, now, restless};
use super::versions::{Known, Slot, Stored};
use super::{SqliteModel, parked};

/// Settles the share of a member; see [`ReadModel::share`](cqrs_core::ReadModel::share).
pub(super) async fn share(
    model: &SqliteModel,
    projection: &ProjectionId,
    member: &Member<'_>,
) -> Result<Option<Share>, StoreError> {
    let doing = || format!("sharing the slots of projection {projection}");
    let failed = |failed: Failure| failed.while_doing(&doing());
    let ProjectionId { name, version, .. } = *projection;
    for _ in 0..ATTEMPTS {
        let place = model.find(name, version).await.map_err(failed)?;
        let Some(place) = place else { return Ok(None) };
        match share_in(model, &place, projection, member).await.map_err(failed)? {
            Settled::Share(share) => return Ok(Some(share)),
            Settled::OtherEvents => return Ok(None),
            Settled::Left => {}
        }
        // It has left for another file, or is on the way. A file that was deleted is nowhere.
        if !model.is_live(&place) && !recall(model, &place, name, version).await.map_err(failed)? {
            return Ok(None);
        }
    }
    Err(restless(&doing()))
}

/// What came of settling a share in a file.
enum Settled {
    Share(Share),
    /// The version is made from other events than the member wants.
    OtherEvents,
    /// The version is not there any more.
    Left,
}

/// Settles a share in the file where the version was found a moment ago.
async fn share_in(
    model: &SqliteModel,
    place: &Place,
    projection: &ProjectionId,
    member: &Member<'_>,
) -> Result<Settled, Failure> {
    let ProjectionId { name, version, ref events } = *projection;
    if member.leases.is_empty() {
        // Without the lock first: who stands by has nothing to write most of the time.
        let stored = Stored::load(&place.readers, name, version).await?;
        if let Some(before) = stored.filter(|stored| !stored.is_leaving && stored.events == *events)
        {
            let mut after = before.clone();
            let leases = after.share(member, now());
            if after == before {
                let parked = parked::parked(&place.readers, name, version).await?;
                let share = after.told(leases, model.is_live(place), parked);
                return Ok(Settled::Share(share));
            }
        }
    }
    let mut transaction = place.begin().await?;
    let stored = Stored::load(&mut *transaction, name, version).await?;
    let Some(before) = stored.filter(|stored| !stored.is_leaving) else {
        return Ok(Settled::Left);
    };
    if before.events != *events {
        return Ok(Settled::OtherEvents);
    }
    let mut after = before.clone();
    let leases = after.share(member, now());
    after.save(&mut transaction, &before).await?;
    let parked = parked::parked(&mut *transaction, name, version).await?;
    transaction.commit().await?;
    Ok(Settled::Share(after.told(leases, model.is_live(place), parked)))
}

/// Has a version stay in its file whose way to another one has ended with a crash, or waits for the end of that way;
/// false if there is no such version any more.
async fn recall(
    model: &SqliteModel,
    place: &Place,
    name: &str,
    version: u32,
) -> Result<bool, Failure> {
    // Held by whoever moves a version, all the way.
    let mut live = model.live.begin().await?;
    let found = model.find_through(&mut *live, name, version).await?;
    if found.is_none_or(|found| found.path != place.path) {
        return Ok(true);
    }
    let mut transaction = place.begin().await?;
    let stored = Stored::load(&mut *transaction, name, version).await?;
    let Some(before) = stored else { return Ok(false) };
    let after = Stored { is_leaving: false, ..before.clone() };
    after.save(&mut transaction, &before).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Gives leases back; see [`ReadModel::leave`](cqrs_core::ReadModel::leave).
pub(super) async fn leave(
    model: &SqliteModel,
    projection: &ProjectionId,
    member: &Member<'_>,
) -> Result<(), Failure> {
    let ProjectionId { name, version, .. } = *projection;
    let Some(place) = model.find(name, version).await? else { return Ok(()) };
    let mut transaction = place.begin().await?;
    let Some(before) = Stored::load(&mut *transaction, name, version).await? else {
        return Ok(());
    };
    let mut after = before.clone();
    after.leave(member);
    after.save(&mut transaction, &before).await?;
    transaction.commit().await?;
    Ok(())
}

impl Stored {
    /// What a member is told.
    fn told(self, leases: Vec<Lease>, in_service: bool, parked: Vec<cqrs_core::Parked>) -> Share {
        Share {
            leases,
            slots: u32::try_from(self.slots.len()).unwrap_or(u32::MAX),
            in_service,
            has_served: in_service || self.has_served,
            barrier: self.rescaling.map(|(_, barrier)| barrier),
            replays_to: self.replays_to,
            parked,
        }
    }

    /// The leases of a member, once it is known how many there are to be.
    fn share(&mut self, member: &Member<'_>, now: i64) -> Vec<Lease> {
        let until = now + milliseconds(member.time);
        self.meet(member, now, until);
        for lease in member.leases {
            if let Some(slot) = self.owned(lease) {
                (slot.until, slot.heard) = (until, now);
                slot.lease.position = slot.lease.position.max(lease.position);
            }
        }
        self.divide_anew(now);
        let most = self.slots.len().div_ceil(self.members.len());
        let mut leases = Vec::new();
        // First those it has. What it does not know of, or has too many of, is free for others, too.
        for slot in self.slots.iter_mut().filter(|slot| slot.owner == Some(member.id)) {
            let is_known = member.leases.iter().any(|lease| slot.is_under(lease));
            if leases.len() < most && is_known {
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
                // Tokens are only compared: one that was edited to be the last there is has one after it, too.
                slot.lease.token = slot.lease.token.wrapping_add(1);
                (slot.owner, slot.until, slot.heard) = (Some(member.id), until, now);
                slot.error = member.error.map(ToOwned::to_owned);
                leases.push(slot.lease);
            }
        }
        leases.sort_by_key(|lease| lease.slot);
        leases
    }

    /// Makes it one of the members, without those whose time is over.
    fn meet(&mut self, member: &Member<'_>, now: i64, until: i64) {
        self.members.retain(|known| known.until > now || known.id == member.id);
        let Some(known) = self.members.iter_mut().find(|known| known.id == member.id) else {
            let label = member.label.to_owned();
            self.members.push(Known { id: member.id, label, until });
            self.members.sort_by_key(|known| known.id);
            return;
        };
        member.label.clone_into(&mut known.label);
        // Not each time, so that who stands by has nothing to write.
        let is_soon = until - known.until > (until - now) / 4;
        if is_soon || known.until > until {
            known.until = until;
        }
    }

    fn leave(&mut self, member: &Member<'_>) {
        self.members.retain(|known| known.id != member.id);
        for lease in member.leases {
            if let Some(slot) = self.owned(lease) {
                slot.lease.position = slot.lease.position.max(lease.position);
                (slot.owner, slot.error) = (None, member.error.map(ToOwned::to_owned));
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

    fn positions(&self) -> impl Iterator<Item = Position> {
        self.slots.iter().map(|slot| slot.lease.position)
    }

    /// The slot of a lease that is in force.
    fn owned(&mut self, lease: &Lease) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|slot| slot.is_under(lease) && slot.owner.is_some())
    }

    /// Divides the streams into slots anew when all slots have come to the barrier.
    fn divide_anew(&mut self, now: i64) {
        let Some((count, barrier)) = self.rescaling else { return };
        if self.positions().any(|position| position < barrier) {
            return;
        }
        let token = self.slots.iter().map(|slot| slot.lease.token).max().unwrap_or(0);
        let events = self.slots.iter().map(|slot| slot.events).sum();
        // Beyond every token that was given, so that no lease from before holds for one of the new slots.
        self.slots = Slot::many(count, token + 1, barrier, now);
        if let Some(first) = self.slots.first_mut() {
            first.events = events;
        }
        self.rescaling = None;
    }
}

impl Slot {
    /// So many slots that nobody owns.
    pub(super) fn many(count: u32, token: i64, position: Position, now: i64) -> Vec<Self> {
        let slot = |slot| Self {
            lease: Lease { slot, token, commits: 0, position },
            owner: None,
            until: now,
            heard: now,
            events: 0,
            error: None,
        };
        (0..count).map(slot).collect()
    }

    /// Whether it is under this lease, all commits of which are there.
    fn is_under(&self, lease: &Lease) -> bool {
        (self.lease.slot, self.lease.token) == (lease.slot, lease.token)
            && self.lease.commits >= lease.commits
    }
}

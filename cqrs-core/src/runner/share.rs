//! The share of a worker: which slots it has, and which of them it moves next.

use std::sync::Arc;

use tokio::time::Instant;

use super::consumer::Consumer;
use super::status::Stopped;
use super::worker::{Interrupted, Worker};
use crate::read_model::{Lease, Member, ReadModel as _, Share, slot_of};
use crate::version::Position;

/// Slots that stand at the same position, and are moved together: the log is read once for all of them.
pub(super) struct Group {
    pub(super) slots: Vec<u32>,
    /// Where they stand.
    pub(super) after: Position,
    /// Up to where they are moved: where others stand that will then be of the group, or a barrier.
    pub(super) bound: Position,
}

impl<C: Consumer> Worker<C> {
    /// Settles the share with the others: prolongs leases, stores positions, takes and gives back slots, and does what
    /// was asked for.
    pub(super) async fn settle(&mut self) -> Result<(), Interrupted> {
        let leases: Vec<Lease> = self.leases.values().copied().collect();
        let member = Member {
            id: self.member,
            label: &self.options.label,
            leases: &leases,
            time: self.options.lease,
            error: self.trouble.as_deref(),
        };
        let begun = Instant::now();
        let share = self.base.share(&self.id, &member).await.map_err(|error| self.failed(error))?;
        let Some(share) = share else { return Err(self.without_share().await) };
        if self.in_service && !share.in_service {
            return Err(self.replaced());
        }
        self.settled = begun;
        if share.in_service && !self.in_service {
            // Put into service since: from now on, its rows are in the place of those of the version before.
            self.serve();
        }
        self.has_served = share.has_served;
        self.take_over(share);
        #[cfg(feature = "metrics")]
        self.measure().await;
        self.serve_requests().await
    }

    /// It was taken out of service, or is not there any more.
    pub(super) fn replaced(&self) -> Interrupted {
        let (projection, version) = (self.id.name, self.id.version);
        Interrupted::Stopped(Stopped::Replaced { projection, version })
    }

    fn take_over(&mut self, share: Share) {
        let Share { leases, slots, barrier, replays_to, parked, .. } = share;
        self.leases = leases.into_iter().map(|lease| (lease.slot, lease)).collect();
        (self.slots, self.barrier, self.replays_to) = (slots, barrier, replays_to);
        self.parked = parked.into_iter().map(|parked| (parked.stream.clone(), parked)).collect();
        let (in_service, parked) =
            (self.in_service, Arc::new(self.parked.keys().cloned().collect()));
        self.tell(|board| {
            (board.in_service, board.slots, board.parked) = (in_service, slots, parked);
        });
        self.tell_positions();
    }

    /// The slots that are furthest behind; none if there are none, or all stand at the barrier.
    pub(super) fn group(&self) -> Option<Group> {
        let after = self.leases.values().map(|lease| lease.position).min()?;
        let end = self.barrier.unwrap_or(Position::new(u64::MAX));
        let others = self.leases.values().map(|lease| lease.position);
        let bound = others.filter(|position| *position > after).min().unwrap_or(end).min(end);
        let at = self.leases.values().filter(|lease| lease.position == after);
        (after < end).then(|| Group { slots: at.map(|lease| lease.slot).collect(), after, bound })
    }

    /// The slot of a stream alone.
    pub(super) fn group_of(&self, stream: &crate::stream::StreamId) -> Option<Group> {
        let lease = self.leases.get(&slot_of(stream, self.slots))?;
        Some(Group { slots: vec![lease.slot], after: lease.position, bound: lease.position })
    }
}

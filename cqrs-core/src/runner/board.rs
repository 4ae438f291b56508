//! What the workers of a process tell of themselves, for those who watch and wait.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::watch;

use super::progress::{Seen, Target};
use super::status::{Phase, Status};
use crate::read_model::{ProjectionId, slot_of};
use crate::stream::StreamId;
use crate::version::Position;

/// Where all workers of a projection in this process tell what they do.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Board {
    projection: &'static str,
    version: u32,
    pub(super) in_service: bool,
    /// Into how many slots the streams are divided; 0 until it is known.
    pub(super) slots: u32,
    pub(super) parked: Arc<BTreeSet<StreamId>>,
    pub(super) workers: Vec<Told>,
}

/// What a worker tells of itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    pub(super) phase: Phase,
    /// How far its slots have come.
    pub(super) positions: BTreeMap<u32, Position>,
    pub(super) events: u64,
    pub(super) last_error: Option<String>,
}

impl Board {
    pub(super) fn new(id: &ProjectionId, workers: usize) -> watch::Sender<Self> {
        let told = Told {
            phase: Phase::Starting,
            positions: BTreeMap::new(),
            events: 0,
            last_error: None,
        };
        watch::Sender::new(Self {
            projection: id.name,
            version: id.version,
            in_service: false,
            slots: 0,
            parked: Arc::default(),
            workers: vec![told; workers],
        })
    }

    pub(super) fn is_over(&self) -> bool {
        self.workers.iter().all(|worker| worker.phase == Phase::Stopped)
    }

    pub(super) fn status(&self) -> Status {
        let phases = || self.workers.iter().map(|worker| worker.phase);
        // The one that asks most for attention; a worker that has stopped says little while others go on.
        let phase = phases().filter(|phase| *phase != Phase::Stopped).max();
        let slots = self.workers.iter().flat_map(|worker| worker.positions.clone()).collect();
        Status {
            projection: self.projection,
            version: self.version,
            in_service: self.in_service,
            phase: phase.unwrap_or(Phase::Stopped),
            position: least(&slots),
            slots,
            parked: self.parked.clone(),
            events: self.workers.iter().map(|worker| worker.events).sum(),
            last_error: self.workers.iter().find_map(|worker| worker.last_error.clone()),
        }
    }

    /// Whether the target is to be seen in the read model, as far as this process can tell.
    pub(super) fn shows(&self, target: &Target) -> Seen {
        if !self.in_service || self.slots == 0 {
            return Seen::Elsewhere;
        }
        let position =
            |slot: u32| self.workers.iter().find_map(|worker| worker.positions.get(&slot)).copied();
        let slots = match &target.stream {
            Some(stream) => {
                let slot = slot_of(stream, self.slots);
                slot..slot + 1
            }
            None => 0..self.slots,
        };
        let mut nearest = None;
        for slot in slots {
            let Some(position) = position(slot) else { return Seen::Elsewhere };
            nearest =
                Some(nearest.map_or((position, slot), |nearest| (position, slot).min(nearest)));
        }
        let (nearest, slot) = nearest.unwrap_or_default();
        match &target.stream {
            _ if nearest < target.position => Seen::NotYet { slot, position: nearest },
            Some(stream) if self.parked.contains(stream) => Seen::Parked,
            _ => Seen::Yes,
        }
    }
}

fn least(slots: &BTreeMap<u32, Position>) -> Position {
    slots.values().min().copied().unwrap_or_default()
}

//! Takes events into the read model: in batches, in parts where one fails, and one by one (G7, G8).

use std::pin::pin;
use std::time::SystemTime;

use futures_util::future::{Either, select};

use super::consumer::{Consumer, Failure};
use super::share::Group;
use super::status::{Phase, Stopped};
use super::worker::{Interrupted, LONGEST_DELAY, Worker, delays};
use crate::event::RecordedEvent;
use crate::projection::Received;
use crate::read_model::{Commit, Lease, Parked, ReadModel, slot_of};
use crate::store::{BoxError, StoreError, StoreErrorKind};
use crate::version::Position;

/// The transaction of what a consumer writes to.
pub(super) type TransactionOf<C> = <<C as Consumer>::Model as ReadModel>::Transaction;

impl<C: Consumer> Worker<C> {
    /// Takes events of a group: all in one transaction, or, where one fails, those before it, that one by itself, and
    /// those behind it.
    pub(super) async fn take(
        &mut self,
        events: &[RecordedEvent],
        group: &Group,
    ) -> Result<(), Interrupted> {
        let mut left = events;
        let mut size = events.len();
        while let [first, ..] = left {
            let (now, behind) = left.split_at(size.clamp(1, left.len()));
            match self.take_batch(now, group).await? {
                None => {
                    left = behind;
                    size = left.len();
                }
                Some(Failure { index: Some(index), .. }) if index > 0 => size = index,
                // None of them is at fault.
                Some(Failure { index: None, waits: true, error, .. }) => {
                    return Err(self.trying_again(error.to_string()));
                }
                // Nobody knows which: one of either half.
                Some(Failure { index: None, .. }) if now.len() > 1 => size = now.len() / 2,
                Some(failure) => {
                    self.take_or_park(first, failure, group).await?;
                    left = &left[1..];
                    size = left.len();
                }
            }
        }
        Ok(())
    }

    /// Takes events in one transaction that moves the checkpoint to the last of them; or nothing, if one of them fails.
    async fn take_batch(
        &mut self,
        events: &[RecordedEvent],
        group: &Group,
    ) -> Result<Option<Failure>, Interrupted> {
        let Some(last) = events.last() else { return Ok(None) };
        // Those wait with the events of their streams that came before them.
        let mut indexes = Vec::with_capacity(events.len());
        let mut received = Vec::with_capacity(events.len());
        for (index, event) in events.iter().enumerate() {
            if !self.parked.contains_key(&event.stream) {
                indexes.push(index);
                received.push(self.received(event));
            }
        }
        let transaction = match self.in_transaction(&received, group).await? {
            Ok(transaction) => transaction,
            Err(failure) => {
                let index = failure.index.and_then(|index| indexes.get(index)).copied();
                return Ok(Some(Failure { index, ..failure }));
            }
        };
        self.commit(transaction, group, last.position, received.len()).await
    }

    pub(super) fn received<'e>(&self, event: &'e RecordedEvent) -> Received<'e> {
        Received::new(event, event.position <= self.replays_to)
    }

    /// A transaction in which the events are taken. While it is open, the leases are prolonged; it fails where it takes too
    /// long.
    pub(super) async fn in_transaction(
        &self,
        events: &[Received<'_>],
        group: &Group,
    ) -> Result<Result<TransactionOf<C>, Failure>, Interrupted> {
        let taking = async {
            let begun = self.model.begin().await;
            let mut transaction = begun.map_err(|error| self.failed(error))?;
            let taken = self.consumer.take(&self.model, &mut transaction, events).await;
            Ok(taken.map(|()| transaction))
        };
        let taking = tokio::time::timeout(self.options.patience, taking);
        match select(pin!(taking), pin!(self.keep(group))).await {
            Either::Left((Ok(taken), _)) => taken,
            Either::Left((Err(_), _)) => {
                let error = format!("it is not done within {:?}", self.options.patience);
                // The same for one event as for all: which one it is shows when they are taken in parts.
                Ok(Err(Failure::new(None, error)))
            }
            Either::Right((interrupted, _)) => Err(interrupted),
        }
    }

    /// Prolongs the leases of a group for as long as they can be.
    async fn keep(&self, group: &Group) -> Interrupted {
        loop {
            tokio::time::sleep(self.options.lease / 3).await;
            let leases = self.leases_at(group, Position::START);
            match self.base.prolong(&self.id, &leases, self.options.lease).await {
                Ok(true) => {}
                Ok(false) => return Interrupted::LeaseLost,
                // The commit will tell.
                Err(error) => {
                    tracing::debug!(projection = self.id.name, %error, "leases not prolonged");
                }
            }
        }
    }

    /// Commits what was taken and moves the group to `end`. A failure is one of the events: the database refuses what was
    /// written.
    pub(super) async fn commit(
        &mut self,
        transaction: TransactionOf<C>,
        group: &Group,
        end: Position,
        events: usize,
    ) -> Result<Option<Failure>, Interrupted> {
        let leases = self.leases_at(group, end);
        let commit = Commit { leases: &leases, events: events as u64, time: self.options.lease };
        match self.model.commit(transaction, &self.id, &commit).await {
            Ok(true) => {}
            Ok(false) => return Err(Interrupted::LeaseLost),
            Err(error) if error.kind() == StoreErrorKind::InvalidInput => {
                return Ok(Some(Failure::new(None, error)));
            }
            Err(error) => return Err(self.failed(error)),
        }
        for slot in &group.slots {
            if let Some(lease) = self.leases.get_mut(slot) {
                lease.commits += 1;
            }
        }
        self.trouble = None;
        self.report(|told| {
            told.events += events as u64;
            told.last_error = None;
            if told.phase == Phase::Retrying {
                told.phase = Phase::CatchingUp;
            }
        });
        self.move_to(group, end);
        Ok(None)
    }

    fn leases_at(&self, group: &Group, end: Position) -> Vec<Lease> {
        let leases = group.slots.iter().filter_map(|slot| self.leases.get(slot));
        leases.map(|lease| Lease { position: lease.position.max(end), ..*lease }).collect()
    }

    /// Tries an event that has failed once more and more slowly, and parks its stream if it does not pass.
    async fn take_or_park(
        &mut self,
        event: &RecordedEvent,
        mut failure: Failure,
        group: &Group,
    ) -> Result<(), Interrupted> {
        let mut delays = delays();
        let mut attempts = 1;
        while attempts < self.options.attempts || failure.waits {
            let reason = self.describe(event, &failure.error);
            tracing::warn!(reason, attempts, "trying again");
            self.report(|told| {
                (told.phase, told.last_error) = (Phase::Retrying, Some(reason.clone()));
            });
            self.trouble = Some(reason);
            tokio::time::sleep(delays.next().unwrap_or(LONGEST_DELAY)).await;
            self.settle_while(group).await?;
            if failure.is_newer {
                return Err(self.stand_aside(self.describe(event, &failure.error)).await);
            }
            match self.take_batch(std::slice::from_ref(event), group).await? {
                None => return Ok(()),
                Some(again) => failure = again,
            }
            attempts += 1;
        }
        self.park(event, attempts, &failure.error, group).await
    }

    /// Gives its leases back for a while: a newer program, which can read the event, may take them while this one still
    /// runs.
    async fn stand_aside(&mut self, reason: String) -> Interrupted {
        let leases = std::mem::take(&mut self.leases);
        // Who waits in this process is to ask the database how far the newer one is.
        self.tell_positions();
        self.give_back(leases, Some(&reason)).await;
        // Longer than others take to notice, so that they come first.
        tokio::time::sleep(self.options.lease.min(LONGEST_DELAY)).await;
        Interrupted::Failed(reason)
    }

    /// Settles the share in the middle of a batch. Where that takes away a slot of the group, the batch is over.
    async fn settle_while(&mut self, group: &Group) -> Result<(), Interrupted> {
        let before = self.leases_at(group, Position::START);
        self.settle().await?;
        let is_kept = |lease: &Lease| {
            self.leases.get(&lease.slot).is_some_and(|now| now.token == lease.token)
        };
        if before.len() == group.slots.len() && before.iter().all(is_kept) {
            Ok(())
        } else {
            Err(Interrupted::LeaseLost)
        }
    }

    async fn park(
        &mut self,
        event: &RecordedEvent,
        attempts: u32,
        error: &BoxError,
        group: &Group,
    ) -> Result<(), Interrupted> {
        let parked = parked_at(event, attempts, error);
        let mut transaction = self.model.begin().await.map_err(|error| self.failed(error))?;
        let noted = self.model.park(&mut transaction, &self.id, &parked).await;
        noted.map_err(|error| self.failed(error))?;
        self.parked.insert(parked.stream.clone(), parked);
        // Before the position moves behind the event: nobody is to think that it is shown.
        self.tell_parked();
        if let Some(Failure { error, .. }) =
            self.commit(transaction, group, event.position, 0).await?
        {
            let error = StoreError::new(StoreErrorKind::Other, error.to_string());
            return Err(self.failed(error));
        }
        let last = self.describe(event, error);
        tracing::error!(reason = last, "stream parked");
        if self.parked.len() > self.options.max_parked {
            let (projection, parked) = (self.id.name, self.parked.len());
            return Err(Interrupted::Stopped(Stopped::TooManyParked { projection, parked, last }));
        }
        Ok(())
    }

    fn describe(&self, event: &RecordedEvent, error: &BoxError) -> String {
        format!(
            "projection `{}`, slot {}: event `{}` v{} at version {} of stream `{}` (position {}): {error}",
            self.id.name,
            slot_of(&event.stream, self.slots),
            event.event_type,
            event.schema_version,
            event.version,
            event.stream,
            event.position
        )
    }
}

pub(super) fn parked_at(event: &RecordedEvent, attempts: u32, error: &BoxError) -> Parked {
    Parked {
        stream: event.stream.clone(),
        version: event.version,
        position: event.position,
        event_type: event.event_type.to_string(),
        attempts,
        error: error.to_string(),
        since: SystemTime::now(),
        request: None,
    }
}

//! Read models in memory: small ones, built anew at every start.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Acquired, Checkpoint, Lease, Parked, ProjectionId, ReadModel};
use crate::store::StoreError;
use crate::stream::StreamId;
use crate::version::Position;

/// A value in memory as a read model: the readable reference of what a read model does. Clones share it.
///
/// A transaction works on a copy of the value, which takes the place of the value when it is committed; so the value
/// should be small. Projections that share a model must not run at once: the last commit wins.
///
/// ```
/// # use cqrs_core::MemoryModel;
/// let counts = MemoryModel::new(0_u64);
/// assert_eq!(counts.read(|count| *count), 0);
/// ```
pub struct MemoryModel<T> {
    state: Arc<Mutex<State<T>>>,
}

struct State<T> {
    value: T,
    projections: BTreeMap<&'static str, Entry>,
}

struct Entry {
    id: ProjectionId,
    lease: Lease,
    owner: Option<Uuid>,
    until: Instant,
    parked: Vec<Parked>,
}

impl Entry {
    fn prolong(&mut self, lease: Lease, time: Duration) {
        self.lease.position = self.lease.position.max(lease.position);
        self.until = Instant::now() + time;
    }
}

/// A transaction on a [`MemoryModel`]: the value as it will be.
#[derive(Debug)]
pub struct MemoryTransaction<T> {
    /// The value, to be changed.
    pub value: T,
    /// What happens to parked streams at the commit.
    changes: Vec<Change>,
}

#[derive(Debug)]
enum Change {
    Park(Parked),
    Unpark(StreamId),
}

impl<T> MemoryModel<T> {
    /// A read model that begins with this value.
    pub fn new(value: T) -> Self {
        Self { state: Arc::new(Mutex::new(State { value, projections: BTreeMap::new() })) }
    }

    /// Reads the value. Nothing is committed meanwhile, so be quick.
    pub fn read<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        read(&self.state().value)
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        // A reader that panics leaves the value whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The projection's entry, if the lease is the one in force.
    fn owned<'a>(
        state: &'a mut State<T>,
        projection: &ProjectionId,
        lease: Lease,
    ) -> Option<&'a mut Entry> {
        let entry = state.projections.get_mut(projection.name)?;
        (entry.lease.token == lease.token && entry.owner.is_some()).then_some(entry)
    }
}

#[async_trait]
impl<T: Clone + Send + Sync + 'static> ReadModel for MemoryModel<T> {
    type Transaction = MemoryTransaction<T>;

    async fn acquire(
        &self,
        projection: &ProjectionId,
        owner: Uuid,
        time: Duration,
    ) -> Result<Acquired, StoreError> {
        let now = Instant::now();
        let mut state = self.state();
        let entry = state.projections.entry(projection.name).or_insert_with(|| Entry {
            id: projection.clone(),
            lease: Lease { token: 0, position: Position::START },
            owner: None,
            until: now,
            parked: Vec::new(),
        });
        if entry.id != *projection {
            let ProjectionId { version, events, .. } = entry.id.clone();
            return Ok(Acquired::Changed { version, events });
        }
        match entry.owner {
            Some(other) if other != owner && entry.until > now => {
                Ok(Acquired::HeldBy { owner: other })
            }
            _ => {
                entry.lease.token += 1;
                (entry.owner, entry.until) = (Some(owner), now + time);
                Ok(Acquired::Lease(entry.lease))
            }
        }
    }

    async fn renew(
        &self,
        projection: &ProjectionId,
        lease: Lease,
        time: Duration,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let Some(entry) = Self::owned(&mut state, projection, lease) else {
            return Ok(false);
        };
        entry.prolong(lease, time);
        Ok(true)
    }

    async fn release(&self, projection: &ProjectionId, lease: Lease) -> Result<(), StoreError> {
        let mut state = self.state();
        if let Some(entry) = Self::owned(&mut state, projection, lease) {
            entry.prolong(lease, Duration::ZERO);
            entry.owner = None;
        }
        Ok(())
    }

    async fn begin(&self) -> Result<Self::Transaction, StoreError> {
        Ok(MemoryTransaction { value: self.state().value.clone(), changes: Vec::new() })
    }

    async fn commit(
        &self,
        transaction: Self::Transaction,
        projection: &ProjectionId,
        lease: Lease,
        time: Duration,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let Some(entry) = Self::owned(&mut state, projection, lease) else {
            return Ok(false);
        };
        entry.prolong(lease, time);
        for change in transaction.changes {
            let stream = match &change {
                Change::Park(parked) => &parked.stream,
                Change::Unpark(stream) => stream,
            };
            entry.parked.retain(|parked| parked.stream != *stream);
            if let Change::Park(parked) = change {
                entry.parked.push(parked);
            }
        }
        state.value = transaction.value;
        Ok(true)
    }

    async fn park(
        &self,
        transaction: &mut Self::Transaction,
        _: &ProjectionId,
        parked: &Parked,
    ) -> Result<(), StoreError> {
        transaction.changes.push(Change::Park(parked.clone()));
        Ok(())
    }

    async fn unpark(
        &self,
        transaction: &mut Self::Transaction,
        _: &ProjectionId,
        stream: &StreamId,
    ) -> Result<(), StoreError> {
        transaction.changes.push(Change::Unpark(stream.clone()));
        Ok(())
    }

    async fn parked(&self, projection: &str) -> Result<Vec<Parked>, StoreError> {
        let state = self.state();
        Ok(state.projections.get(projection).map_or_else(Vec::new, |entry| entry.parked.clone()))
    }

    async fn checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError> {
        let now = Instant::now();
        let state = self.state();
        let checkpoint = |entry: &Entry| Checkpoint {
            projection: entry.id.name.to_owned(),
            version: entry.id.version,
            position: entry.lease.position,
            owner: entry.owner.filter(|_| entry.until > now),
        };
        Ok(state.projections.values().map(checkpoint).collect())
    }
}

impl<T> Clone for MemoryModel<T> {
    fn clone(&self) -> Self {
        Self { state: self.state.clone() }
    }
}

impl<T> fmt::Debug for MemoryModel<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MemoryModel").finish_non_exhaustive()
    }
}

//! A read model that is disturbed: commits that fail or whose outcome is lost, a process that ends at any await.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use cqrs_core::{
    BoxError, Commit, Lease, Maintain, Member, Opened, Parked, ParkedRequest, Position, Projection,
    ProjectionId, ProjectionState, PutInService, ReadModel, Received, Rows, Setup, Share,
    StoreError, StoreErrorKind, StreamId, Transaction, View,
};
use uuid::Uuid;

use super::gate::Gate;

/// What happens to commits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Faults {
    None,
    /// The one with this number, from 0, fails and is rolled back.
    FailsAt(u64),
    /// The one with this number is committed, and nobody gets to know.
    IsLostAt(u64),
    /// Of three, one fails and one is lost.
    Many,
}

/// How a read model is disturbed.
#[derive(Debug)]
pub(super) struct Disturbance {
    pub(super) gate: Gate,
    pub(super) faults: Faults,
    /// What is added to the version of a projection.
    pub(super) newer: u32,
    /// The only slot that anybody gets.
    pub(super) only: Option<u32>,
    pub(super) commits: AtomicU64,
    /// The leases of members, for all they know.
    pub(super) held: Mutex<HashMap<Uuid, Vec<Lease>>>,
}

impl Disturbance {
    pub(super) fn none() -> Self {
        Self {
            gate: Gate::open(),
            faults: Faults::None,
            newer: 0,
            only: None,
            commits: AtomicU64::new(0),
            held: Mutex::default(),
        }
    }

    pub(super) fn committed(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    fn leases(&self) -> MutexGuard<'_, HashMap<Uuid, Vec<Lease>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A read model with a disturbance.
#[derive(Debug, Clone)]
pub(super) struct Tapped<M> {
    inner: M,
    by: Arc<Disturbance>,
}

impl<M: ReadModel> Tapped<M> {
    pub(super) fn new(inner: M, by: Arc<Disturbance>) -> Self {
        Self { inner, by }
    }

    fn id(&self, projection: &ProjectionId) -> ProjectionId {
        ProjectionId { version: projection.version + self.by.newer, ..projection.clone() }
    }

    /// Lets the leases of those who are gone run out.
    pub(super) async fn expire(&self, projection: &ProjectionId) {
        let held: Vec<_> = self.by.leases().drain().collect();
        for (id, leases) in held {
            let member =
                Member { id, label: "", leases: &leases, time: Duration::ZERO, error: None };
            let left = self.inner.leave(&self.id(projection), &member).await;
            left.unwrap_or_else(|error| panic!("the read model failed: {error}"));
        }
    }
}

#[async_trait]
impl<M: ReadModel> ReadModel for Tapped<M> {
    type Transaction = M::Transaction;

    async fn open(
        &self,
        projection: &ProjectionId,
        setup: &Setup<'_>,
    ) -> Result<Opened, StoreError> {
        let projection = self.id(projection);
        self.by.gate.call(self.inner.open(&projection, setup)).await
    }

    async fn adopt(
        &self,
        projection: &ProjectionId,
        events_before: &str,
        through: Position,
    ) -> Result<bool, StoreError> {
        let projection = self.id(projection);
        self.by.gate.call(self.inner.adopt(&projection, events_before, through)).await
    }

    async fn beside(&self, projection: &ProjectionId) -> Result<Self, StoreError> {
        let projection = self.id(projection);
        let inner = self.by.gate.call(self.inner.beside(&projection)).await?;
        Ok(Self { inner, by: self.by.clone() })
    }

    async fn share(
        &self,
        projection: &ProjectionId,
        member: &Member<'_>,
    ) -> Result<Option<Share>, StoreError> {
        let projection = self.id(projection);
        // Known before the answer is, which may never come.
        self.by.leases().entry(member.id).or_default();
        let share = self.by.gate.call(self.inner.share(&projection, member)).await?;
        let Some(mut share) = share else { return Ok(None) };
        self.by.leases().insert(member.id, share.leases.clone());
        if let Some(only) = self.by.only {
            share.leases.retain(|lease| lease.slot == only);
        }
        Ok(Some(share))
    }

    async fn leave(
        &self,
        projection: &ProjectionId,
        member: &Member<'_>,
    ) -> Result<(), StoreError> {
        let projection = self.id(projection);
        self.by.gate.call(self.inner.leave(&projection, member)).await
    }

    async fn prolong(
        &self,
        projection: &ProjectionId,
        leases: &[Lease],
        time: Duration,
    ) -> Result<bool, StoreError> {
        let projection = self.id(projection);
        self.by.gate.call(self.inner.prolong(&projection, leases, time)).await
    }

    async fn begin(&self) -> Result<Self::Transaction, StoreError> {
        self.by.gate.call(self.inner.begin()).await
    }

    async fn commit(
        &self,
        transaction: Self::Transaction,
        projection: &ProjectionId,
        commit: &Commit<'_>,
    ) -> Result<bool, StoreError> {
        let projection = self.id(projection);
        let number = self.by.commits.fetch_add(1, Ordering::Relaxed);
        let (fails, is_lost) = match self.by.faults {
            Faults::None => (false, false),
            Faults::FailsAt(at) => (at == number, false),
            Faults::IsLostAt(at) => (false, at == number),
            Faults::Many => (number.is_multiple_of(3), number % 3 == 1),
        };
        if fails {
            drop(transaction);
            return Err(StoreError::new(StoreErrorKind::Unavailable, "a test asked for it"));
        }
        let committed = self.inner.commit(transaction, &projection, commit);
        let is_committed = self.by.gate.call(committed).await?;
        if is_lost {
            return Err(StoreError::new(StoreErrorKind::OutcomeUnknown, "a test asked for it"));
        }
        Ok(is_committed)
    }

    async fn park(
        &self,
        transaction: &mut Self::Transaction,
        projection: &ProjectionId,
        parked: &Parked,
    ) -> Result<(), StoreError> {
        let projection = self.id(projection);
        self.by.gate.call(self.inner.park(transaction, &projection, parked)).await
    }

    async fn unpark(
        &self,
        transaction: &mut Self::Transaction,
        projection: &ProjectionId,
        stream: &StreamId,
    ) -> Result<(), StoreError> {
        let projection = self.id(projection);
        self.by.gate.call(self.inner.unpark(transaction, &projection, stream)).await
    }

    fn is_outage(&self, error: &BoxError) -> bool {
        self.inner.is_outage(error)
    }
}

#[async_trait]
impl<M: ReadModel> Maintain for Tapped<M> {
    async fn projections(&self, name: Option<&str>) -> Result<Vec<ProjectionState>, StoreError> {
        self.by.gate.call(self.inner.projections(name)).await
    }

    async fn parked(&self, name: &str, version: u32) -> Result<Vec<Parked>, StoreError> {
        self.by.gate.call(self.inner.parked(name, version + self.by.newer)).await
    }

    async fn request(
        &self,
        name: &str,
        version: u32,
        stream: &StreamId,
        request: ParkedRequest,
    ) -> Result<bool, StoreError> {
        let version = version + self.by.newer;
        self.by.gate.call(self.inner.request(name, version, stream, request)).await
    }

    async fn rescale(&self, name: &str, version: u32, slots: u32) -> Result<bool, StoreError> {
        self.by.gate.call(self.inner.rescale(name, version + self.by.newer, slots)).await
    }

    async fn reset(
        &self,
        name: &str,
        version: u32,
        replays_to: Position,
    ) -> Result<bool, StoreError> {
        self.by.gate.call(self.inner.reset(name, version + self.by.newer, replays_to)).await
    }

    async fn put_in_service(
        &self,
        name: &str,
        version: u32,
        caught_up: bool,
    ) -> Result<PutInService, StoreError> {
        let version = version + self.by.newer;
        self.by.gate.call(self.inner.put_in_service(name, version, caught_up)).await
    }

    async fn remove(&self, name: &str, version: u32) -> Result<bool, StoreError> {
        self.by.gate.call(self.inner.remove(name, version + self.by.newer)).await
    }
}

#[async_trait]
impl<V: View, M: Rows<V>> Rows<V> for Tapped<M> {
    fn tables(&self) -> String {
        self.inner.tables()
    }

    async fn load(
        &self,
        transaction: &mut Self::Transaction,
        keys: &[V::Key],
    ) -> Result<Vec<V>, StoreError> {
        self.by.gate.call(self.inner.load(transaction, keys)).await
    }

    async fn write(
        &self,
        transaction: &mut Self::Transaction,
        written: &[V],
        deleted: &[V::Key],
    ) -> Result<(), BoxError> {
        self.by.gate.pass(self.inner.write(transaction, written, deleted)).await
    }

    async fn row(&self, key: &V::Key) -> Result<Option<V>, StoreError> {
        self.inner.row(key).await
    }
}

/// The handlers of a projection, on a read model that is disturbed.
pub(super) struct Through<P> {
    pub(super) projection: P,
    pub(super) gate: Gate,
}

impl<P: Projection> Projection for Through<P> {
    const NAME: &'static str = P::NAME;
    const VERSION: u32 = P::VERSION;
    const TABLES: &'static str = P::TABLES;
    type Event = P::Event;
    type Model = Tapped<P::Model>;

    async fn dispatch(
        &self,
        event: Self::Event,
        received: &Received<'_>,
        transaction: &mut Transaction<Self>,
    ) -> Result<(), BoxError> {
        self.gate.pass(self.projection.dispatch(event, received, transaction)).await
    }
}

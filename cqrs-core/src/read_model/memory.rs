//! Read models in memory: small ones, built anew at every start.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use self::entry::Entry;
use super::{
    Commit, Lease, Maintain, Member, Opened, Parked, ParkedRequest, ProjectionId, ProjectionState,
    PutInService, ReadModel, Rows, Setup, Share,
};
use crate::store::{BoxError, StoreError, StoreErrorKind};
use crate::stream::StreamId;
use crate::version::Position;
use crate::view::View;

mod entry;

/// A value in memory as a read model: the readable reference of what a read model does. Clones share it.
///
/// A transaction works on a copy of the value, which takes the place of the value when it is committed; so the value
/// should be small. One transaction is open at a time; to begin another waits for its end.
///
/// ```
/// # use cqrs_core::MemoryModel;
/// let counts = MemoryModel::new(0_u64);
/// assert_eq!(counts.read(|count| *count), 0);
/// ```
///
/// A version that is built beside the one in service begins with the value the model was made with, and takes the place
/// of the whole value when it is put into service: give a projection that is to be built anew a model of its own.
pub struct MemoryModel<T> {
    state: Arc<Mutex<State<T>>>,
    /// Held by the open transaction.
    writing: Arc<AsyncMutex<()>>,
    /// The version beside that transactions change; else the value in service.
    beside: Option<(&'static str, u32)>,
}

struct State<T> {
    /// What it was at the beginning.
    first: T,
    value: T,
    projections: BTreeMap<(String, u32), Entry<T>>,
    /// The highest token of a version that was removed: who held it may come back when the version was made anew.
    last_token: i64,
}

/// A transaction on a [`MemoryModel`]: the value as it will be.
#[derive(Debug)]
pub struct MemoryTransaction<T> {
    /// The value, to be changed.
    pub value: T,
    /// What happens to parked streams at the commit.
    changes: Vec<Change>,
    _writing: OwnedMutexGuard<()>,
}

#[derive(Debug)]
enum Change {
    Park(Parked),
    Unpark(StreamId),
}

impl<T: Clone> MemoryModel<T> {
    /// A read model that begins with this value.
    pub fn new(value: T) -> Self {
        let projections = BTreeMap::new();
        let state = State { first: value.clone(), value, projections, last_token: 0 };
        Self { state: Arc::new(Mutex::new(state)), writing: Arc::default(), beside: None }
    }
}

impl<T> MemoryModel<T> {
    /// Reads the value in service. Nothing is committed meanwhile, so be quick.
    pub fn read<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        read(&self.state().value)
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        // A reader that panics leaves the value whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn entry(&mut self, name: &str, version: u32) -> Option<&mut Entry<T>> {
        self.projections.get_mut(&(name.to_owned(), version))
    }

    fn versions<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (u32, &'a Entry<T>)> {
        let of_name = self.projections.iter().filter(move |((other, _), _)| other == name);
        of_name.map(|((_, version), entry)| (*version, entry))
    }
}

#[async_trait]
impl<T: Clone + Send + Sync + 'static> ReadModel for MemoryModel<T> {
    type Transaction = MemoryTransaction<T>;

    async fn open(
        &self,
        projection: &ProjectionId,
        setup: &Setup<'_>,
    ) -> Result<Opened, StoreError> {
        let mut state = self.state();
        let ProjectionId { name, version, ref events } = *projection;
        let in_service = state.versions(name).find(|(_, entry)| entry.is_in_service());
        let in_service = in_service.map(|(version, entry)| (version, entry.events.clone()));
        if let Some((served, served_events)) = &in_service
            && (*served != version || served_events != events)
            && (*served >= version || !setup.beside)
        {
            let (version, events) = (*served, served_events.clone());
            return Ok(Opened::Changed { version, events });
        }
        let first = state.first.clone();
        let (beside, token) = (in_service.is_some().then_some(first), state.last_token);
        let made = || Entry::new(events.clone(), beside, setup, token);
        let entry = state.projections.entry((name.to_owned(), version)).or_insert_with(made);
        if entry.events != *events {
            return Ok(Opened::Changed { version, events: entry.events.clone() });
        }
        Ok(if entry.is_in_service() { Opened::InService } else { Opened::Beside })
    }

    async fn adopt(
        &self,
        projection: &ProjectionId,
        events_before: &str,
        through: Position,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let entry = state.entry(projection.name, projection.version);
        let entry = entry.filter(|entry| entry.events == events_before);
        Ok(entry.is_some_and(|entry| entry.adopt(&projection.events, through)))
    }

    async fn beside(&self, projection: &ProjectionId) -> Result<Self, StoreError> {
        let ProjectionId { name, version, .. } = *projection;
        match self.state().entry(name, version) {
            Some(entry) if !entry.is_in_service() => {}
            _ => {
                let context = format!("no version {version} of projection `{name}` is beside");
                return Err(StoreError::new(StoreErrorKind::Other, context));
            }
        }
        Ok(Self { beside: Some((name, version)), ..self.clone() })
    }

    async fn share(
        &self,
        projection: &ProjectionId,
        member: &Member<'_>,
    ) -> Result<Option<Share>, StoreError> {
        let mut state = self.state();
        let entry = state.entry(projection.name, projection.version);
        let entry = entry.filter(|entry| entry.events == projection.events);
        Ok(entry.map(|entry| entry.share(member)))
    }

    async fn leave(
        &self,
        projection: &ProjectionId,
        member: &Member<'_>,
    ) -> Result<(), StoreError> {
        if let Some(entry) = self.state().entry(projection.name, projection.version) {
            entry.leave(member);
        }
        Ok(())
    }

    async fn prolong(
        &self,
        projection: &ProjectionId,
        leases: &[Lease],
        time: Duration,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let entry = state.entry(projection.name, projection.version);
        Ok(entry.is_some_and(|entry| entry.prolong(leases, time)))
    }

    async fn begin(&self) -> Result<Self::Transaction, StoreError> {
        let writing = self.writing.clone().lock_owned().await;
        let mut state = self.state();
        let beside = self.beside.and_then(|(name, version)| state.entry(name, version));
        // Put into service since: the leases are void, and nothing of this will be committed.
        let value = beside.and_then(|entry| entry.beside.clone());
        let value = value.unwrap_or_else(|| state.value.clone());
        Ok(MemoryTransaction { value, changes: Vec::new(), _writing: writing })
    }

    async fn commit(
        &self,
        transaction: Self::Transaction,
        projection: &ProjectionId,
        commit: &Commit<'_>,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let Some(entry) = state.entry(projection.name, projection.version) else {
            return Ok(false);
        };
        // Leases are void as soon as the version changes its place, so this is where the transaction began.
        if !entry.commit(commit) {
            return Ok(false);
        }
        for change in transaction.changes {
            entry.change(change);
        }
        match &mut entry.beside {
            Some(value) => *value = transaction.value,
            None => state.value = transaction.value,
        }
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
}

#[async_trait]
impl<T: Clone + Send + Sync + 'static> Maintain for MemoryModel<T> {
    async fn projections(&self, name: Option<&str>) -> Result<Vec<ProjectionState>, StoreError> {
        let state = self.state();
        let wanted = state.projections.iter();
        let wanted = wanted.filter(|((other, _), _)| name.is_none_or(|name| name == other));
        Ok(wanted.map(|((name, version), entry)| entry.state(name, *version)).collect())
    }

    async fn parked(&self, name: &str, version: u32) -> Result<Vec<Parked>, StoreError> {
        Ok(self.state().entry(name, version).map_or_else(Vec::new, |entry| entry.parked.clone()))
    }

    async fn request(
        &self,
        name: &str,
        version: u32,
        stream: &StreamId,
        request: ParkedRequest,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let parked = state.entry(name, version).map(|entry| &mut entry.parked);
        let found = parked.and_then(|all| all.iter_mut().find(|parked| parked.stream == *stream));
        Ok(found.map(|parked| parked.request = Some(request)).is_some())
    }

    async fn rescale(&self, name: &str, version: u32, slots: u32) -> Result<bool, StoreError> {
        if slots == 0 || slots > MAX_SLOTS {
            let context =
                format!("projection `{name}` can't be divided into {slots} slots, only 1 to 1024");
            return Err(StoreError::new(StoreErrorKind::InvalidInput, context));
        }
        Ok(self.state().entry(name, version).map(|entry| entry.rescale(slots)).is_some())
    }

    async fn reset(
        &self,
        name: &str,
        version: u32,
        replays_to: Position,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let first = state.first.clone();
        let Some(entry) = state.entry(name, version) else { return Ok(false) };
        if !entry.has_tables {
            let context = format!(
                "version {version} of projection `{name}` was made without tables: empty those of the application, and \
                 give the projection another name"
            );
            return Err(StoreError::new(StoreErrorKind::InvalidInput, context));
        }
        entry.reset(replays_to);
        match &mut entry.beside {
            Some(value) => *value = first,
            None => state.value = first,
        }
        Ok(true)
    }

    async fn put_in_service(
        &self,
        name: &str,
        version: u32,
        caught_up: bool,
    ) -> Result<PutInService, StoreError> {
        let mut state = self.state();
        let served = state.versions(name).find(|(_, entry)| entry.is_in_service());
        let served = served.map(|(version, entry)| (version, entry.furthest()));
        let entry = state.entry(name, version).filter(|entry| !entry.is_in_service());
        let Some(entry) = entry else { return Ok(PutInService::Missing) };
        if let Some((_, furthest)) = served
            && caught_up
            && entry.nearest() < furthest
        {
            return Ok(PutInService::Behind(entry.nearest(), furthest));
        }
        entry.void_leases();
        let Some(value) = entry.beside.take() else { return Ok(PutInService::Missing) };
        entry.has_served = true;
        let replaced = std::mem::replace(&mut state.value, value);
        if let Some((served, _)) = served
            && let Some(entry) = state.entry(name, served)
        {
            entry.void_leases();
            entry.beside = Some(replaced);
        }
        Ok(PutInService::Done)
    }

    async fn remove(&self, name: &str, version: u32) -> Result<bool, StoreError> {
        let mut state = self.state();
        let entry = state.entry(name, version).filter(|entry| !entry.is_in_service());
        let Some(token) = entry.map(|entry| entry.last_token()) else { return Ok(false) };
        state.last_token = state.last_token.max(token);
        Ok(state.projections.remove(&(name.to_owned(), version)).is_some())
    }
}

/// The most slots a projection is divided into.
const MAX_SLOTS: u32 = 1024;

#[async_trait]
impl<V: View> Rows<V> for MemoryModel<BTreeMap<V::Key, V>> {
    fn tables(&self) -> String {
        // Not empty, as that would say that the rows belong to the application.
        V::TABLE.name.to_owned()
    }

    async fn load(
        &self,
        transaction: &mut Self::Transaction,
        keys: &[V::Key],
    ) -> Result<Vec<V>, StoreError> {
        Ok(keys.iter().filter_map(|key| transaction.value.get(key).cloned()).collect())
    }

    async fn write(
        &self,
        transaction: &mut Self::Transaction,
        written: &[V],
        deleted: &[V::Key],
    ) -> Result<(), BoxError> {
        for key in deleted {
            transaction.value.remove(key);
        }
        for row in written {
            // What other read models can't store is not stored here.
            row.values()?;
            transaction.value.insert(row.key(), row.clone());
        }
        Ok(())
    }

    async fn row(&self, key: &V::Key) -> Result<Option<V>, StoreError> {
        Ok(self.read(|rows| rows.get(key).cloned()))
    }
}

impl<T> Clone for MemoryModel<T> {
    fn clone(&self) -> Self {
        let (state, writing) = (self.state.clone(), self.writing.clone());
        Self { state, writing, beside: self.beside }
    }
}

impl<T> fmt::Debug for MemoryModel<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MemoryModel").finish_non_exhaustive()
    }
}

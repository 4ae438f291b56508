//! A store in memory with one flaw: how it appends.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

use cqrs_core::{
    Append, AppendError, Appended, Conflict, EventId, EventStore, ExpectedVersion, NewEvent,
    Position, StoreError, StoreErrorKind, Version,
};
use tokio::task::yield_now;

use super::store::{Flaw, Flawed, refused};

type Outcome = Result<Appended, AppendError>;

impl Flawed {
    pub(super) async fn flawed_append(&self, append: &Append) -> Outcome {
        self.begin().await?;
        let outcome = self.written(append).await;
        self.end();
        outcome
    }

    async fn written(&self, append: &Append) -> Outcome {
        let (stream, expected) = (append.stream(), append.expected());
        let events = append.events();
        match self.flaw {
            Flaw::StoresNothing => Ok(Appended {
                version: Version::new(events.len() as u64),
                position: Position::new(1),
                replayed: false,
            }),
            Flaw::AppendsOneByOne => self.one_by_one(append).await,
            Flaw::IgnoresExpected => self.put(append, ExpectedVersion::Any).await,
            Flaw::ChecksThenInserts => {
                let actual = self.version(append).await?;
                let conflict = Conflict { stream: stream.clone(), expected, actual };
                self.gap().await;
                if expected.is_met_by(actual) {
                    self.put(append, ExpectedVersion::Any).await
                } else {
                    Err(conflict.into())
                }
            }
            Flaw::AnyIsExact if expected == ExpectedVersion::Any => {
                let actual = self.version(append).await?;
                self.gap().await;
                self.put(append, actual.into()).await
            }
            Flaw::ConflictsTellNoVersion => match self.put(append, expected).await {
                Err(AppendError::Conflict(mut conflict)) => {
                    conflict.actual = Version::NONE;
                    Err(conflict.into())
                }
                outcome => outcome,
            },
            Flaw::CutsExpectedTo32Bits => match expected {
                ExpectedVersion::Exact(version) => {
                    let cut = Version::new(version.get() & 0xffff_ffff);
                    self.put(append, cut.into()).await
                }
                _ => self.put(append, expected).await,
            },
            Flaw::ConflictsKeepIds => self.burning_ids(append).await,
            Flaw::ConflictsFailNeighbours | Flaw::FailsNeighboursWhenDropped => {
                self.failing_together(append).await
            }
            Flaw::RefusesReplays
            | Flaw::ReplaysTellTheLatest
            | Flaw::ReplaysNeedTheSameContent
            | Flaw::ReplaysByFirstId
            | Flaw::ReplaysAreCheckedThenInserted => self.replaying(append).await,
            Flaw::IdsAreCheckedThenInserted => {
                let mut fresh = Vec::new();
                for event in events {
                    if self.inner.find(event.id()).await?.is_some() {
                        return self.put(append, expected).await;
                    }
                    fresh.push(with_id(event, EventId::random()));
                }
                self.gap().await;
                match self.put(append, expected).await {
                    // Without a unique constraint the id would be there a second time.
                    Err(AppendError::Store(_)) => {
                        let fresh = Append::new(stream.clone(), expected, fresh).unwrap();
                        self.put(&fresh, expected).await
                    }
                    outcome => outcome,
                }
            }
            Flaw::RefusesManyEvents if events.len() > 1_000 => {
                Err(refused(StoreErrorKind::InvalidInput))
            }
            Flaw::RefusesLargeAppends if bytes(events) > 16 << 20 => {
                Err(refused(StoreErrorKind::InvalidInput))
            }
            _ => self.put(append, expected).await,
        }
    }

    /// Appends as a good store does, except for where streams are taken for one another.
    async fn put(&self, append: &Append, expected: ExpectedVersion) -> Outcome {
        let stream = self.stream(append.stream());
        if stream != *append.stream() {
            let ids = append.events().iter().map(NewEvent::id);
            let streams = ids.map(|id| (id, append.stream().clone()));
            self.streams.lock().unwrap().extend(streams);
        }
        let append = Append::new(stream, expected, append.events().to_vec()).unwrap();
        self.inner.append(&append).await
    }

    async fn version(&self, append: &Append) -> Result<Version, StoreError> {
        let events = self.inner.read_stream(append.stream(), Version::NONE, usize::MAX);
        Ok(Version::new(events.await?.len() as u64))
    }

    async fn one_by_one(&self, append: &Append) -> Outcome {
        let mut expected = append.expected();
        let mut last = None;
        for event in append.events() {
            let event = vec![event.clone()];
            let one = Append::new(append.stream().clone(), expected, event).unwrap();
            last = Some(self.inner.append(&one).await?);
            expected = ExpectedVersion::Any;
            yield_now().await;
        }
        Ok(last.unwrap())
    }

    async fn burning_ids(&self, append: &Append) -> Outcome {
        let ids = || append.events().iter().map(NewEvent::id);
        if let Some(id) = ids().find(|id| self.burnt.lock().unwrap().contains(id)) {
            return Err(StoreError::duplicate_event(append.stream(), id).into());
        }
        let outcome = self.put(append, append.expected()).await;
        if let Err(AppendError::Conflict(_)) = outcome {
            self.burnt.lock().unwrap().extend(ids());
        }
        outcome
    }

    async fn failing_together(&self, append: &Append) -> Outcome {
        /// Counts what is dropped before it is through.
        struct Dropped<'a>(Option<&'a AtomicU64>);
        impl Drop for Dropped<'_> {
            fn drop(&mut self) {
                if let Some(failures) = self.0 {
                    failures.fetch_add(1, SeqCst);
                }
            }
        }
        let before = self.failures.load(SeqCst);
        let counted = self.flaw == Flaw::FailsNeighboursWhenDropped;
        let mut dropped = Dropped(counted.then_some(&self.failures));
        for _ in 0..20 {
            yield_now().await;
        }
        dropped.0 = None;
        if self.failures.load(SeqCst) > before {
            return Err(refused(StoreErrorKind::Busy));
        }
        let outcome = self.put(append, append.expected()).await;
        if !counted && outcome.is_err() {
            self.failures.fetch_add(1, SeqCst);
        }
        outcome
    }

    async fn replaying(&self, append: &Append) -> Outcome {
        let first = &append.events()[0];
        let found = self.inner.find(first.id()).await?;
        self.gap().await;
        let outcome = self.put(append, append.expected()).await;
        let duplicate = || StoreError::duplicate_event(append.stream(), first.id()).into();
        match (self.flaw, found, outcome) {
            (Flaw::ReplaysAreCheckedThenInserted, None, Ok(outcome)) if outcome.replayed => {
                Err(duplicate())
            }
            (Flaw::RefusesReplays, _, Ok(outcome)) if outcome.replayed => Err(duplicate()),
            (Flaw::ReplaysTellTheLatest, _, Ok(outcome)) if outcome.replayed => {
                Ok(Appended { version: self.version(append).await?, ..outcome })
            }
            (Flaw::ReplaysNeedTheSameContent, Some(found), Ok(outcome))
                if outcome.replayed && found.payload != *first.payload() =>
            {
                Err(duplicate())
            }
            (Flaw::ReplaysByFirstId, Some(found), Err(_)) => {
                Ok(Appended { version: found.version, position: found.position, replayed: true })
            }
            (_, _, outcome) => outcome,
        }
    }

    /// Between a check and what relies on it: waits until another has come here as well, but not for ever.
    pub(super) async fn gap(&self) {
        let arrived = self.arrivals.fetch_add(1, SeqCst) + 1;
        for _ in 0..1_000 {
            if self.arrivals.load(SeqCst) > arrived {
                return;
            }
            yield_now().await;
        }
    }

    /// Takes a connection, which is not given back when the caller is dropped, where that is the flaw.
    pub(super) async fn begin(&self) -> Result<(), StoreError> {
        const CONNECTIONS: u64 = 8;
        if self.flaw != Flaw::LeaksConnectionsWhenDropped {
            return Ok(());
        }
        for _ in 0..10_000 {
            if self.connections.fetch_add(1, SeqCst) < CONNECTIONS {
                yield_now().await;
                return Ok(());
            }
            self.connections.fetch_sub(1, SeqCst);
            yield_now().await;
        }
        Err(StoreError::new(StoreErrorKind::Busy, "a flaw"))
    }

    pub(super) fn end(&self) {
        if self.flaw == Flaw::LeaksConnectionsWhenDropped {
            self.connections.fetch_sub(1, SeqCst);
        }
    }
}

fn bytes(events: &[NewEvent]) -> usize {
    events.iter().map(|event| event.payload().len()).sum()
}

fn with_id(event: &NewEvent, id: EventId) -> NewEvent {
    let (name, payload) = (event.event_type().to_owned(), event.payload().clone());
    let metadata = event.metadata().clone().into();
    NewEvent::from_parts(id, name, event.schema_version(), payload, metadata).unwrap()
}

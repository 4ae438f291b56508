//! A read model in memory with one flaw: leases and commits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use cqrs_core::{
    BoxError, Commit, Lease, Maintain as _, Member, MemoryModel, MemoryTransaction, MemoryView,
    Opened, Parked, Position, ProjectionId, ProjectionState, ReadModel, Setup, Share, StoreError,
    StoreErrorKind, StreamId, View,
};
use cqrs_testkit::read_model::{Composite, Fixture, Sample};
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Flaw {
    Nothing,
    IsMadeAnewWhenOpened,
    EventTypesAreIgnored,
    BuildsBesideUnasked,
    OlderVersionsAreBeside,
    OneSlotForAll,
    WhatServedIsForgotten,
    AdoptionsAreNotStored,
    AdoptionsBeginAnew,
    OnlyWhatIsInServiceIsAdopted,
    AdoptionsIgnorePositions,
    AnythingIsAdopted,
    AdoptionsKeepLeases,
    AdoptionsVoidLeasesAfterwards,
    SharesAreForAnyEvents,
    AdoptionsForgetRescales,
    BesideIsInService,
    AnythingIsBeside,
    MembersAreAlone,
    SharesAreTooSmall,
    ForgottenLeasesAreKept,
    LeasesAreTakenInForce,
    TokensMeanNothing,
    LeasesAreRemembered,
    TokensRiseAtEveryShare,
    SharesStoreNoPositions,
    PositionsAreWhatIsTold,
    SharesCountAsCommits,
    LostCommitsAreNotNoticed,
    ErrorsAreNotShown,
    ErrorsStay,
    MembersStay,
    NobodyIsHeardOf,
    WhatIsNotThereIsShared,
    ProlongingDoesNothing,
    ProlongingTellsNothing,
    CommitsDoNotProlong,
    LeavingKeepsLeases,
    LeavingForgetsPositions,
    LeavingForgetsErrors,
    LeavingGivesAnothersBack,
    LeavingIsOfAnyVersion,
    RowsAreWrittenAtOnce,
    RefusedRowsAreKept,
    CheckpointsStay,
    TheFirstLeaseWillDo,
    AllSlotsMove,
    AnyVersionCommits,
    EventsCountForEachSlot,
    RowsAreReadBeforeTheTransaction,
    CheckpointsAreCommittedAfterRows,
    SinceIsTheLatest,
    RequestsStay,
    ParkedAreListedByName,
    ParkedNamesHaveNoCase,
    AttemptsAreSigned,
    NulIsRefused,
    VersionsShareWhatIsParked,
    UnparkingIsNotRolledBack,
    UnparkingIsOfAll,
    AnythingCanBeAskedFor,
    RequestsAreNotShared,
    RescalesHaveNoBarrier,
    BarriersAreAtTheNearest,
    TokensBeginAnewAfterARescale,
    TheFirstRescaleWins,
    SlotsHaveNoBounds,
    RescalesForgetEvents,
    ResetsKeepRows,
    ResetsAreOfAllVersions,
    ResetsKeepBarriers,
    ResetsNeedNoTables,
    WhoIsBehindIsPutInService,
    ExchangesKeepRows,
    ExchangesKeepLeases,
    ExchangesRemove,
    WhatIsInServiceIsPutThere,
    RemovingDoesNothing,
    TokensBeginAnewAfterARemoval,
    ListsHaveNoOrder,
    ListsAreOfAll,
    EmptyTextsAreNull,
    NullDocumentsAreNull,
    TimesAreMilliseconds,
    IntegersAreReals,
    RealsHave32Bits,
    TextsAreTrimmed,
    NullsAreNotWritten,
    RowsAreNotDeleted,
    AThousandRowsAtMost,
    AnyValueIsKept,
    KeysAreTheirFirstColumn,
    NoKeysAreAll,
    OutagesAreNotTold,
}

/// The rows of a view in memory, with a flaw.
#[derive(Debug, Clone)]
pub(super) struct Flawed<V: View> {
    pub(super) flaw: Flaw,
    pub(super) inner: MemoryView<V>,
    notes: Arc<Mutex<Notes<V>>>,
}

/// What flawed read models remember, or show, besides what they should.
#[derive(Debug)]
pub(super) struct Notes<V: View> {
    /// The latest token of each slot, by version, as the model beneath counts.
    pub(super) tokens: BTreeMap<(u32, u32), i64>,
    /// The leases of members.
    known: BTreeMap<Uuid, Vec<Lease>>,
    /// What tokens are counted from, by version.
    pub(super) offsets: BTreeMap<u32, i64>,
    pub(super) positions: BTreeMap<(u32, u32), Position>,
    error: Option<String>,
    pub(super) members: BTreeSet<(Uuid, String)>,
    /// Rows that queries see, though they should not.
    pub(super) rows: BTreeMap<V::Key, V>,
    pub(super) hidden: BTreeSet<StreamId>,
    slots: usize,
    pub(super) is_rescaled: bool,
    is_half_adopted: bool,
}

pub(super) struct FlawedTransaction<V: View> {
    pub(super) inner: MemoryTransaction<BTreeMap<V::Key, V>>,
    /// The rows from before the transaction began.
    pub(super) before: BTreeMap<V::Key, V>,
}

impl<V: View> Flawed<V> {
    fn new(flaw: Flaw) -> Self {
        let notes = Notes {
            tokens: BTreeMap::new(),
            known: BTreeMap::new(),
            offsets: BTreeMap::new(),
            positions: BTreeMap::new(),
            error: None,
            members: BTreeSet::new(),
            rows: BTreeMap::new(),
            hidden: BTreeSet::new(),
            slots: 0,
            is_rescaled: false,
            is_half_adopted: false,
        };
        let inner = MemoryModel::new(BTreeMap::new());
        Self { flaw, inner, notes: Arc::new(Mutex::new(notes)) }
    }

    pub(super) fn notes(&self) -> MutexGuard<'_, Notes<V>> {
        self.notes.lock().unwrap()
    }

    /// The leases as the model beneath is to see them.
    fn leases(&self, version: u32, leases: &[Lease]) -> Vec<Lease> {
        let mut notes = self.notes();
        let offset = notes.offsets.get(&version).copied().unwrap_or(0);
        let mut leases = leases.to_vec();
        for lease in &mut leases {
            lease.token += offset;
            match self.flaw {
                Flaw::TokensMeanNothing | Flaw::ExchangesKeepLeases | Flaw::AdoptionsKeepLeases => {
                    let token = notes.tokens.get(&(version, lease.slot)).copied();
                    lease.token = token.unwrap_or(lease.token);
                }
                Flaw::AdoptionsVoidLeasesAfterwards if notes.is_half_adopted => {
                    lease.token = notes.tokens[&(version, lease.slot)];
                }
                Flaw::LostCommitsAreNotNoticed => lease.commits = 0,
                Flaw::PositionsAreWhatIsTold => {
                    notes.positions.insert((version, lease.slot), lease.position);
                }
                _ => {}
            }
        }
        leases
    }
}

pub(super) struct FlawedFixture(Flawed<Sample>, Flawed<Composite>);

impl FlawedFixture {
    pub(super) fn new(flaw: Flaw) -> Self {
        Self(Flawed::new(flaw), Flawed::new(flaw))
    }
}

#[async_trait]
impl Fixture for FlawedFixture {
    type Model = Flawed<Sample>;
    type Composite = Flawed<Composite>;

    async fn open(&self) -> Flawed<Sample> {
        self.0.clone()
    }

    async fn open_composite(&self) -> Flawed<Composite> {
        self.1.clone()
    }
}

#[async_trait]
impl<V: View + std::fmt::Debug> ReadModel for Flawed<V> {
    type Transaction = FlawedTransaction<V>;

    async fn open(
        &self,
        projection: &ProjectionId,
        setup: &Setup<'_>,
    ) -> Result<Opened, StoreError> {
        let ProjectionId { name, version, .. } = *projection;
        let mut projection = projection.clone();
        let mut setup = *setup;
        let before = self.inner.projections(Some(name)).await?;
        let before = before.into_iter().find(|state| state.version == version);
        match (self.flaw, &before) {
            (Flaw::EventTypesAreIgnored, Some(before)) => {
                projection.events.clone_from(&before.events);
            }
            (Flaw::BuildsBesideUnasked, _) => setup.beside = true,
            (Flaw::OneSlotForAll, _) => setup.slots = 1,
            (Flaw::ResetsNeedNoTables, _) => setup.tables = "tables",
            _ => {}
        }
        let opened = self.inner.open(&projection, &setup).await?;
        match (self.flaw, &opened) {
            (Flaw::IsMadeAnewWhenOpened, Opened::InService) if before.is_some() => {
                self.inner.reset(name, version, Position::START).await?;
            }
            (Flaw::OlderVersionsAreBeside, Opened::Changed { version: served, .. })
                if *served > version =>
            {
                return Ok(Opened::Beside);
            }
            _ => {}
        }
        Ok(opened)
    }

    async fn adopt(
        &self,
        projection: &ProjectionId,
        events_before: &str,
        through: Position,
    ) -> Result<bool, StoreError> {
        let before = self.stored(projection).await?;
        let (events, through) = match (self.flaw, &before) {
            (Flaw::AdoptionsAreNotStored, _) => return Ok(true),
            (Flaw::OnlyWhatIsInServiceIsAdopted, Some(before)) if !before.in_service => {
                return Ok(false);
            }
            (Flaw::AdoptionsIgnorePositions, _) => (events_before, Position::new(u64::MAX)),
            (Flaw::AnythingIsAdopted, Some(before)) => (&*before.events, through),
            _ => (events_before, through),
        };
        let is_adopted = self.inner.adopt(projection, events, through).await?;
        let ProjectionId { name, version, .. } = *projection;
        match (self.flaw, before) {
            (Flaw::AdoptionsBeginAnew, _) => {
                self.inner.reset(name, version, Position::START).await?;
            }
            (Flaw::AdoptionsKeepLeases, Some(before)) if is_adopted => {
                let events = projection.events.clone();
                self.keep_leases(ProjectionState { events, ..before }).await?;
            }
            (Flaw::AdoptionsVoidLeasesAfterwards, Some(before)) if is_adopted => {
                let events = projection.events.clone();
                self.keep_leases(ProjectionState { events, ..before }).await?;
                self.notes().is_half_adopted = true;
                tokio::task::yield_now().await;
                self.notes().is_half_adopted = false;
            }
            (Flaw::AdoptionsForgetRescales, Some(before)) => {
                let slots = u32::try_from(before.slots.len()).unwrap();
                self.inner.rescale(name, version, slots).await?;
            }
            _ => {}
        }
        Ok(is_adopted)
    }

    async fn beside(&self, projection: &ProjectionId) -> Result<Self, StoreError> {
        let inner = self.inner.beside(projection).await;
        match self.flaw {
            Flaw::BesideIsInService => inner.map(|_| self.clone()),
            Flaw::AnythingIsBeside => {
                let inner = inner.unwrap_or_else(|_| self.inner.clone());
                Ok(Self { inner, ..self.clone() })
            }
            _ => Ok(Self { inner: inner?, ..self.clone() }),
        }
    }

    async fn share(
        &self,
        projection: &ProjectionId,
        member: &Member<'_>,
    ) -> Result<Option<Share>, StoreError> {
        let mut projection = projection.clone();
        if self.flaw == Flaw::SharesAreForAnyEvents
            && let Some(stored) = self.stored(&projection).await?
        {
            projection.events = stored.events;
        }
        let projection = &projection;
        let version = projection.version;
        let mut leases = self.leases(version, member.leases);
        let mut error = member.error.map(ToOwned::to_owned);
        match self.flaw {
            Flaw::LeasesAreRemembered => {
                leases = self.notes().known.get(&member.id).cloned().unwrap_or(leases);
            }
            Flaw::ForgottenLeasesAreKept if !leases.is_empty() => {
                let known = self.notes().known.get(&member.id).cloned().unwrap_or_default();
                self.inner.prolong(projection, &known, member.time).await?;
                let slots = u32::try_from(known.len()).unwrap();
                return Ok(Some(Share { leases, ..share_of(slots) }));
            }
            Flaw::TokensRiseAtEveryShare => leases.clear(),
            Flaw::SharesStoreNoPositions => {
                for lease in &mut leases {
                    lease.position = Position::START;
                }
            }
            Flaw::MembersAreAlone => {
                let states = self.inner.projections(Some(projection.name)).await?;
                for (other, _) in states.iter().flat_map(|state| &state.members) {
                    let other = Member { id: *other, leases: &[], ..*member };
                    self.inner.leave(projection, &other).await?;
                }
            }
            Flaw::LeasesAreTakenInForce => {
                let tokens = self.notes().tokens.clone();
                let all = tokens.into_iter().filter(|((of, _), _)| *of == version);
                let all: Vec<Lease> = all
                    .map(|((_, slot), token)| lease_of(slot, token))
                    .filter(|lease| !leases.iter().any(|own| own.token == lease.token))
                    .collect();
                self.inner.prolong(projection, &all, Duration::ZERO).await?;
            }
            Flaw::ErrorsAreNotShown => error = None,
            Flaw::ErrorsStay => {
                let mut notes = self.notes();
                error = error.or_else(|| notes.error.clone());
                notes.error.clone_from(&error);
            }
            Flaw::MembersStay => {
                self.notes().members.insert((member.id, member.label.to_owned()));
            }
            _ => {}
        }
        let member = Member { leases: &leases, error: error.as_deref(), ..*member };
        let Some(mut share) = self.inner.share(projection, &member).await? else {
            let is_shared = self.flaw == Flaw::WhatIsNotThereIsShared;
            return Ok(is_shared.then(|| share_of(1)));
        };
        let nearest = self.nearest(projection).await?;
        let mut notes = self.notes();
        notes.known.insert(member.id, share.leases.clone());
        let is_divided = notes.slots > 1 && notes.slots != share.slots as usize;
        notes.slots = share.slots as usize;
        let mut tokens = share.leases.iter().map(|lease| lease.token);
        if let (Flaw::TokensBeginAnewAfterARescale, true, Some(first)) =
            (self.flaw, is_divided, tokens.next())
        {
            notes.offsets.insert(version, first - 1);
        }
        let offset = notes.offsets.get(&version).copied().unwrap_or(0);
        for lease in &mut share.leases {
            notes.tokens.insert((version, lease.slot), lease.token);
            lease.token -= offset;
            match self.flaw {
                Flaw::TokensMeanNothing => lease.token = 1,
                Flaw::SharesCountAsCommits => lease.commits += 1,
                Flaw::PositionsAreWhatIsTold => {
                    let told = notes.positions.get(&(version, lease.slot));
                    lease.position = told.copied().unwrap_or(lease.position);
                }
                _ => {}
            }
        }
        match self.flaw {
            Flaw::SharesAreTooSmall if share.leases.len() > 1 => drop(share.leases.pop()),
            Flaw::RescalesHaveNoBarrier => share.barrier = None,
            Flaw::BarriersAreAtTheNearest => share.barrier = share.barrier.map(|_| nearest),
            Flaw::RequestsAreNotShared => {
                for parked in &mut share.parked {
                    parked.request = None;
                }
            }
            _ => {}
        }
        Ok(Some(share))
    }

    async fn leave(
        &self,
        projection: &ProjectionId,
        member: &Member<'_>,
    ) -> Result<(), StoreError> {
        let mut leases = self.leases(projection.version, member.leases);
        let mut projection = projection.clone();
        let mut error = member.error;
        match self.flaw {
            Flaw::LeavingIsOfAnyVersion => projection.version = 1,
            Flaw::LeavingKeepsLeases => return Ok(()),
            Flaw::LeavingForgetsPositions => {
                for lease in &mut leases {
                    lease.position = Position::START;
                }
            }
            Flaw::LeavingForgetsErrors => error = None,
            Flaw::LeavingGivesAnothersBack => {
                for lease in &mut leases {
                    let token = self.notes().tokens[&(projection.version, lease.slot)];
                    lease.token = token;
                }
            }
            _ => {}
        }
        self.inner.leave(&projection, &Member { leases: &leases, error, ..*member }).await
    }

    async fn prolong(
        &self,
        projection: &ProjectionId,
        leases: &[Lease],
        time: Duration,
    ) -> Result<bool, StoreError> {
        let leases = self.leases(projection.version, leases);
        match self.flaw {
            Flaw::ProlongingDoesNothing => Ok(true),
            Flaw::ProlongingTellsNothing => {
                self.inner.prolong(projection, &leases, time).await.map(|_| true)
            }
            _ => self.inner.prolong(projection, &leases, time).await,
        }
    }

    async fn begin(&self) -> Result<Self::Transaction, StoreError> {
        let before = self.inner.read(BTreeMap::clone);
        Ok(FlawedTransaction { inner: self.inner.begin().await?, before })
    }

    async fn commit(
        &self,
        transaction: Self::Transaction,
        projection: &ProjectionId,
        commit: &Commit<'_>,
    ) -> Result<bool, StoreError> {
        let mut leases = self.leases(projection.version, commit.leases);
        let Commit { mut events, mut time, .. } = *commit;
        let rows = transaction.inner.value.clone();
        match self.flaw {
            Flaw::CommitsDoNotProlong => time = Duration::ZERO,
            Flaw::CheckpointsStay => {
                for lease in &mut leases {
                    lease.position = Position::START;
                }
            }
            Flaw::TheFirstLeaseWillDo => leases.truncate(1),
            Flaw::AllSlotsMove => {
                let position = leases[0].position;
                let all = self.notes().tokens.clone().into_iter();
                let all = all.filter(|((version, _), _)| *version == projection.version);
                leases = all.map(|((_, slot), token)| lease_of(slot, token)).collect();
                for lease in &mut leases {
                    lease.position = position;
                }
            }
            Flaw::AnyVersionCommits => {
                let states = self.inner.projections(Some(projection.name)).await?;
                if states.iter().all(|state| state.version != projection.version) {
                    return Ok(true);
                }
            }
            Flaw::EventsCountForEachSlot => events *= leases.len() as u64,
            Flaw::CheckpointsAreCommittedAfterRows => {
                let stay = |lease: &Lease| Lease { position: Position::START, ..*lease };
                let stay: Vec<Lease> = leases.iter().map(stay).collect();
                let first = Commit { leases: &stay, events: 0, time };
                if !self.inner.commit(transaction.inner, projection, &first).await? {
                    return Ok(false);
                }
                tokio::task::yield_now().await;
                let next = self.inner.begin().await?;
                let commit = Commit { leases: &leases, events, time };
                return self.inner.commit(next, projection, &commit).await;
            }
            _ => {}
        }
        let commit = Commit { leases: &leases, events, time };
        let is_committed = self.inner.commit(transaction.inner, projection, &commit).await?;
        if !is_committed && self.flaw == Flaw::RefusedRowsAreKept {
            self.notes().rows.extend(rows);
        }
        Ok(is_committed)
    }

    async fn park(
        &self,
        transaction: &mut Self::Transaction,
        projection: &ProjectionId,
        parked: &Parked,
    ) -> Result<(), StoreError> {
        let mut parked = parked.clone();
        let stored = self.inner.parked(projection.name, projection.version).await?;
        let stored = stored.into_iter().find(|stored| stored.stream == parked.stream);
        match self.flaw {
            Flaw::SinceIsTheLatest => {
                self.inner.unpark(&mut transaction.inner, projection, &parked.stream).await?;
            }
            Flaw::RequestsStay => {
                parked.request = parked.request.or(stored.and_then(|stored| stored.request));
            }
            Flaw::ParkedNamesHaveNoCase => {
                let key = parked.stream.key().to_lowercase();
                parked.stream = StreamId::new(parked.stream.category(), &key).unwrap();
            }
            Flaw::AttemptsAreSigned => parked.attempts &= 0x7fff_ffff,
            Flaw::NulIsRefused if parked.error.contains('\0') => {
                return Err(StoreError::new(StoreErrorKind::InvalidInput, "a flaw"));
            }
            _ => {}
        }
        self.inner.park(&mut transaction.inner, projection, &parked).await
    }

    async fn unpark(
        &self,
        transaction: &mut Self::Transaction,
        projection: &ProjectionId,
        stream: &StreamId,
    ) -> Result<(), StoreError> {
        match self.flaw {
            Flaw::UnparkingIsNotRolledBack => {
                self.notes().hidden.insert(stream.clone());
            }
            Flaw::UnparkingIsOfAll => {
                for other in self.inner.parked(projection.name, projection.version).await? {
                    let stream = &other.stream;
                    self.inner.unpark(&mut transaction.inner, projection, stream).await?;
                }
            }
            _ => {}
        }
        self.inner.unpark(&mut transaction.inner, projection, stream).await
    }

    fn is_outage(&self, error: &BoxError) -> bool {
        self.flaw != Flaw::OutagesAreNotTold && self.inner.is_outage(error)
    }
}

/// A share of nothing.
fn share_of(slots: u32) -> Share {
    Share {
        has_served: true,
        leases: Vec::new(),
        slots,
        in_service: true,
        barrier: None,
        replays_to: Position::START,
        parked: Vec::new(),
    }
}

fn lease_of(slot: u32, token: i64) -> Lease {
    Lease { slot, token, commits: 0, position: Position::START }
}

impl<V: View> Flawed<V> {
    async fn stored(
        &self,
        projection: &ProjectionId,
    ) -> Result<Option<ProjectionState>, StoreError> {
        let states = self.inner.projections(Some(projection.name)).await?;
        Ok(states.into_iter().find(|state| state.version == projection.version))
    }

    async fn nearest(&self, projection: &ProjectionId) -> Result<Position, StoreError> {
        let state = self.stored(projection).await?;
        let slots = state.iter().flat_map(|state| &state.slots);
        Ok(slots.map(|slot| slot.position).min().unwrap_or_default())
    }
}

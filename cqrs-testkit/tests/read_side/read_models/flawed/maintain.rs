//! A read model in memory with one flaw: how it is looked after.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use cqrs_core::{
    Maintain, Member, Parked, ParkedRequest, Position, ProjectionId, ProjectionState, PutInService,
    ReadModel as _, StoreError, StreamId, View,
};

use super::model::{Flaw, Flawed};

impl<V: View + std::fmt::Debug> Flawed<V> {
    /// Has the owners of slots hold them again, as if their leases were still in force.
    pub(super) async fn keep_leases(&self, state: ProjectionState) -> Result<(), StoreError> {
        let ProjectionState { version, events, slots, .. } = state;
        let projection = ProjectionId { name: V::NAME, version, events };
        for id in slots.iter().filter_map(|slot| slot.owner) {
            let time = Duration::from_mins(10);
            let member = Member { id, label: "", leases: &[], time, error: None };
            let share = self.inner.share(&projection, &member).await?;
            for lease in share.into_iter().flat_map(|share| share.leases) {
                self.notes().tokens.insert((version, lease.slot), lease.token);
            }
        }
        Ok(())
    }
}

#[async_trait]
impl<V: View + std::fmt::Debug> Maintain for Flawed<V> {
    async fn projections(&self, name: Option<&str>) -> Result<Vec<ProjectionState>, StoreError> {
        let name = name.filter(|_| self.flaw != Flaw::ListsAreOfAll);
        let mut states = self.inner.projections(name).await?;
        let notes = self.notes();
        for state in &mut states {
            let version = state.version;
            match self.flaw {
                Flaw::WhatServedIsForgotten => state.has_served = state.in_service,
                Flaw::MembersStay => state.members = notes.members.iter().cloned().collect(),
                Flaw::RescalesForgetEvents if notes.is_rescaled => {
                    state.slots.iter_mut().for_each(|slot| slot.events = 0);
                }
                Flaw::NobodyIsHeardOf => {
                    state.slots.iter_mut().for_each(|slot| slot.heard += Duration::from_mins(1));
                }
                Flaw::PositionsAreWhatIsTold => {
                    for slot in &mut state.slots {
                        let told = notes.positions.get(&(version, slot.slot));
                        slot.position = told.copied().unwrap_or(slot.position);
                    }
                }
                _ => {}
            }
        }
        if self.flaw == Flaw::ListsHaveNoOrder {
            states.reverse();
        }
        Ok(states)
    }

    async fn parked(&self, name: &str, version: u32) -> Result<Vec<Parked>, StoreError> {
        let mut parked = self.inner.parked(name, version).await?;
        match self.flaw {
            Flaw::ParkedAreListedByName => parked.sort_by(|a, b| a.stream.cmp(&b.stream)),
            Flaw::VersionsShareWhatIsParked => {
                for state in self.inner.projections(Some(name)).await? {
                    if state.version != version {
                        parked.extend(self.inner.parked(name, state.version).await?);
                    }
                }
            }
            Flaw::UnparkingIsNotRolledBack => {
                let hidden = self.notes().hidden.clone();
                parked.retain(|parked| !hidden.contains(&parked.stream));
            }
            _ => {}
        }
        Ok(parked)
    }

    async fn request(
        &self,
        name: &str,
        version: u32,
        stream: &StreamId,
        request: ParkedRequest,
    ) -> Result<bool, StoreError> {
        let is_found = self.inner.request(name, version, stream, request).await?;
        Ok(is_found || self.flaw == Flaw::AnythingCanBeAskedFor)
    }

    async fn rescale(&self, name: &str, version: u32, slots: u32) -> Result<bool, StoreError> {
        let slots = match self.flaw {
            Flaw::SlotsHaveNoBounds => slots.clamp(1, 1024),
            Flaw::TheFirstRescaleWins => {
                let states = self.inner.projections(Some(name)).await?;
                states.iter().find_map(|state| state.rescaling).unwrap_or(slots)
            }
            _ => slots,
        };
        self.notes().is_rescaled = true;
        self.inner.rescale(name, version, slots).await
    }

    async fn reset(
        &self,
        name: &str,
        version: u32,
        replays_to: Position,
    ) -> Result<bool, StoreError> {
        let before = self.inner.projections(Some(name)).await?;
        let rows = self.inner.read(BTreeMap::clone);
        let is_reset = self.inner.reset(name, version, replays_to).await?;
        match self.flaw {
            Flaw::ResetsKeepRows => self.notes().rows = rows,
            Flaw::ResetsAreOfAllVersions => {
                for state in before {
                    self.inner.reset(name, state.version, replays_to).await?;
                }
            }
            Flaw::ResetsKeepBarriers => {
                for slots in before.iter().filter_map(|state| state.rescaling) {
                    self.inner.rescale(name, version, slots).await?;
                }
            }
            _ => {}
        }
        Ok(is_reset)
    }

    async fn put_in_service(
        &self,
        name: &str,
        version: u32,
        caught_up: bool,
    ) -> Result<PutInService, StoreError> {
        let caught_up = caught_up && self.flaw != Flaw::WhoIsBehindIsPutInService;
        let before = self.inner.projections(Some(name)).await?;
        let served = before.iter().find(|state| state.in_service).map(|state| state.version);
        let rows = self.inner.read(BTreeMap::clone);
        let put = self.inner.put_in_service(name, version, caught_up).await?;
        match (self.flaw, put, served) {
            (Flaw::ExchangesKeepRows, PutInService::Done, _) => self.notes().rows = rows,
            (Flaw::ExchangesKeepLeases, PutInService::Done, _) => {
                for state in before {
                    self.keep_leases(state).await?;
                }
            }
            (Flaw::ExchangesRemove, PutInService::Done, Some(served)) => {
                self.inner.remove(name, served).await?;
            }
            (Flaw::WhatIsInServiceIsPutThere, PutInService::Missing, Some(served))
                if served == version =>
            {
                return Ok(PutInService::Done);
            }
            _ => {}
        }
        Ok(put)
    }

    async fn remove(&self, name: &str, version: u32) -> Result<bool, StoreError> {
        match self.flaw {
            Flaw::RemovingDoesNothing => return Ok(true),
            Flaw::TokensBeginAnewAfterARemoval => {
                let mut notes = self.notes();
                let tokens = notes.tokens.iter().filter(|((of, _), _)| *of == version);
                let last = tokens.map(|(_, token)| *token).max().unwrap_or(0);
                notes.offsets.insert(version, last);
            }
            _ => {}
        }
        self.inner.remove(name, version).await
    }
}

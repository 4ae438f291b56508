//! What those do who look after projections.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use cqrs_core::{
    Maintain, Parked, ParkedRequest, Position, ProjectionState, PutInService, SlotState,
    StoreError, StoreErrorKind, StreamId,
};
use sqlx::postgres::PgRow;
use sqlx::{Error, Row};
use uuid::Uuid;

use super::{PostgresModel, foreign, number, only, parked, small};
use crate::error::store_error;
use crate::rows::saturate;

/// The most slots a projection is divided into.
const MAX_SLOTS: u32 = 1024;

#[async_trait]
impl Maintain for PostgresModel {
    async fn projections(&self, name: Option<&str>) -> Result<Vec<ProjectionState>, StoreError> {
        let doing = "reading the state of projections";
        let rows = self
            .connections
            .fetch(doing, || sqlx::query(include_str!("../../sql/projections.sql")).bind(name));
        let states = rows.await?.iter().map(state).collect::<Result<_, _>>();
        states.map_err(|error| store_error(doing, error))
    }

    async fn parked(&self, name: &str, version: u32) -> Result<Vec<Parked>, StoreError> {
        parked::all(&self.connections, name, version).await
    }

    async fn request(
        &self,
        name: &str,
        version: u32,
        stream: &StreamId,
        request: ParkedRequest,
    ) -> Result<bool, StoreError> {
        parked::request(&self.connections, (name, version), stream, request).await
    }

    async fn rescale(&self, name: &str, version: u32, slots: u32) -> Result<bool, StoreError> {
        let doing = format!("dividing projection `{name}` v{version} into {slots} slots");
        if slots == 0 || slots > MAX_SLOTS {
            let context = format!("{doing}: there may be 1 to {MAX_SLOTS}");
            return Err(StoreError::new(StoreErrorKind::InvalidInput, context));
        }
        let rows = self.connections.fetch(&doing, || {
            sqlx::query(include_str!("../../sql/rescale.sql"))
                .bind(name)
                .bind(i64::from(version))
                .bind(i64::from(slots))
        });
        let rows = rows.await?;
        let is_there = only(&rows).and_then(|row| row.try_get("is_there"));
        is_there.map_err(|error| store_error(&doing, error))
    }

    /// As for every read model.
    ///
    /// # Errors
    /// With kind [`Busy`](StoreErrorKind::Busy) when its tables are in use for longer than a second.
    async fn reset(
        &self,
        name: &str,
        version: u32,
        replays_to: Position,
    ) -> Result<bool, StoreError> {
        let doing = format!("emptying projection `{name}` v{version}");
        let rows = self.connections.fetch(&doing, || {
            sqlx::query(include_str!("../../sql/reset.sql"))
                .bind(name)
                .bind(i64::from(version))
                .bind(saturate(replays_to.get()))
        });
        let rows = rows.await?;
        let outcome = only(&rows).and_then(|row| row.try_get("outcome"));
        match outcome.map_err(|error| store_error(&doing, error))? {
            "done" => Ok(true),
            "missing" => Ok(false),
            _ => Err(without_tables(&doing)),
        }
    }

    /// As for every read model. All that use the tables of either version, queries included, wait until it is done;
    /// where the tables are in use for longer than about a second, it gives up.
    ///
    /// # Errors
    /// With kind [`Busy`](StoreErrorKind::Busy) when it gave up; with kind
    /// [`InvalidInput`](StoreErrorKind::InvalidInput) when one of the versions was made without tables.
    async fn put_in_service(
        &self,
        name: &str,
        version: u32,
        caught_up: bool,
    ) -> Result<PutInService, StoreError> {
        let doing = format!("putting projection `{name}` v{version} into service");
        let attempts = AtomicU32::new(0);
        let rows = self.connections.fetch(&doing, || {
            attempts.fetch_add(1, Ordering::Relaxed);
            sqlx::query(include_str!("../../sql/put_in_service.sql"))
                .bind(name)
                .bind(i64::from(version))
                .bind(caught_up)
        });
        let rows = rows.await?;
        let failed = |error| store_error(&doing, error);
        let row = only(&rows).map_err(failed)?;
        match row.try_get("outcome").map_err(failed)? {
            "done" => Ok(PutInService::Done),
            // The connection broke after it was done.
            "in service" if attempts.into_inner() > 1 => Ok(PutInService::Done),
            "in service" | "missing" => Ok(PutInService::Missing),
            "behind" => {
                let position = |column| number(row, column).map(Position::new).map_err(failed);
                Ok(PutInService::Behind(position("seen")?, position("furthest")?))
            }
            _ => Err(without_tables(&doing)),
        }
    }

    /// As for every read model.
    ///
    /// # Errors
    /// With kind [`Busy`](StoreErrorKind::Busy) when its tables are in use for longer than a second.
    async fn remove(&self, name: &str, version: u32) -> Result<bool, StoreError> {
        let doing = format!("removing projection `{name}` v{version}");
        let attempts = AtomicU32::new(0);
        let rows = self.connections.fetch(&doing, || {
            attempts.fetch_add(1, Ordering::Relaxed);
            sqlx::query(include_str!("../../sql/remove.sql")).bind(name).bind(i64::from(version))
        });
        let rows = rows.await?;
        let was_there = only(&rows).and_then(|row| row.try_get("was_there"));
        let was_there: bool = was_there.map_err(|error| store_error(&doing, error))?;
        // The connection may have broken after it was done.
        Ok(was_there || (attempts.into_inner() > 1 && !self.has(name, version).await?))
    }
}

impl PostgresModel {
    async fn has(&self, name: &str, version: u32) -> Result<bool, StoreError> {
        let states = self.projections(Some(name)).await?;
        Ok(states.iter().any(|state| state.version == version))
    }
}

fn without_tables(doing: &str) -> StoreError {
    let context = format!(
        "{doing}: a version was made without telling which tables it makes, so nobody knows which are its own"
    );
    StoreError::new(StoreErrorKind::InvalidInput, context)
}

fn state(row: &PgRow) -> Result<ProjectionState, Error> {
    let rescaling: Option<i64> = row.try_get("rescale_to")?;
    let members: Vec<Uuid> = row.try_get("members")?;
    let labels: Vec<String> = row.try_get("labels")?;
    Ok(ProjectionState {
        name: row.try_get("name")?,
        version: small(row.try_get("version")?)?,
        events: row.try_get("events")?,
        in_service: row.try_get("in_service")?,
        has_served: row.try_get("has_served")?,
        slots: slots(row)?,
        rescaling: rescaling.map(small).transpose()?,
        replays_to: Position::new(number(row, "replays_to")?),
        parked: number(row, "parked")?,
        members: members.into_iter().zip(labels).collect(),
    })
}

fn slots(row: &PgRow) -> Result<Vec<SlotState>, Error> {
    let numbers = |column| row.try_get::<Vec<i64>, _>(column);
    let (slots, positions, taken) = (numbers("slots")?, numbers("positions")?, numbers("taken")?);
    let (owners, errors): (Vec<Option<Uuid>>, Vec<Option<String>>) =
        (row.try_get("owners")?, row.try_get("errors")?);
    let told = owners.into_iter().zip(errors).zip(numbers("heard")?);
    let all = slots.into_iter().zip(positions).zip(taken).zip(told);
    let slot = |(((slot, position), events), ((owner, error), heard))| -> Result<_, Error> {
        Ok(SlotState {
            slot: small(slot)?,
            position: Position::new(unsigned(position)?),
            owner,
            events: unsigned(events)?,
            error,
            // The clock may have been set back.
            heard: Duration::from_micros(u64::try_from(heard).unwrap_or(0)),
        })
    };
    all.map(slot).collect()
}

fn unsigned(number: i64) -> Result<u64, Error> {
    u64::try_from(number).map_err(foreign)
}

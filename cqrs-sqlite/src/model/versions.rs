//! Versions as they are stored: reading them whole, and writing what has changed.

use std::time::Duration;

use cqrs_core::{Lease, Position, ProjectionState, SlotState};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Row, SqliteExecutor, query};
use uuid::Uuid;

use super::foreign;
use crate::rows;

/// A version of a projection, as it is stored in the file where its rows are.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stored {
    pub(super) name: String,
    pub(super) version: u32,
    pub(super) events: String,
    pub(super) replays_to: Position,
    pub(super) tables: Vec<String>,
    /// Into how many slots it is being divided anew, and the position all have to come to before.
    pub(super) rescaling: Option<(u32, Position)>,
    pub(super) is_leaving: bool,
    /// Whether it was in service before it was in this file.
    pub(super) has_served: bool,
    pub(super) slots: Vec<Slot>,
    pub(super) members: Vec<Known>,
    pub(super) parked: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Slot {
    pub(super) lease: Lease,
    pub(super) owner: Option<Uuid>,
    pub(super) until: i64,
    pub(super) heard: i64,
    pub(super) events: u64,
    pub(super) error: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Known {
    pub(super) id: Uuid,
    pub(super) label: String,
    pub(super) until: i64,
}

/// A slot as the statements name its columns.
type SlotColumns = (u32, u64, i64, i64, u64, Option<Uuid>, i64, Option<String>, i64);

impl Stored {
    /// The versions of all projections, or of the one with this name, that are in a file.
    pub(super) async fn load_all(
        executor: impl SqliteExecutor<'_>,
        name: Option<&str>,
    ) -> Result<Vec<Self>, sqlx::Error> {
        let rows =
            query(include_str!("../../sql/versions.sql")).bind(name).fetch_all(executor).await?;
        rows.iter().map(Self::of_row).collect()
    }

    /// A version, if it is in this file.
    pub(super) async fn load(
        executor: impl SqliteExecutor<'_>,
        name: &str,
        version: u32,
    ) -> Result<Option<Self>, sqlx::Error> {
        // There is one, or there are two for the moment that a version takes to leave.
        let all = Self::load_all(executor, Some(name)).await?;
        Ok(all.into_iter().find(|found| found.version == version))
    }

    fn of_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let json = |column| row.try_get::<&str, _>(column);
        let tables = serde_json::from_str(json("tables")?).map_err(foreign)?;
        let slots: Vec<SlotColumns> = serde_json::from_str(json("slots")?).map_err(foreign)?;
        let members: Vec<(Uuid, String, i64)> =
            serde_json::from_str(json("members")?).map_err(foreign)?;
        let rescale_to: Option<u32> = row.try_get("rescale_to")?;
        let barrier: Option<i64> = row.try_get("barrier")?;
        Ok(Self {
            name: row.try_get("name")?,
            version: row.try_get("version")?,
            events: row.try_get("events")?,
            replays_to: position(row.try_get("replays_to")?)?,
            tables,
            rescaling: match (rescale_to, barrier) {
                (Some(slots), Some(barrier)) => Some((slots, position(barrier)?)),
                _ => None,
            },
            is_leaving: row.try_get("leaving")?,
            has_served: row.try_get("has_served")?,
            slots: slots.into_iter().map(Slot::of_columns).collect(),
            members: members
                .into_iter()
                .map(|(id, label, until)| Known { id, label, until })
                .collect(),
            parked: u64::try_from(row.try_get::<i64, _>("parked")?).map_err(foreign)?,
        })
    }

    /// A version that begins at the beginning of the log is stored.
    pub(super) async fn make(&self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        query(include_str!("../../sql/make_version.sql"))
            .bind(&self.name)
            .bind(self.version)
            .bind(&self.events)
            .bind(rows::integer(self.replays_to.get()))
            .bind(serde_json::to_string(&self.tables).map_err(foreign)?)
            .execute(&mut *connection)
            .await?;
        self.save_slots(connection, &self.slots).await
    }

    /// Writes what has changed since it was read, in the same transaction, as `before`.
    pub(super) async fn save(
        &self,
        connection: &mut SqliteConnection,
        before: &Self,
    ) -> Result<(), sqlx::Error> {
        let head = |of: &Self| (of.replays_to, of.rescaling, of.is_leaving);
        if head(self) != head(before) || self.events != before.events {
            query(include_str!("../../sql/save_version.sql"))
                .bind(&self.name)
                .bind(self.version)
                .bind(&self.events)
                .bind(rows::integer(self.replays_to.get()))
                .bind(self.rescaling.map(|(slots, _)| slots))
                .bind(self.rescaling.map(|(_, barrier)| rows::integer(barrier.get())))
                .bind(self.is_leaving)
                .execute(&mut *connection)
                .await?;
        }
        let changed: Vec<Slot> =
            self.slots.iter().filter(|slot| !before.slots.contains(slot)).cloned().collect();
        self.save_slots(connection, &changed).await?;
        if self.slots.len() < before.slots.len() {
            query(include_str!("../../sql/cut_slots.sql"))
                .bind(&self.name)
                .bind(self.version)
                .bind(rows::limit(self.slots.len()))
                .execute(&mut *connection)
                .await?;
        }
        self.save_members(connection, before).await
    }

    async fn save_slots(
        &self,
        connection: &mut SqliteConnection,
        slots: &[Slot],
    ) -> Result<(), sqlx::Error> {
        if slots.is_empty() {
            return Ok(());
        }
        let columns: Vec<SlotColumns> = slots.iter().map(Slot::columns).collect();
        query(include_str!("../../sql/save_slots.sql"))
            .bind(&self.name)
            .bind(self.version)
            .bind(serde_json::to_string(&columns).map_err(foreign)?)
            .execute(connection)
            .await
            .map(drop)
    }

    async fn save_members(
        &self,
        connection: &mut SqliteConnection,
        before: &Self,
    ) -> Result<(), sqlx::Error> {
        if self.members == before.members {
            return Ok(());
        }
        let columns: Vec<(Uuid, &str, i64)> =
            self.members.iter().map(|known| (known.id, &*known.label, known.until)).collect();
        let columns = serde_json::to_string(&columns).map_err(foreign)?;
        for sql in
            [include_str!("../../sql/save_members.sql"), include_str!("../../sql/drop_members.sql")]
        {
            query(sql)
                .bind(&self.name)
                .bind(self.version)
                .bind(&columns)
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }

    /// As others see it.
    pub(super) fn state(self, in_service: bool, now: i64) -> ProjectionState {
        let ago = |then: i64| Duration::from_millis(u64::try_from(now - then).unwrap_or_default());
        let slot = |slot: Slot| SlotState {
            slot: slot.lease.slot,
            position: slot.lease.position,
            owner: slot.owner.filter(|_| slot.until > now),
            events: slot.events,
            error: slot.error,
            heard: ago(slot.heard),
        };
        let members = self.members.into_iter().filter(|known| known.until > now);
        ProjectionState {
            name: self.name,
            version: self.version,
            events: self.events,
            in_service,
            has_served: in_service || self.has_served,
            slots: self.slots.into_iter().map(slot).collect(),
            rescaling: self.rescaling.map(|(slots, _)| slots),
            replays_to: self.replays_to,
            parked: self.parked,
            members: members.map(|known| (known.id, known.label)).collect(),
        }
    }
}

impl Slot {
    fn of_columns(columns: SlotColumns) -> Self {
        let (slot, position, token, commits, events, owner, until, error, heard) = columns;
        let lease = Lease { slot, token, commits, position: Position::new(position) };
        Self { lease, owner, until, heard, events, error }
    }

    fn columns(&self) -> SlotColumns {
        let Lease { slot, token, commits, position } = self.lease;
        let Self { owner, until, heard, ref error, events, .. } = *self;
        // What is beyond the range of a column is beyond every position, too.
        let position = rows::integer(position.get()).cast_unsigned();
        (slot, position, token, commits, events, owner, until, error.clone(), heard)
    }
}

fn position(stored: i64) -> Result<Position, sqlx::Error> {
    u64::try_from(stored).map(Position::new).map_err(foreign)
}

//! Members, their leases, and the checkpoints these move.

use std::time::Duration;

use cqrs_core::{Lease, Member, Position, ProjectionId, Share, StoreError};
use sqlx::postgres::PgRow;
use sqlx::{Error, Row};

use super::{foreign, milliseconds, number, only, parked, small, without_nul};
use crate::connections::Connections;
use crate::error::store_error;
use crate::rows::saturate;

/// Leases as statements take them: an array for each field.
pub(super) struct Leases {
    pub(super) slots: Vec<i64>,
    pub(super) tokens: Vec<i64>,
    pub(super) commits: Vec<i64>,
    pub(super) positions: Vec<i64>,
}

impl Leases {
    pub(super) fn of(leases: &[Lease]) -> Self {
        Self {
            slots: leases.iter().map(|lease| i64::from(lease.slot)).collect(),
            tokens: leases.iter().map(|lease| lease.token).collect(),
            commits: leases.iter().map(|lease| lease.commits).collect(),
            positions: leases.iter().map(|lease| saturate(lease.position.get())).collect(),
        }
    }
}

pub(super) async fn share(
    connections: &Connections,
    projection: &ProjectionId,
    member: &Member<'_>,
) -> Result<Option<Share>, StoreError> {
    let doing = format!("settling a share of projection {projection}");
    let leases = Leases::of(member.leases);
    let (label, error) = (without_nul(member.label), member.error.map(without_nul));
    let rows = connections.fetch(&doing, || {
        sqlx::query(include_str!("../../sql/share.sql"))
            .bind(projection.name)
            .bind(i64::from(projection.version))
            .bind(&projection.events)
            .bind(member.id)
            .bind(&label)
            .bind(milliseconds(member.time))
            .bind(&error)
            .bind(&leases.slots)
            .bind(&leases.tokens)
            .bind(&leases.commits)
            .bind(&leases.positions)
    });
    let rows = rows.await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let mut share = shared(row).map_err(|error| store_error(&doing, error))?;
    // After the leases are had: nobody else parks or unparks streams of these slots now.
    if row.try_get("has_parked").map_err(|error| store_error(&doing, error))? {
        share.parked = parked::all(connections, projection.name, projection.version).await?;
    }
    Ok(Some(share))
}

fn shared(row: &PgRow) -> Result<Share, Error> {
    let barrier: Option<i64> = row.try_get("at_barrier")?;
    let barrier = barrier.map(u64::try_from).transpose().map_err(foreign)?;
    Ok(Share {
        leases: leases(row)?,
        slots: small(row.try_get("slot_count")?)?,
        in_service: row.try_get("is_in_service")?,
        has_served: row.try_get("once_served")?,
        barrier: barrier.map(Position::new),
        replays_to: Position::new(number(row, "replays")?),
        parked: Vec::new(),
    })
}

/// There are no arrays where there are no leases.
fn leases(row: &PgRow) -> Result<Vec<Lease>, Error> {
    let numbers = |column| -> Result<Vec<i64>, Error> {
        row.try_get::<Option<_>, _>(column).map(Option::unwrap_or_default)
    };
    let (slots, tokens) = (numbers("slots")?, numbers("tokens")?);
    let (commits, positions) = (numbers("commit_counts")?, numbers("positions")?);
    let all = slots.into_iter().zip(tokens).zip(commits.into_iter().zip(positions));
    let lease = |((slot, token), (commits, position)): ((i64, i64), (i64, i64))| {
        let position = Position::new(u64::try_from(position).map_err(foreign)?);
        Ok(Lease { slot: small(slot)?, token, commits, position })
    };
    all.map(lease).collect()
}

pub(super) async fn leave(
    connections: &Connections,
    projection: &ProjectionId,
    member: &Member<'_>,
) -> Result<(), StoreError> {
    let doing = format!("giving back the leases of projection {projection}");
    let (leases, error) = (Leases::of(member.leases), member.error.map(without_nul));
    let left = connections.fetch(&doing, || {
        sqlx::query(include_str!("../../sql/leave.sql"))
            .bind(projection.name)
            .bind(i64::from(projection.version))
            .bind(member.id)
            .bind(&leases.slots)
            .bind(&leases.tokens)
            .bind(&leases.commits)
            .bind(&leases.positions)
            .bind(&error)
    });
    left.await.map(drop)
}

pub(super) async fn prolong(
    connections: &Connections,
    projection: &ProjectionId,
    leases: &[Lease],
    time: Duration,
) -> Result<bool, StoreError> {
    let doing = format!("prolonging the leases of projection {projection}");
    let count = leases.len();
    let leases = Leases::of(leases);
    let rows = connections.fetch(&doing, || {
        sqlx::query(include_str!("../../sql/prolong.sql"))
            .bind(projection.name)
            .bind(i64::from(projection.version))
            .bind(&leases.slots)
            .bind(&leases.tokens)
            .bind(&leases.commits)
            .bind(milliseconds(time))
    });
    let rows = rows.await?;
    let prolonged = only(&rows).and_then(|row| row.try_get::<i64, _>("prolonged"));
    Ok(prolonged.map_err(|error| store_error(&doing, error))? == saturate(count))
}

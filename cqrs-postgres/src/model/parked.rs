//! Parked streams (G8).

use std::time::Duration;

use cqrs_core::{Parked, ParkedRequest, Position, ProjectionId, StoreError, StreamId, Version};
use sqlx::postgres::PgRow;
use sqlx::{Error, PgTransaction, Row};

use super::array::Moment;
use super::{foreign, number, only, value, without_nul};
use crate::connections::{Connections, in_time};
use crate::error::store_error;
use crate::rows::saturate;

pub(super) async fn park(
    transaction: &mut PgTransaction<'static>,
    limit: Duration,
    projection: &ProjectionId,
    parked: &Parked,
) -> Result<(), StoreError> {
    let doing = format!("parking stream `{}` for projection {projection}", parked.stream);
    let parking = sqlx::query(include_str!("../../sql/park.sql"))
        .bind(projection.name)
        .bind(i64::from(projection.version))
        .bind(parked.stream.category())
        .bind(parked.stream.key())
        .bind(saturate(parked.version.get()))
        .bind(saturate(parked.position.get()))
        .bind(&parked.event_type)
        .bind(i64::from(parked.attempts))
        .bind(without_nul(&parked.error))
        .bind(Moment::of(parked.since))
        .bind(parked.request.map(word))
        .execute(&mut **transaction);
    in_time(limit, parking).await.map(drop).map_err(|error| store_error(&doing, error))
}

pub(super) async fn unpark(
    transaction: &mut PgTransaction<'static>,
    limit: Duration,
    projection: &ProjectionId,
    stream: &StreamId,
) -> Result<(), StoreError> {
    let doing = format!("unparking stream `{stream}` for projection {projection}");
    let unparking = sqlx::query(include_str!("../../sql/unpark.sql"))
        .bind(projection.name)
        .bind(i64::from(projection.version))
        .bind(stream.category())
        .bind(stream.key())
        .execute(&mut **transaction);
    in_time(limit, unparking).await.map(drop).map_err(|error| store_error(&doing, error))
}

/// The parked streams of a version.
pub(super) async fn all(
    connections: &Connections,
    name: &str,
    version: u32,
) -> Result<Vec<Parked>, StoreError> {
    let doing = format!("reading the parked streams of projection `{name}` v{version}");
    let rows = connections.fetch(&doing, || {
        sqlx::query(include_str!("../../sql/parked.sql")).bind(name).bind(i64::from(version))
    });
    let parked = rows.await?.iter().map(parked).collect::<Result<_, _>>();
    parked.map_err(|error| store_error(&doing, error))
}

/// Asks for something to be done about a stream; false if it is not parked.
pub(super) async fn request(
    connections: &Connections,
    (name, version): (&str, u32),
    stream: &StreamId,
    request: ParkedRequest,
) -> Result<bool, StoreError> {
    let doing = format!("asking projection `{name}` v{version} for parked stream `{stream}`");
    let rows = connections.fetch(&doing, || {
        sqlx::query(include_str!("../../sql/request.sql"))
            .bind(name)
            .bind(i64::from(version))
            .bind(stream.category())
            .bind(stream.key())
            .bind(word(request))
    });
    let rows = rows.await?;
    let is_parked = only(&rows).and_then(|row| row.try_get("is_parked"));
    is_parked.map_err(|error| store_error(&doing, error))
}

const fn word(request: ParkedRequest) -> &'static str {
    match request {
        ParkedRequest::Replay => "replay",
        ParkedRequest::Discard => "discard",
    }
}

fn parked(row: &PgRow) -> Result<Parked, Error> {
    let request = match row.try_get("request")? {
        None => None,
        Some("replay") => Some(ParkedRequest::Replay),
        Some("discard") => Some(ParkedRequest::Discard),
        Some(other) => return Err(foreign(format!("nobody can `{other}` a stream"))),
    };
    Ok(Parked {
        stream: StreamId::new(row.try_get("category")?, row.try_get("key")?).map_err(foreign)?,
        version: Version::new(number(row, "stream_version")?),
        position: Position::new(number(row, "position")?),
        event_type: row.try_get("event_type")?,
        attempts: u32::try_from(number(row, "attempts")?).map_err(foreign)?,
        error: row.try_get("error")?,
        since: value::time(row.try_get_raw("since")?.as_bytes().map_err(foreign)?)
            .map_err(foreign)?,
        request,
    })
}

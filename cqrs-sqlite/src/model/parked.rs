//! Parked streams, in the file where the version is.

use std::time::{Duration, SystemTime};

use cqrs_core::{Parked, ParkedRequest, Position, ProjectionId, StreamId, Version};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Error, Row, SqliteExecutor, query};

use super::foreign;
use crate::rows;

pub(super) async fn park(
    connection: &mut SqliteConnection,
    projection: &ProjectionId,
    parked: &Parked,
) -> Result<(), Error> {
    let since = parked.since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    query(include_str!("../../sql/park.sql"))
        .bind(projection.name)
        .bind(projection.version)
        .bind(parked.stream.category())
        .bind(parked.stream.key())
        .bind(rows::integer(parked.version.get()))
        .bind(rows::integer(parked.position.get()))
        .bind(&parked.event_type)
        .bind(parked.attempts)
        .bind(&parked.error)
        .bind(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
        .bind(parked.request.map(word))
        .execute(connection)
        .await
        .map(drop)
}

pub(super) async fn unpark(
    connection: &mut SqliteConnection,
    projection: &ProjectionId,
    stream: &StreamId,
) -> Result<(), Error> {
    query(include_str!("../../sql/unpark.sql"))
        .bind(projection.name)
        .bind(projection.version)
        .bind(stream.category())
        .bind(stream.key())
        .execute(connection)
        .await
        .map(drop)
}

pub(super) async fn unpark_all(
    connection: &mut SqliteConnection,
    name: &str,
    version: u32,
) -> Result<(), Error> {
    query(include_str!("../../sql/unpark_all.sql"))
        .bind(name)
        .bind(version)
        .execute(connection)
        .await
        .map(drop)
}

pub(super) async fn parked(
    executor: impl SqliteExecutor<'_>,
    name: &str,
    version: u32,
) -> Result<Vec<Parked>, Error> {
    let rows = query(include_str!("../../sql/parked.sql"))
        .bind(name)
        .bind(version)
        .fetch_all(executor)
        .await?;
    rows.iter().map(of_row).collect()
}

/// False if the stream is not parked.
pub(super) async fn request(
    connection: &mut SqliteConnection,
    name: &str,
    version: u32,
    stream: &StreamId,
    request: ParkedRequest,
) -> Result<bool, Error> {
    let noted = query(include_str!("../../sql/request.sql"))
        .bind(name)
        .bind(version)
        .bind(stream.category())
        .bind(stream.key())
        .bind(word(request))
        .execute(connection)
        .await?;
    Ok(noted.rows_affected() > 0)
}

fn of_row(row: &SqliteRow) -> Result<Parked, Error> {
    let number = |column| u64::try_from(row.try_get::<i64, _>(column)?).map_err(foreign);
    let since = SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(number("since")?));
    Ok(Parked {
        stream: StreamId::new(row.try_get("category")?, row.try_get("key")?).map_err(foreign)?,
        version: Version::new(number("event_version")?),
        position: Position::new(number("position")?),
        event_type: row.try_get("event_type")?,
        attempts: row.try_get("attempts")?,
        error: row.try_get("error")?,
        since: since.ok_or_else(|| foreign("its time is too far away"))?,
        request: match row.try_get("request")? {
            None => None,
            Some("replay") => Some(ParkedRequest::Replay),
            Some("discard") => Some(ParkedRequest::Discard),
            Some(other) => return Err(foreign(format!("nobody can ask for `{other}`"))),
        },
    })
}

/// What is asked for, as it is stored.
fn word(request: ParkedRequest) -> &'static str {
    match request {
        ParkedRequest::Replay => "replay",
        ParkedRequest::Discard => "discard",
    }
}

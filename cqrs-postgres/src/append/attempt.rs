//! The statement of an append, and what to make of its outcome.

use std::collections::HashMap;

use cqrs_core::{Append, AppendError, Appended, EventId, NewEvent, Position, StoreError, Version};
use sqlx::{Error, PgConnection, Row};
use uuid::Uuid;

use super::columns::{Columns, expected};
use super::conflict;
use crate::error::{Constraint, Failure, classify};
use crate::rows::{number, saturate};

/// What became of one attempt.
pub(super) enum Outcome {
    Stored(Appended),
    /// The same events are there already.
    StoredBefore(Appended),
    Refused(AppendError),
    /// Others appended at the same moment, which the append does not mind: it may begin anew.
    Raced,
}

pub(super) async fn attempt(
    connection: &mut PgConnection,
    append: &Append,
    columns: &Columns<'_>,
) -> Result<Outcome, Error> {
    match insert(connection, append, columns).await {
        Ok(inserted) => judge(connection, append, inserted).await,
        Err(error) => match classify(&error) {
            Failure::Taken(constraint) => explain(connection, append, constraint).await,
            _ => Err(error),
        },
    }
}

/// What the statement answers.
pub(super) struct Inserted {
    /// The version the stream had before.
    before: Version,
    /// The position of the last event, if they were inserted.
    position: Option<Position>,
    /// If not: whether the first event is in this stream already.
    seen: bool,
}

pub(super) async fn insert(
    connection: &mut PgConnection,
    append: &Append,
    columns: &Columns<'_>,
) -> Result<Inserted, Error> {
    if let Some(before) = append.expected().exact()
        && append.events().len() == 1
        && let Some(position) = insert_one(connection, append, before, columns).await?
    {
        return Ok(Inserted { before, position: Some(position), seen: false });
    }
    let row = sqlx::query(include_str!("../../sql/append.sql"))
        .bind(append.stream().category())
        .bind(append.stream().key())
        .bind(expected(append))
        .bind(&columns.event_types[..])
        .bind(&columns.schema_versions[..])
        .bind(&columns.payloads[..])
        .bind(&columns.event_ids[..])
        .bind(&columns.correlation_ids[..])
        .bind(&columns.causation_ids[..])
        .bind(&columns.details[..])
        .fetch_one(connection)
        .await?;
    let position: Option<i64> = row.try_get(1)?;
    Ok(Inserted {
        before: Version::new(number(&row, 0)?),
        position: match position {
            Some(_) => Some(Position::new(number(&row, 1)?)),
            None => None,
        },
        seen: row.try_get(2)?,
    })
}

/// Inserts the only event of an append; nothing where the stream stands elsewhere.
async fn insert_one(
    connection: &mut PgConnection,
    append: &Append,
    before: Version,
    columns: &Columns<'_>,
) -> Result<Option<Position>, Error> {
    let row = sqlx::query(include_str!("../../sql/append_one.sql"))
        .bind(append.stream().category())
        .bind(append.stream().key())
        .bind(saturate(before.get()).saturating_add(1))
        .bind(columns.event_types.first())
        .bind(columns.schema_versions.first())
        .bind(columns.payloads.first())
        .bind(columns.event_ids.first())
        .bind(columns.correlation_ids.first())
        .bind(columns.causation_ids.first())
        .bind(columns.details.first())
        .fetch_optional(connection)
        .await?;
    row.map(|row| number(&row, 0).map(Position::new)).transpose()
}

/// The outcome of a statement that ran.
pub(super) async fn judge(
    connection: &mut PgConnection,
    append: &Append,
    inserted: Inserted,
) -> Result<Outcome, Error> {
    if let Some(position) = inserted.position {
        return Ok(Outcome::Stored(Appended {
            version: inserted.before.plus(append.events().len() as u64),
            position,
            replayed: false,
        }));
    }
    if inserted.seen
        && let Some(appended) = Places::of(connection, append).await?.same_append(append)
    {
        return Ok(Outcome::StoredBefore(appended));
    }
    Ok(Outcome::Refused(conflict(append, inserted.before)))
}

/// The outcome of a statement that a unique constraint refused: by then another transaction has committed events with
/// the same ids, or at the same versions of the stream.
pub(super) async fn explain(
    connection: &mut PgConnection,
    append: &Append,
    refused_by: Constraint,
) -> Result<Outcome, Error> {
    let places = Places::of(connection, append).await?;
    if let Some(appended) = places.same_append(append) {
        return Ok(Outcome::StoredBefore(appended));
    }
    let row = sqlx::query(include_str!("../../sql/stream_version.sql"))
        .bind(append.stream().category())
        .bind(append.stream().key())
        .fetch_one(connection)
        .await?;
    let mut actual = Version::new(number(&row, 0)?);
    if let (Constraint::StreamVersion, Some(exact)) = (refused_by, append.expected().exact()) {
        // A transaction at a higher isolation level can't see the event that stands in the way; but there is one.
        actual = actual.max(exact.plus(1));
    }
    if !append.expected().is_met_by(actual) {
        return Ok(Outcome::Refused(conflict(append, actual)));
    }
    let stored = append.events().iter().map(NewEvent::id).find(|id| places.has(*id));
    Ok(match stored {
        Some(id) => Outcome::Refused(StoreError::duplicate_event(append.stream(), id).into()),
        None => Outcome::Raced,
    })
}

/// Where the events of an append are stored, as far as they are.
struct Places(HashMap<Uuid, Place>);

struct Place {
    /// Whether it is in the stream of the append.
    here: bool,
    version: Version,
    position: Position,
}

impl Places {
    async fn of(connection: &mut PgConnection, append: &Append) -> Result<Self, Error> {
        let ids: Vec<Uuid> = append.events().iter().map(|event| event.id().as_uuid()).collect();
        let rows = sqlx::query(include_str!("../../sql/find_places.sql"))
            .bind(ids)
            .bind(append.stream().category())
            .bind(append.stream().key())
            .fetch_all(connection)
            .await?;
        let place = |row| -> Result<(Uuid, Place), Error> {
            let place = Place {
                here: Row::try_get(row, 1)?,
                version: Version::new(number(row, 2)?),
                position: Position::new(number(row, 3)?),
            };
            Ok((row.try_get(0)?, place))
        };
        rows.iter().map(place).collect::<Result<_, _>>().map(Self)
    }

    fn has(&self, id: EventId) -> bool {
        self.0.contains_key(&id.as_uuid())
    }

    /// The outcome of the append that stored these very events, one after the other, in this stream.
    fn same_append(&self, append: &Append) -> Option<Appended> {
        let mut last: Option<&Place> = None;
        for event in append.events() {
            let place = self.0.get(&event.id().as_uuid()).filter(|place| place.here)?;
            if last.is_some_and(|last| place.version != last.version.plus(1)) {
                return None;
            }
            last = Some(place);
        }
        last.map(|last| Appended { version: last.version, position: last.position, replayed: true })
    }
}

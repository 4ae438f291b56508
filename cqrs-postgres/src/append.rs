//! Appending: one statement, and what to make of its outcome.

use std::collections::HashMap;
use std::time::Duration;

use cqrs_core::{
    Append, AppendError, Appended, Conflict, Details, EventId, ExpectedVersion, NewEvent, Position,
    StoreError, StoreErrorKind, Version,
};
use sqlx::{Connection, Error, PgConnection, PgTransaction, Row};
use uuid::Uuid;

use crate::connections::{Connections, Retry, in_time};
use crate::error::{Constraint, Failure, classify, store_error};
use crate::rows::{number, saturate};
use crate::warm::Held;

/// How often an append that expects no exact version begins anew because others append to its stream at the same time.
const MAX_RACES: u32 = 100;

/// How often an append is repeated that the server undid in favour of another transaction.
const MAX_UNDONE: u32 = 5;

/// Appends on a connection of the store.
///
/// Every attempt is the same statement with the same event ids, so it does not matter how many of them reach the
/// server: one of them stores the events, and the others find them stored (G4). An attempt that is still under way on
/// a connection given up makes the next one wait at the unique constraints.
///
/// `lost` is set where an attempt was sent whose outcome is not known.
pub(crate) async fn append(
    connections: &Connections,
    append: &Append,
    mut lost: Option<Lost>,
) -> Result<Appended, AppendError> {
    let columns = Columns::of(append)?;
    let (mut races, mut undone) = (0, 0);
    loop {
        let may_be_old = connections.may_be_old();
        let mut connection = match lost.take() {
            None => connections.get().await?,
            Some(since) => {
                let (connection, since) = reconnect(connections, append, since).await?;
                lost = Some(since);
                connection
            }
        };
        let attempt = attempt(&mut connection, append, &columns);
        let error = match in_time(connections.call_timeout(), attempt).await {
            Ok(outcome) => {
                connections.put_back(connection);
                match outcome {
                    Outcome::Stored(appended) => return Ok(appended),
                    Outcome::StoredBefore(appended) => {
                        // After a loss, what is there now was most likely stored by the attempt whose answer was lost: to
                        // the caller, this append stored it.
                        let replayed = lost.is_none();
                        return Ok(Appended { replayed, ..appended });
                    }
                    Outcome::Refused(AppendError::Conflict(conflict))
                        if lost.is_some() && conflict.actual < least(append) =>
                    {
                        return Err(may_come_true(append, &conflict).into());
                    }
                    Outcome::Refused(error) => return Err(error),
                    Outcome::Raced if races < MAX_RACES => {
                        races += 1;
                        continue;
                    }
                    Outcome::Raced => {
                        return Err(give_up(append, lost.as_ref(), too_many_races(append)));
                    }
                }
            }
            Err(error) => error,
        };
        match classify(&error) {
            Failure::Lost => {
                connection.close();
                lost = Some(match lost {
                    Some(since) => Lost { error, ..since },
                    None => Lost::begin(connections, error),
                });
            }
            Failure::Demoted if may_be_old => connection.close(),
            Failure::Undone if undone < MAX_UNDONE => {
                undone += 1;
                tokio::time::sleep(Duration::from_millis(1 << undone)).await;
            }
            failure => {
                if failure == Failure::Demoted {
                    connection.close();
                }
                let error = store_error(&doing(append), error);
                return Err(give_up(append, lost.as_ref(), error));
            }
        }
    }
}

/// The error for an attempt that failed. That it stored nothing says nothing of an earlier one whose answer was lost.
fn give_up(append: &Append, lost: Option<&Lost>, error: StoreError) -> AppendError {
    if lost.is_none() {
        return error.into();
    }
    let context = format!("{}: the connection was lost, and then", doing(append));
    StoreError::new(StoreErrorKind::OutcomeUnknown, context).caused_by(error).into()
}

/// Another connection after one was lost, within bounded time.
async fn reconnect(
    connections: &Connections,
    append: &Append,
    mut lost: Lost,
) -> Result<(Held, Lost), StoreError> {
    while lost.retry.again().await {
        let connection = tokio::time::timeout_at(lost.retry.until(), connections.get());
        if let Ok(Ok(connection)) = connection.await {
            return Ok((connection, lost));
        }
    }
    Err(lost.outcome_unknown(append))
}

/// Appends in a transaction that goes on afterwards. A savepoint keeps it usable when a unique constraint refuses
/// events.
pub(crate) async fn in_transaction(
    transaction: &mut PgTransaction<'_>,
    append: &Append,
) -> Result<Appended, AppendError> {
    let failed = |error| AppendError::from(store_error(&doing(append), error));
    let columns = Columns::of(append)?;
    for _ in 0..MAX_RACES {
        let mut savepoint = transaction.begin().await.map_err(failed)?;
        let outcome = match insert(&mut savepoint, append, &columns).await {
            Ok(inserted) => {
                savepoint.commit().await.map_err(failed)?;
                judge(transaction, append, inserted).await
            }
            Err(error) => {
                let Failure::Taken(constraint) = classify(&error) else {
                    return Err(failed(error));
                };
                savepoint.rollback().await.map_err(failed)?;
                explain(transaction, append, constraint).await
            }
        };
        match outcome.map_err(failed)? {
            Outcome::Stored(appended) | Outcome::StoredBefore(appended) => return Ok(appended),
            Outcome::Refused(error) => return Err(error),
            Outcome::Raced => {}
        }
    }
    Err(too_many_races(append).into())
}

/// What became of one attempt.
enum Outcome {
    Stored(Appended),
    /// The same events are there already.
    StoredBefore(Appended),
    Refused(AppendError),
    /// Others appended at the same moment, which the append does not mind: it may begin anew.
    Raced,
}

async fn attempt(
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
struct Inserted {
    /// The version the stream had before.
    before: Version,
    /// The position of the last event, if they were inserted.
    position: Option<Position>,
    /// If not: whether the first event is in this stream already.
    seen: bool,
}

async fn insert(
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
    let row = sqlx::query(include_str!("../sql/append.sql"))
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
    let row = sqlx::query(include_str!("../sql/append_one.sql"))
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
async fn judge(
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
async fn explain(
    connection: &mut PgConnection,
    append: &Append,
    refused_by: Constraint,
) -> Result<Outcome, Error> {
    let places = Places::of(connection, append).await?;
    if let Some(appended) = places.same_append(append) {
        return Ok(Outcome::StoredBefore(appended));
    }
    let row = sqlx::query(include_str!("../sql/stream_version.sql"))
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
        let rows = sqlx::query(include_str!("../sql/find_places.sql"))
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

/// The events as the statement takes them: an array for each column.
#[derive(Default)]
pub(crate) struct Columns<'a> {
    pub(crate) event_types: Vec<&'a str>,
    pub(crate) schema_versions: Vec<i64>,
    pub(crate) payloads: Vec<&'a str>,
    pub(crate) event_ids: Vec<Uuid>,
    pub(crate) correlation_ids: Vec<Uuid>,
    pub(crate) causation_ids: Vec<Uuid>,
    pub(crate) details: Vec<Option<String>>,
}

impl<'a> Columns<'a> {
    fn of(append: &'a Append) -> Result<Self, StoreError> {
        let mut columns = Self::with_capacity(append.events().len());
        columns.add(append)?;
        Ok(columns)
    }

    pub(crate) fn with_capacity(events: usize) -> Self {
        Self {
            event_types: Vec::with_capacity(events),
            schema_versions: Vec::with_capacity(events),
            payloads: Vec::with_capacity(events),
            event_ids: Vec::with_capacity(events),
            correlation_ids: Vec::with_capacity(events),
            causation_ids: Vec::with_capacity(events),
            details: Vec::with_capacity(events),
        }
    }

    /// Adds the events of an append.
    pub(crate) fn add(&mut self, append: &'a Append) -> Result<(), StoreError> {
        let mut before: Option<&Details> = None;
        for event in append.events() {
            let metadata = event.metadata();
            self.event_types.push(event.event_type());
            self.schema_versions.push(event.schema_version().into());
            self.payloads.push(event.payload().as_str());
            self.event_ids.push(event.id().as_uuid());
            self.correlation_ids.push(metadata.correlation_id);
            self.causation_ids.push(metadata.causation_id);
            // The events of one command mostly share them, so they are serialized once.
            let text = match self.details.last() {
                Some(text) if before == Some(&metadata.details) => text.clone(),
                _ if metadata.details.is_empty() => None,
                _ => Some(serde_json::to_string(&metadata.details).map_err(|error| {
                    StoreError::new(StoreErrorKind::InvalidInput, doing(append)).caused_by(error)
                })?),
            };
            self.details.push(text);
            before = Some(&metadata.details);
        }
        Ok(())
    }
}

/// The version expected, as statements take it.
pub(crate) fn expected(append: &Append) -> i64 {
    match append.expected() {
        ExpectedVersion::Any => -1,
        ExpectedVersion::Exists => -2,
        ExpectedVersion::NoStream => 0,
        ExpectedVersion::Exact(version) => saturate(version.get()),
    }
}

/// The lowest version of a stream at which the append may be stored.
fn least(append: &Append) -> Version {
    match append.expected() {
        ExpectedVersion::Any | ExpectedVersion::NoStream => Version::NONE,
        ExpectedVersion::Exists => Version::FIRST,
        ExpectedVersion::Exact(version) => version,
    }
}

/// A connection was lost with an attempt under way.
pub(crate) struct Lost {
    retry: Retry,
    error: Error,
}

impl Lost {
    pub(crate) fn begin(connections: &Connections, error: Error) -> Self {
        Self { retry: Retry::new(connections.patience()), error }
    }

    fn outcome_unknown(self, append: &Append) -> StoreError {
        let context = format!("{}: the connection was lost", doing(append));
        StoreError::new(StoreErrorKind::OutcomeUnknown, context).caused_by(self.error)
    }
}

fn doing(append: &Append) -> String {
    format!("appending to stream `{}`", append.stream())
}

fn conflict(append: &Append, actual: Version) -> AppendError {
    let conflict =
        Conflict { stream: append.stream().clone(), expected: append.expected(), actual };
    conflict.into()
}

/// The attempt whose answer was lost may still be carried out, once others have brought the stream to where it is expected.
fn may_come_true(append: &Append, conflict: &Conflict) -> StoreError {
    let context = format!("{}: the connection was lost, and now {conflict}", doing(append));
    StoreError::new(StoreErrorKind::OutcomeUnknown, context)
}

fn too_many_races(append: &Append) -> StoreError {
    let context =
        format!("{}: other writers were faster {MAX_RACES} times in a row", doing(append));
    StoreError::new(StoreErrorKind::Busy, context)
}

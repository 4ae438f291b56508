//! Appending: attempts until it is known what became of the events.

mod attempt;
mod columns;

use std::time::Duration;

use cqrs_core::{
    Append, AppendError, Appended, Conflict, ExpectedVersion, StoreError, StoreErrorKind, Version,
};
use sqlx::{Connection, Error, PgTransaction};

use self::attempt::{Outcome, attempt, explain, insert, judge};
pub(crate) use self::columns::{Columns, expected};
use crate::connections::{Connections, Retry, in_time};
use crate::error::{Failure, classify, store_error};
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

//! Several appends in one statement and one commit.

use async_trait::async_trait;
use cqrs_core::{
    Append, AppendError, Appended, GatherLimits, Group, Pending, Position, StoreError, StreamId,
    Version,
};
use futures_util::future::join_all;
use sqlx::{Error, PgConnection, Row};
use uuid::Uuid;

use crate::append::{self, Columns, Lost};
use crate::connections::{Connections, in_time};
use crate::error::{Failure, classify};

/// How much is stored at once. Two commits at a time: the server works on one while the answer to the other is on its
/// way.
pub(crate) const LIMITS: GatherLimits =
    GatherLimits { in_flight: 2, events: 1_000, bytes: 4 << 20, waiting: 10_000 };

/// What stores the appends of a store.
pub(crate) struct Appends(pub(crate) Connections);

#[async_trait]
impl Group for Appends {
    type Job = Append;
    type Answer = Result<Appended, AppendError>;

    fn size(append: &Append) -> (usize, usize) {
        append.size()
    }

    fn stream(append: &Append) -> Option<&StreamId> {
        Some(append.stream())
    }

    fn ended(append: &Append) -> Self::Answer {
        Err(StoreError::outcome_unknown(append.stream()).into())
    }

    async fn one(&self, append: &Append) -> Result<Appended, AppendError> {
        append::append(&self.0, append, None).await
    }

    async fn many(&self, mut appends: Vec<Pending<Self>>) {
        let Self(connections) = self;
        if appends.len() > 1 {
            // Where others append to the same streams, in the same order as they.
            appends.sort_by(|one, other| one.job().stream().cmp(other.job().stream()));
            match together(connections, &appends).await {
                Ok(stored) => {
                    let (mut refused, mut stored) = (Vec::new(), stored.into_iter());
                    for pending in appends {
                        match stored.next().flatten() {
                            Some(appended) => pending.finish(Ok(appended)),
                            None => refused.push(pending),
                        }
                    }
                    return alone(connections, refused, || None).await;
                }
                // The statement may have been carried out all the same; each append finds out for itself (G4).
                Err(error) if classify(&error) == Failure::Lost => {
                    let text = error.to_string();
                    return alone(connections, appends, || {
                        Some(Lost::begin(connections, std::io::Error::other(text.clone()).into()))
                    })
                    .await;
                }
                // One of them is in the way: another program was quicker, or it can't be stored at all.
                Err(_) => {}
            }
        }
        alone(connections, appends, || None).await;
    }
}

/// Stores each by itself, without waiting for the others.
async fn alone(
    connections: &Connections,
    appends: Vec<Pending<Appends>>,
    lost: impl Fn() -> Option<Lost>,
) {
    let each = appends.into_iter().map(|pending| {
        let lost = lost();
        async move {
            let outcome = append::append(connections, pending.job(), lost).await;
            pending.finish(outcome);
        }
    });
    join_all(each).await;
}

/// Stores those whose streams stand where they are expected to. What became of each, in order; `None` where it was not
/// stored.
async fn together(
    connections: &Connections,
    appends: &[Pending<Appends>],
) -> Result<Vec<Option<Appended>>, Error> {
    let Ok(mut connection) = connections.get().await else {
        // Each says so of itself.
        return Ok(appends.iter().map(|_| None).collect());
    };
    let answer = in_time(connections.call_timeout(), insert(&mut connection, appends)).await;
    match &answer {
        Ok(_) => connections.put_back(connection),
        Err(error) if matches!(classify(error), Failure::Lost | Failure::Demoted) => {
            connection.close();
        }
        Err(_) => drop(connection),
    }
    let Inserted { ids, versions, positions } = answer?;
    let mut next = 0;
    let outcome = |pending: &Pending<Appends>| {
        let events = pending.job().events();
        let first = events.first()?.id().as_uuid();
        let last = next + events.len() - 1;
        if ids.get(next) != Some(&first) {
            return None;
        }
        next = last + 1;
        Some(Appended {
            version: Version::new(versions.get(last)?.cast_unsigned()),
            position: Position::new(positions.get(last)?.cast_unsigned()),
            replayed: false,
        })
    };
    Ok(appends.iter().map(outcome).collect())
}

/// The events that were inserted, in order.
struct Inserted {
    ids: Vec<Uuid>,
    versions: Vec<i64>,
    positions: Vec<i64>,
}

async fn insert(
    connection: &mut PgConnection,
    appends: &[Pending<Appends>],
) -> Result<Inserted, Error> {
    let count = appends.iter().map(|pending| pending.job().events().len()).sum();
    let (mut categories, mut keys) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let (mut expected, mut numbers) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let mut columns = Columns::with_capacity(count);
    for pending in appends {
        let append = pending.job();
        columns.add(append).map_err(|error| Error::Encode(error.into()))?;
        for number in 1..=append.events().len() {
            categories.push(append.stream().category());
            keys.push(append.stream().key());
            expected.push(append::expected(append));
            numbers.push(i64::try_from(number).unwrap_or(i64::MAX));
        }
    }
    let row = sqlx::query(include_str!("../sql/append_many.sql"))
        .bind(categories)
        .bind(keys)
        .bind(expected)
        .bind(numbers)
        .bind(&columns.event_types[..])
        .bind(&columns.schema_versions[..])
        .bind(&columns.payloads[..])
        .bind(&columns.event_ids[..])
        .bind(&columns.correlation_ids[..])
        .bind(&columns.causation_ids[..])
        .bind(&columns.details[..])
        .fetch_one(connection)
        .await?;
    // Null where nothing was inserted.
    Ok(Inserted {
        ids: row.try_get::<Option<_>, _>(0)?.unwrap_or_default(),
        versions: row.try_get::<Option<_>, _>(1)?.unwrap_or_default(),
        positions: row.try_get::<Option<_>, _>(2)?.unwrap_or_default(),
    })
}

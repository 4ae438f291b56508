//! Versions of projections: which there are, and how one is made with its tables.

use std::time::Duration;

use cqrs_core::{Opened, Position, ProjectionId, Setup, StoreError, StoreErrorKind};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Error, PgTransaction, Row};

use super::transaction::begin_with;
use super::{only, quoted, small};
use crate::connections::{Connections, in_time};
use crate::error::{self, store_error};
use crate::rows::saturate;

/// `cqrs.making` tells whether the transaction is still this one.
const BEGIN: &str = "BEGIN; SET LOCAL cqrs.making = 'yes'";

pub(super) async fn open(
    connections: &Connections,
    projection: &ProjectionId,
    setup: &Setup<'_>,
) -> Result<Opened, StoreError> {
    let doing = format!("opening projection {projection}");
    let rows = connections.fetch(&doing, || {
        sqlx::query(include_str!("../../sql/versions.sql")).bind(projection.name)
    });
    let versions = Version::all(&rows.await?).map_err(|error| store_error(&doing, error))?;
    if let Some(opened) = find(&versions, projection, setup) {
        return Ok(opened);
    }
    let transaction = begin_with(connections, || BEGIN).await?;
    let limit = connections.call_timeout();
    let mut making = Making { projection, setup, doing, limit, transaction };
    // Only now, when nobody else makes one, is it certain which there are.
    making.execute("LOCK TABLE cqrs.projections IN SHARE ROW EXCLUSIVE MODE").await?;
    let versions = making.versions().await?;
    if let Some(opened) = find(&versions, projection, setup) {
        return Ok(opened);
    }
    making.make(versions.iter().find(|version| version.in_service)).await
}

pub(super) async fn adopt(
    connections: &Connections,
    projection: &ProjectionId,
    events_before: &str,
    through: Position,
) -> Result<bool, StoreError> {
    let doing = format!("adopting projection {projection} for other events");
    let rows = connections.fetch(&doing, || {
        sqlx::query(include_str!("../../sql/adopt.sql"))
            .bind(projection.name)
            .bind(i64::from(projection.version))
            .bind(&projection.events)
            .bind(events_before)
            .bind(saturate(through.get()))
    });
    let rows = rows.await?;
    let is_adopted = only(&rows).and_then(|row| row.try_get("is_adopted"));
    is_adopted.map_err(|error| store_error(&doing, error))
}

/// A version that is there.
struct Version {
    number: u32,
    events: String,
    in_service: bool,
    schema: String,
}

impl Version {
    fn all(rows: &[PgRow]) -> Result<Vec<Self>, Error> {
        rows.iter().map(Self::of).collect()
    }

    fn of(row: &PgRow) -> Result<Self, Error> {
        Ok(Self {
            number: small(row.try_get("version")?)?,
            events: row.try_get("events")?,
            in_service: row.try_get("in_service")?,
            schema: row.try_get("schema")?,
        })
    }
}

/// What there is of a projection; nothing if its version is to be made.
fn find(versions: &[Version], projection: &ProjectionId, setup: &Setup<'_>) -> Option<Opened> {
    let changed = |version: &Version| {
        Some(Opened::Changed { version: version.number, events: version.events.clone() })
    };
    let served = versions.iter().find(|version| version.in_service);
    // Without tables of its own it would change those in service.
    let may_be_beside = setup.beside && !setup.tables.trim().is_empty();
    if let Some(served) = served
        && (served.number != projection.version || served.events != projection.events)
        && (served.number >= projection.version || !may_be_beside)
    {
        return changed(served);
    }
    let this = versions.iter().find(|version| version.number == projection.version)?;
    if this.events != projection.events {
        return changed(this);
    }
    Some(if this.in_service { Opened::InService } else { Opened::Beside })
}

/// The transaction that makes a version.
struct Making<'a> {
    projection: &'a ProjectionId,
    setup: &'a Setup<'a>,
    doing: String,
    limit: Duration,
    transaction: PgTransaction<'static>,
}

impl Making<'_> {
    async fn make(mut self, served: Option<&Version>) -> Result<Opened, StoreError> {
        let schema = match served {
            Some(served) => served.schema.clone(),
            None => self.schema().await?,
        };
        let beside = self.schema_beside().await?;
        let tables = if self.setup.tables.trim().is_empty() {
            Vec::new()
        } else {
            self.make_tables(&beside).await?
        };
        if served.is_none() && !tables.is_empty() {
            for table in &tables {
                self.move_table(&beside, table, &schema).await?;
            }
            self.execute(format!("DROP SCHEMA {}", quoted(&beside))).await?;
        }
        let making = sqlx::query(include_str!("../../sql/make_version.sql"))
            .bind(self.projection.name)
            .bind(i64::from(self.projection.version))
            .bind(&self.projection.events)
            .bind(served.is_none())
            .bind(&tables)
            .bind(&schema)
            .bind(&beside)
            .bind(i64::from(self.setup.slots.max(1)))
            .bind(saturate(self.setup.replays_to.get()))
            .execute(&mut *self.transaction);
        in_time(self.limit, making).await.map_err(|error| store_error(&self.doing, error))?;
        let committed = in_time(self.limit, self.transaction.commit()).await;
        committed.map_err(|error| store_error(&self.doing, error))?;
        Ok(if served.is_none() { Opened::InService } else { Opened::Beside })
    }

    /// Makes the tables in a schema of their own, which tells them from all others.
    async fn make_tables(&mut self, schema: &str) -> Result<Vec<String>, StoreError> {
        let creating = self.run(format!("CREATE SCHEMA {}", quoted(schema))).await;
        creating.map_err(|error| match code(&error).as_deref() {
            Some("42P06") => self.invalid(
                &format!("schema `{schema}`, which is for its tables, exists already; drop it if nobody needs it"),
                error,
            ),
            _ => store_error(&self.doing, error),
        })?;
        // First; what the application finds it finds, too.
        let literal = quoted(schema).replace('\'', "''");
        self.execute(format!(
            "SELECT set_config('search_path', \
             concat_ws(', ', '{literal}', nullif(current_setting('search_path'), '')), true)"
        ))
        .await?;
        let made = self.run(self.setup.tables.to_owned()).await;
        made.map_err(|error| {
            if error::is_outage(&error) || code(&error).as_deref() == Some("42501") {
                store_error(&self.doing, error)
            } else {
                self.invalid("the SQL that makes its tables fails", error)
            }
        })?;
        let ended = "the SQL that makes its tables ends the transaction it runs in: leave out COMMIT and ROLLBACK";
        if !self.is_making().await? {
            return Err(self.refused(ended));
        }
        self.tables_in(schema).await
    }

    async fn tables_in(&mut self, schema: &str) -> Result<Vec<String>, StoreError> {
        let looking = sqlx::query(include_str!("../../sql/made.sql")).bind(schema);
        let rows = in_time(self.limit, looking.fetch_all(&mut *self.transaction)).await;
        let rows = rows.map_err(|error| store_error(&self.doing, error))?;
        let mut tables = Vec::with_capacity(rows.len());
        for row in rows {
            let failed = |error| store_error(&self.doing, error);
            let Some(table) = row.try_get("table_name").map_err(failed)? else {
                let description: String = row.try_get("description").map_err(failed)?;
                return Err(self.refused(&format!(
                    "the SQL that makes its tables makes {description}; it may make plain tables, their indexes and \
                     sequences of their columns, for only those can be moved; make all else beforehand, with a schema \
                     before its name"
                )));
            };
            tables.push(table);
        }
        if tables.is_empty() {
            return Err(self.refused(
                "the SQL that makes its tables makes none where it should; leave out the schema before their names",
            ));
        }
        Ok(tables)
    }

    async fn move_table(&mut self, from: &str, table: &str, to: &str) -> Result<(), StoreError> {
        let (quoted_from, quoted_table) = (quoted(from), quoted(table));
        let moving = format!("ALTER TABLE {quoted_from}.{quoted_table} SET SCHEMA {}", quoted(to));
        self.run(moving).await.map_err(|error| match code(&error).as_deref() {
            Some("42P07" | "42710") => self.invalid(
                &format!(
                    "table `{table}`, or an index or a sequence of it, can't be put into schema `{to}`, where \
                     something of the same name is: drop that if nobody needs it, or choose another name"
                ),
                error,
            ),
            _ => store_error(&self.doing, error),
        })
    }

    async fn versions(&mut self) -> Result<Vec<Version>, StoreError> {
        let looking = sqlx::query(include_str!("../../sql/versions.sql"))
            .bind(self.projection.name)
            .fetch_all(&mut *self.transaction);
        let rows = in_time(self.limit, looking).await;
        rows.and_then(|rows| Version::all(&rows)).map_err(|error| store_error(&self.doing, error))
    }

    /// The schema of the application.
    async fn schema(&mut self) -> Result<String, StoreError> {
        let schema = self.ask("SELECT current_schema()::text AS answer").await?;
        schema.ok_or_else(|| {
            self.refused(
                "no schema of `search_path` exists, so that there is no place for its tables",
            )
        })
    }

    async fn schema_beside(&mut self) -> Result<String, StoreError> {
        let asking = sqlx::query(include_str!("../../sql/schema_beside.sql"))
            .bind(self.projection.name)
            .bind(i64::from(self.projection.version))
            .fetch_one(&mut *self.transaction);
        let schema = in_time(self.limit, asking).await.and_then(|row| row.try_get("schema_beside"));
        schema.map_err(|error| store_error(&self.doing, error))
    }

    async fn is_making(&mut self) -> Result<bool, StoreError> {
        let making = self.ask("SELECT current_setting('cqrs.making', true) AS answer").await?;
        Ok(making.as_deref() == Some("yes"))
    }

    async fn ask(&mut self, statement: &'static str) -> Result<Option<String>, StoreError> {
        let asking = sqlx::query(statement).fetch_all(&mut *self.transaction);
        let rows = in_time(self.limit, asking).await;
        let answer = rows.and_then(|rows| only(&rows)?.try_get("answer"));
        answer.map_err(|error| store_error(&self.doing, error))
    }

    async fn execute(&mut self, statement: impl Into<String>) -> Result<(), StoreError> {
        let done = self.run(statement.into()).await;
        done.map_err(|error| store_error(&self.doing, error))
    }

    /// Runs statements made of quoted names, or those of the projection.
    async fn run(&mut self, statements: String) -> Result<(), Error> {
        let running = sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut *self.transaction);
        in_time(self.limit, running).await.map(drop)
    }

    fn refused(&self, why: &str) -> StoreError {
        StoreError::new(StoreErrorKind::InvalidInput, format!("{}: {why}", self.doing))
    }

    fn invalid(&self, why: &str, error: Error) -> StoreError {
        self.refused(why).caused_by(error)
    }
}

fn code(error: &Error) -> Option<String> {
    error.as_database_error()?.code().map(Into::into)
}

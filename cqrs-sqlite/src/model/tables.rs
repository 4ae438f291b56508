//! The tables that are made for a version: which they are, emptying them, and copying them to another file.

use cqrs_core::{ProjectionId, StoreError, StoreErrorKind};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Error, Row, query, query_scalar, raw_sql};

use super::failure::Failure;
use super::{foreign, lease};
use crate::error;

/// What the SQL of a projection makes.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// The names of its tables.
    pub(super) tables: Vec<String>,
    /// The names of all: tables, indexes and triggers.
    names: Vec<String>,
}

/// Finds out what SQL makes, by carrying it out in an empty database in memory.
pub(super) async fn try_out(
    projection: &ProjectionId,
    sql: &str,
    options: &SqliteConnectOptions,
) -> Result<Made, Failure> {
    let mut made = Made::default();
    if sql.trim().is_empty() {
        return Ok(made);
    }
    let mut empty = options.clone().filename(":memory:").connect().await?;
    raw_sql("BEGIN").execute(&mut empty).await?;
    make(&mut empty, projection, sql).await?;
    if !lease::is_open(&mut empty).await? {
        return Err(not_tables(projection, "its SQL ends the transaction it is part of").into());
    }
    for row in query(include_str!("../../sql/made.sql")).fetch_all(&mut empty).await? {
        let (kind, name): (&str, String) = (row.try_get("type")?, row.try_get("name")?);
        if kind != "table" {
            let why = format!(
                "`{name}` is no ordinary table but a {kind}: only tables can be made with a projection, with their \
                 indexes and triggers; let the application make what else there is"
            );
            return Err(not_tables(projection, &why).into());
        }
        made.tables.push(name);
    }
    if made.tables.is_empty() {
        return Err(not_tables(projection, "its SQL makes no table").into());
    }
    made.names = query_scalar(include_str!("../../sql/names.sql")).fetch_all(&mut empty).await?;
    empty.close().await?;
    Ok(made)
}

impl Made {
    /// That no name is in use, but for those of tables that will not be there any more.
    pub(super) async fn assert_free(
        &self,
        connection: &mut SqliteConnection,
        projection: &ProjectionId,
        but: &[String],
    ) -> Result<(), Failure> {
        let taken: Vec<String> = query_scalar(include_str!("../../sql/taken_names.sql"))
            .bind(json(&self.names)?)
            .bind(json(but)?)
            .fetch_all(connection)
            .await?;
        if taken.is_empty() {
            return Ok(());
        }
        let why = format!(
            "`{}` exists already and belongs to something else; drop it if nobody needs it, or take another name",
            taken.join("`, `")
        );
        Err(not_tables(projection, &why).into())
    }
}

/// Carries out the SQL that makes the tables of a projection.
pub(super) async fn make(
    connection: &mut SqliteConnection,
    projection: &ProjectionId,
    sql: &str,
) -> Result<(), StoreError> {
    let made = raw_sql(AssertSqlSafe(sql)).execute(connection).await;
    made.map(drop).map_err(|failed| {
        error::refused(&format!("making the tables of projection {projection}"), failed)
    })
}

fn not_tables(projection: &ProjectionId, why: &str) -> StoreError {
    let context = format!("making the tables of projection {projection}: {why}");
    StoreError::new(StoreErrorKind::InvalidInput, context)
}

/// Tables as they are in a database, with their indexes and triggers.
#[derive(Debug, Default)]
pub(super) struct Objects(Vec<Object>);

#[derive(Debug)]
struct Object {
    kind: String,
    name: String,
    sql: String,
}

impl Objects {
    /// Those of the main database of a connection that belong to these tables.
    pub(super) async fn of(
        connection: &mut SqliteConnection,
        tables: &[String],
    ) -> Result<Self, Error> {
        let rows = query(include_str!("../../sql/objects.sql"))
            .bind(json(tables)?)
            .fetch_all(connection)
            .await?;
        let object = |row: &sqlx::sqlite::SqliteRow| {
            let (kind, name, sql) =
                (row.try_get("type")?, row.try_get("name")?, row.try_get("sql")?);
            Ok(Object { kind, name, sql })
        };
        rows.iter().map(object).collect::<Result<_, Error>>().map(Self)
    }

    /// Makes the tables in the main database of a connection, and their indexes; not the triggers.
    pub(super) async fn make_tables(&self, connection: &mut SqliteConnection) -> Result<(), Error> {
        for object in self.0.iter().filter(|object| object.kind != "trigger") {
            execute(connection, object.sql.clone()).await?;
        }
        Ok(())
    }

    /// Makes the triggers, which fire from now on.
    pub(super) async fn make_triggers(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<(), Error> {
        for object in self.0.iter().filter(|object| object.kind == "trigger") {
            execute(connection, object.sql.clone()).await?;
        }
        Ok(())
    }

    /// Drops the tables, with all that belongs to them.
    pub(super) async fn drop_tables(&self, connection: &mut SqliteConnection) -> Result<(), Error> {
        for name in self.tables() {
            execute(connection, format!("DROP TABLE {}", quoted(name))).await?;
        }
        Ok(())
    }

    /// Deletes all rows, and no trigger fires. Numbers are given out from the first one again.
    pub(super) async fn empty(&self, connection: &mut SqliteConnection) -> Result<(), Error> {
        for object in self.0.iter().filter(|object| object.kind == "trigger") {
            execute(connection, format!("DROP TRIGGER {}", quoted(&object.name))).await?;
        }
        // Rows may refer to rows of a table that is empty already.
        execute(connection, "PRAGMA defer_foreign_keys = ON".to_owned()).await?;
        for name in self.tables() {
            execute(connection, format!("DELETE FROM {}", quoted(name))).await?;
        }
        let names: Vec<&str> = self.tables().collect();
        query("DELETE FROM sqlite_sequence WHERE name IN (SELECT value FROM json_each(?1))")
            .bind(json(&names)?)
            .execute(&mut *connection)
            .await?;
        self.make_triggers(connection).await
    }

    /// Copies all rows between two databases of a connection; where they go to, the tables are empty and have no
    /// triggers.
    pub(super) async fn copy_rows(
        &self,
        connection: &mut SqliteConnection,
        from: &str,
        to: &str,
    ) -> Result<(), Error> {
        for name in self.tables() {
            let columns = columns(connection, from, name).await?;
            let name = quoted(name);
            let sql = match columns {
                // SQLite copies whole pages, where nothing is to be named.
                None => format!("INSERT INTO {to}.{name} SELECT * FROM {from}.{name}"),
                Some(columns) => format!(
                    "INSERT INTO {to}.{name} ({columns}) SELECT {columns} FROM {from}.{name}"
                ),
            };
            execute(connection, sql).await?;
        }
        // The numbers that are given out go on behind the last one, though its row may be deleted.
        let names = json(&self.tables().collect::<Vec<_>>())?;
        let wanted = "name IN (SELECT value FROM json_each(?1))";
        for sql in [
            format!("DELETE FROM {to}.sqlite_sequence WHERE {wanted}"),
            format!(
                "INSERT INTO {to}.sqlite_sequence (name, seq) \
                 SELECT name, seq FROM {from}.sqlite_sequence WHERE {wanted}"
            ),
        ] {
            query(AssertSqlSafe(sql)).bind(&names).execute(&mut *connection).await?;
        }
        Ok(())
    }

    fn tables(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|object| object.kind == "table").map(|object| &*object.name)
    }
}

/// The columns that are stored, where others are computed.
async fn columns(
    connection: &mut SqliteConnection,
    schema: &str,
    table: &str,
) -> Result<Option<String>, Error> {
    let rows = query("SELECT name, hidden FROM pragma_table_xinfo(?1, ?2)")
        .bind(table)
        .bind(schema)
        .fetch_all(connection)
        .await?;
    let mut stored = Vec::with_capacity(rows.len());
    for row in &rows {
        if row.try_get::<i64, _>("hidden")? == 0 {
            stored.push(quoted(row.try_get("name")?));
        }
    }
    Ok((stored.len() < rows.len()).then(|| stored.join(", ")))
}

async fn execute(connection: &mut SqliteConnection, sql: String) -> Result<(), Error> {
    raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)
}

/// A name as SQL takes it, whatever is in it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Names as the statements take them.
fn json<T: AsRef<str>>(names: &[T]) -> Result<String, Error> {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    serde_json::to_string(&names).map_err(foreign)
}

//! The rows of views.

use std::sync::Arc;

use async_trait::async_trait;
use cqrs_core::{BoxError, ColumnError, Rows, StoreError, StoreErrorKind, Value, View};
use sqlx::{AssertSqlSafe, query};

use super::view_sql::{self, Chunk, ViewSql};
use super::view_values::{Bound, bind, from_columns};
use super::{SqliteModel, SqliteTransaction};
use crate::error;

#[async_trait]
impl<V: View> Rows<V> for SqliteModel {
    /// A `STRICT` table. UUIDs are text with hyphens, times are microseconds since 1970-01-01 UTC, booleans 0 or 1, and
    /// JSON documents text. SQLite does not keep the sign of the number -0.0.
    fn tables(&self) -> String {
        view_sql::tables(&V::TABLE)
    }

    async fn load(
        &self,
        transaction: &mut SqliteTransaction,
        keys: &[V::Key],
    ) -> Result<Vec<V>, StoreError> {
        let sql = ViewSql::of::<V>();
        let mut rows = Vec::with_capacity(keys.len());
        for (sql, keys) in divided(&sql.load, keys) {
            let statement = bound(sql, keys, V::key_values).map_err(|why| unfit::<V>(&why))?;
            let found = statement.fetch_all(&mut **transaction).await;
            let found = found.map_err(|failed| error::failed(&reading::<V>(), failed))?;
            for row in &found {
                rows.push(from_columns(row)?);
            }
        }
        Ok(rows)
    }

    async fn write(
        &self,
        transaction: &mut SqliteTransaction,
        written: &[V],
        deleted: &[V::Key],
    ) -> Result<(), BoxError> {
        let doing = || format!("writing rows of view `{}`", V::NAME);
        let sql = ViewSql::of::<V>();
        for (sql, keys) in divided(&sql.delete, deleted) {
            let statement = bound(sql, keys, V::key_values)?;
            let done = statement.execute(&mut **transaction).await;
            done.map_err(|failed| error::refused(&doing(), failed))?;
        }
        for (sql, rows) in divided(&sql.write, written) {
            let statement = bound(sql, rows, V::values)?;
            let done = statement.execute(&mut **transaction).await;
            done.map_err(|failed| error::refused(&doing(), failed))?;
        }
        Ok(())
    }

    async fn row(&self, key: &V::Key) -> Result<Option<V>, StoreError> {
        let sql = ViewSql::of::<V>();
        let Some(one) = sql.load.last() else { return Ok(None) };
        let statement = bound(&one.sql, std::slice::from_ref(key), V::key_values);
        let statement = statement.map_err(|why| unfit::<V>(&why))?;
        let found = statement.fetch_optional(&self.live.readers).await;
        let found = found.map_err(|failed| error::failed(&reading::<V>(), failed))?;
        found.as_ref().map(from_columns).transpose()
    }
}

/// Divides items into parts for which there are statements.
fn divided<'s, T>(
    chunks: &'s [Chunk],
    items: &'s [T],
) -> impl Iterator<Item = (&'s Arc<str>, &'s [T])> {
    let mut left = items;
    std::iter::from_fn(move || {
        let chunk = chunks.iter().find(|chunk| chunk.rows <= left.len())?;
        let (now, behind) = left.split_at(chunk.rows);
        left = behind;
        Some((&chunk.sql, now))
    })
}

/// A statement with the values of items bound to it.
fn bound<'q, T>(
    sql: &Arc<str>,
    items: &'q [T],
    values: impl Fn(&'q T) -> Result<Vec<Value<'q>>, ColumnError>,
) -> Result<Bound<'q>, ColumnError> {
    let mut statement = query(AssertSqlSafe(sql.clone()));
    for item in items {
        for value in values(item)? {
            statement = bind(statement, value)?;
        }
    }
    Ok(statement)
}

fn reading<V: View>() -> String {
    format!("reading rows of view `{}`", V::NAME)
}

/// A key that no row can have.
fn unfit<V: View>(why: &ColumnError) -> StoreError {
    StoreError::new(StoreErrorKind::InvalidInput, format!("{}: {why}", reading::<V>()))
}

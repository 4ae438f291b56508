//! The rows of views.
//!
//! Slots may share rows, where streams of several touch the same row. Then each loads a row with a lock on it, so that
//! one waits for the other. No lock can be had on a row that does not exist: two may make it at the same time. That
//! shows when rows are written: more of them than were loaded are put in the place of others. The one who comes second
//! has to take its events again.

use std::sync::Arc;

use async_trait::async_trait;
use cqrs_core::{BoxError, ReadModel, Rows, StoreError, StoreErrorKind, View};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Error, PgTransaction, Postgres, Row};

use super::array::{Array, arrays};
use super::view_sql::{self, ViewSql};
use super::{PostgresModel, value};
use crate::connections::in_time;
use crate::error::store_error;
use crate::rows::saturate;

/// Keeps the rows of any view, in a table that the projection makes.
#[async_trait]
impl<V: View> Rows<V> for PostgresModel {
    fn tables(&self) -> String {
        view_sql::tables(&V::TABLE)
    }

    /// Where the projection has several slots, the rows are locked until the transaction ends.
    async fn load(
        &self,
        transaction: &mut <Self as ReadModel>::Transaction,
        keys: &[V::Key],
    ) -> Result<Vec<V>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let arrays = key_arrays::<V>(keys)?;
        let loading = load_rows::<V>(transaction, &arrays);
        let rows = in_time(self.connections.call_timeout(), loading).await;
        let rows = rows.map_err(|error| store_error(&doing::<V>("loading"), error))?;
        rows.iter().map(value::row_of).collect()
    }

    /// As for every read model.
    ///
    /// # Errors
    /// With a [`StoreError`] of kind [`Busy`](StoreErrorKind::Busy) when another slot has made the same rows meanwhile.
    async fn write(
        &self,
        transaction: &mut <Self as ReadModel>::Transaction,
        written: &[V],
        deleted: &[V::Key],
    ) -> Result<(), BoxError> {
        let limit = self.connections.call_timeout();
        let mut replaced = 0;
        if !deleted.is_empty() {
            let sql = ViewSql::of::<V>();
            let arrays = arrays(V::TABLE.key_columns(), deleted.iter().map(V::key_values))?;
            let deleting = statement(&sql.delete, &arrays).execute(&mut **transaction);
            replaced = saturate(in_time(limit, deleting).await?.rows_affected());
        }
        if !written.is_empty() {
            let sql = ViewSql::of::<V>();
            let arrays = arrays(V::TABLE.columns.iter(), written.iter().map(V::values))?;
            let writing = statement(&sql.upsert, &arrays).fetch_one(&mut **transaction);
            let row = in_time(limit, writing).await?;
            replaced += row.try_get::<i64, _>("in_place")?;
            if row.try_get::<Option<i64>, _>("loaded")?.is_some_and(|loaded| replaced > loaded) {
                let context =
                    format!("{}: another slot makes the same rows", doing::<V>("writing"));
                return Err(StoreError::new(StoreErrorKind::Busy, context).into());
            }
        }
        Ok(())
    }

    async fn row(&self, key: &V::Key) -> Result<Option<V>, StoreError> {
        let arrays = key_arrays::<V>(std::slice::from_ref(key))?;
        let sql = ViewSql::of::<V>();
        let doing = doing::<V>("reading");
        let rows = self.connections.fetch(&doing, || statement(&sql.load, &arrays)).await?;
        rows.first().map(value::row_of).transpose()
    }
}

fn key_arrays<V: View>(keys: &[V::Key]) -> Result<Vec<Array>, StoreError> {
    arrays(V::TABLE.key_columns(), keys.iter().map(V::key_values)).map_err(|error| {
        StoreError::new(StoreErrorKind::InvalidInput, doing::<V>("finding")).caused_by(error)
    })
}

/// Loads rows, and notes how many, where slots may share them.
async fn load_rows<V: View>(
    transaction: &mut PgTransaction<'static>,
    keys: &[Array],
) -> Result<Vec<PgRow>, Error> {
    let sql = ViewSql::of::<V>();
    let asking = sqlx::query(include_str!("../../sql/has_many_slots.sql")).bind(V::NAME);
    if !asking.fetch_one(&mut **transaction).await?.try_get("has_many_slots")? {
        return statement(&sql.load, keys).fetch_all(&mut **transaction).await;
    }
    let rows = statement(&sql.load_locked, keys).fetch_all(&mut **transaction).await?;
    let noting = sqlx::query(include_str!("../../sql/note_loaded.sql")).bind(saturate(rows.len()));
    noting.execute(&mut **transaction).await?;
    Ok(rows)
}

fn statement(sql: &Arc<str>, arrays: &[Array]) -> Query<'static, Postgres, PgArguments> {
    let query = sqlx::query(AssertSqlSafe(Arc::clone(sql)));
    arrays.iter().fold(query, Query::bind)
}

fn doing<V: View>(what: &str) -> String {
    format!("{what} rows of view `{}` (table `{}`)", V::NAME, V::TABLE.name)
}

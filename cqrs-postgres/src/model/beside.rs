//! Transactions that change the rows of a version beside the one in service.

use std::sync::Arc;

use cqrs_core::{ProjectionId, StoreError, StoreErrorKind};
use sqlx::{AssertSqlSafe, Error, PgTransaction, Row};

use super::quoted;
use super::transaction::{begin_batch, begin_with};
use crate::connections::Connections;
use crate::error::store_error;

/// Where the rows of a version beside are.
pub(super) struct Beside {
    schema: String,
    /// Not those that others use: what was prepared there may be about tables of the same name with other columns.
    connections: Connections,
    begin: Arc<str>,
}

impl Beside {
    pub(super) async fn find(
        connections: &Connections,
        projection: &ProjectionId,
    ) -> Result<Self, StoreError> {
        let doing = format!("looking for the tables of projection {projection}");
        let rows = connections.fetch(&doing, || {
            sqlx::query(include_str!("../../sql/beside.sql"))
                .bind(projection.name)
                .bind(i64::from(projection.version))
        });
        let rows = rows.await?;
        let Some(row) = rows.first() else {
            let context = format!("{doing}: no such version is beside the one in service");
            return Err(StoreError::new(StoreErrorKind::Other, context));
        };
        let schema: String =
            row.try_get("schema_beside").map_err(|error| store_error(&doing, error))?;
        // What the application finds it finds, too, behind its own tables.
        let literal = quoted(&schema).replace('\'', "''");
        let begin = format!(
            "{}; SELECT set_config('search_path', \
             concat_ws(', ', '{literal}', nullif(current_setting('search_path'), '')), true)",
            begin_batch!()
        );
        let pool = connections.pool();
        let options = pool.options().clone().min_connections(0);
        let pool = options.connect_lazy_with(pool.connect_options().as_ref().clone());
        let connections = Connections::new(pool, connections.call_timeout());
        Ok(Self { schema, connections, begin: begin.into() })
    }

    pub(super) fn schema(&self) -> &str {
        &self.schema
    }

    /// Begins the transaction of a batch; `base` are the connections for everything else.
    pub(super) async fn begin(
        &self,
        base: &Connections,
    ) -> Result<PgTransaction<'static>, StoreError> {
        if base.pool().is_closed() {
            return Err(base.none(Error::PoolClosed));
        }
        begin_with(&self.connections, || AssertSqlSafe(Arc::clone(&self.begin))).await
    }
}

//! Questions about orders, answered from their rows.

use cqrs::prelude::*;
use cqrs::sqlite::{self, SqliteModel};
use cqrs::{BoxError, BusBuilder, Rows};

use crate::view::OrderRow;

/// The order with this id, if there is one.
#[derive(Debug, Clone, Query)]
#[query(output = Option<OrderRow>, error = ReadError)]
pub struct ShowOrder {
    pub order: String,
}

/// The orders that were started last, the newest first.
#[derive(Debug, Clone, Query)]
#[query(output = Vec<OrderRow>, error = ReadError)]
pub struct NewestOrders {
    pub count: u32,
}

/// The orders can't be read.
#[derive(Debug, thiserror::Error)]
#[error("the orders can't be read: {source}")]
pub struct ReadError {
    source: BoxError,
    /// Whether the database is not there just now.
    pub is_outage: bool,
}

/// A database with the table `orders`. One row of it is asked for by its key, all else in SQL.
pub trait Orders: Rows<OrderRow> {
    fn newest(&self, count: u32) -> impl Future<Output = Result<Vec<OrderRow>, BoxError>> + Send;
}

const NEWEST: &str = "SELECT * FROM orders ORDER BY started DESC LIMIT $1";

impl Orders for SqliteModel {
    async fn newest(&self, count: u32) -> Result<Vec<OrderRow>, BoxError> {
        let newest = sqlite::sqlx::query(NEWEST).bind(i64::from(count));
        let rows = newest.fetch_all(self.pool()).await?;
        Ok(rows.iter().map(sqlite::from_row).collect::<Result<_, _>>()?)
    }
}

#[cfg(feature = "postgres")]
impl Orders for cqrs::PostgresModel {
    async fn newest(&self, count: u32) -> Result<Vec<OrderRow>, BoxError> {
        let newest = cqrs::postgres::sqlx::query(NEWEST).bind(i64::from(count));
        let rows = newest.fetch_all(self.pool()).await?;
        Ok(rows.iter().map(cqrs::postgres::from_row).collect::<Result<_, _>>()?)
    }
}

/// Registers what answers the queries.
pub fn register(bus: BusBuilder, orders: impl Orders) -> BusBuilder {
    let (one, newest) = (orders.clone(), orders);
    bus.query_handler(move |ShowOrder { order }| {
        let orders = one.clone();
        async move { orders.row(&order).await.map_err(|error| unread(&orders, error.into())) }
    })
    .query_handler(move |NewestOrders { count }| {
        let orders = newest.clone();
        async move { orders.newest(count).await.map_err(|error| unread(&orders, error)) }
    })
}

fn unread(orders: &impl Orders, source: BoxError) -> ReadError {
    ReadError { is_outage: orders.is_outage(&source), source }
}

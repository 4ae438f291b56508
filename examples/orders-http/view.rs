//! What can be read of orders: a table with a row for each, folded from its events.

use std::collections::BTreeMap;

use cqrs::prelude::*;
use cqrs::{BoxError, Column, ColumnError, ColumnType, Value};
use serde::Serialize;

use crate::order::{OrderEvent, Status};

/// An order: a row of the table `orders`.
#[derive(Debug, Clone, PartialEq, Serialize, View)]
#[view(name = "orders", key(id), index(started), events(OrderEvent))]
pub struct OrderRow {
    pub id: String,
    pub customer: String,
    pub status: Status,
    /// Quantities by product.
    #[view(json)]
    pub lines: BTreeMap<String, u32>,
    pub total_cents: u64,
    /// The version of its stream, which a client sends back as `If-Match`.
    pub version: u64,
    /// Where it begins in the log: newer orders have a higher one.
    pub started: u64,
}

impl Fold<OrderEvent> for OrderRow {
    fn rows(_: &OrderEvent, received: &Received<'_>) -> impl IntoIterator<Item = String> {
        Some(received.stream.key().to_owned())
    }

    fn fold(
        row: &mut Option<Self>,
        id: &String,
        event: &OrderEvent,
        received: &Received<'_>,
    ) -> Result<(), BoxError> {
        if let OrderEvent::Started { customer } = event {
            *row = Some(Self {
                id: id.clone(),
                customer: customer.clone(),
                status: Status::Open,
                lines: BTreeMap::new(),
                total_cents: 0,
                version: 0,
                started: received.position.get(),
            });
        }
        let row = row.as_mut().ok_or("the order was never started")?;
        row.version = received.version.get();
        match event {
            OrderEvent::Started { .. } => {}
            OrderEvent::LineAdded { product, quantity, cents_each } => {
                *row.lines.entry(product.clone()).or_default() += quantity;
                row.total_cents += cents_each * u64::from(*quantity);
            }
            OrderEvent::Placed { .. } => row.status = Status::Placed,
            OrderEvent::Paid { .. } => row.status = Status::Paid,
            OrderEvent::Shipped { .. } => row.status = Status::Shipped,
            OrderEvent::Cancelled { .. } => row.status = Status::Cancelled,
        }
        Ok(())
    }
}

/// The column holds its name.
impl Column for Status {
    const TYPE: ColumnType = ColumnType::Text;

    fn to_value(&self) -> Result<Value<'_>, ColumnError> {
        Ok(Value::Text(self.name().into()))
    }

    fn from_value(value: Value<'_>) -> Result<Self, ColumnError> {
        let name = String::from_value(value)?;
        let status = Self::ALL.into_iter().find(|status| status.name() == name);
        status.ok_or_else(|| ColumnError::new(format!("`{name}` is no status of an order")))
    }
}

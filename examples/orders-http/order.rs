//! An order: lines are added until it is placed; then it is paid and shipped, or cancelled.

use std::collections::BTreeMap;

use cqrs::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(prefix = "order")]
pub enum OrderEvent {
    Started { customer: String },
    LineAdded { product: String, quantity: u32, cents_each: u64 },
    Placed { total_cents: u64 },
    Paid { reference: String },
    Shipped { parcel: String },
    Cancelled { reason: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(into = "&'static str")]
pub enum Status {
    #[default]
    Missing,
    Open,
    Placed,
    Paid,
    Shipped,
    Cancelled,
}

impl Status {
    pub const ALL: [Self; 6] =
        [Self::Missing, Self::Open, Self::Placed, Self::Paid, Self::Shipped, Self::Cancelled];

    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Open => "open",
            Self::Placed => "placed",
            Self::Paid => "paid",
            Self::Shipped => "shipped",
            Self::Cancelled => "cancelled",
        }
    }
}

impl From<Status> for &'static str {
    fn from(status: Status) -> Self {
        status.name()
    }
}

/// The most that an order may come to: a number that every column and every reader of JSON holds exactly.
const MOST_CENTS: u64 = 1_000_000_000_000;

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum OrderError {
    #[error("there is no order with this id")]
    NotFound,
    #[error("there is an order with this id already")]
    Exists,
    #[error("that can't be done to an order that is {}", .0.name())]
    WrongStatus(Status),
    #[error("the order has no lines")]
    Empty,
    #[error("a quantity must be between 1 and 1000")]
    Quantity,
    #[error("the total is more than {MOST_CENTS} cents")]
    TooMuch,
    #[error("only {available} of `{product}` are in stock")]
    OutOfStock { product: String, available: u32 },
}

#[derive(Debug, Clone, Command)]
#[command(aggregate = Order, id = order)]
pub enum OrderCommand {
    #[command(likely_new)]
    Start {
        order: String,
        customer: String,
    },
    AddLine {
        order: String,
        product: String,
        quantity: u32,
        cents_each: u64,
    },
    Place {
        order: String,
    },
    Pay {
        order: String,
        reference: String,
    },
    Ship {
        order: String,
        parcel: String,
    },
    Cancel {
        order: String,
        reason: String,
    },
}

#[derive(Debug, Default, Serialize, Aggregate)]
#[aggregate(category = "order", events(OrderEvent), error = OrderError)]
pub struct Order {
    pub status: Status,
    pub customer: String,
    /// Quantities by product.
    pub lines: BTreeMap<String, u32>,
    pub total_cents: u64,
}

impl Apply<OrderEvent> for Order {
    fn apply(&mut self, event: OrderEvent) {
        match event {
            OrderEvent::Started { customer } => {
                self.status = Status::Open;
                self.customer = customer;
            }
            OrderEvent::LineAdded { product, quantity, cents_each } => {
                *self.lines.entry(product).or_default() += quantity;
                self.total_cents += cents_each * u64::from(quantity);
            }
            OrderEvent::Placed { .. } => self.status = Status::Placed,
            OrderEvent::Paid { .. } => self.status = Status::Paid,
            OrderEvent::Shipped { .. } => self.status = Status::Shipped,
            OrderEvent::Cancelled { .. } => self.status = Status::Cancelled,
        }
    }
}

impl Handle<OrderCommand> for Order {
    fn handle(&self, command: OrderCommand) -> Decision<Self> {
        use OrderCommand as Command;
        match (self.status, command) {
            (Status::Missing, Command::Start { customer, .. }) => {
                emit(OrderEvent::Started { customer })
            }
            (_, Command::Start { .. }) => Err(OrderError::Exists),
            (Status::Missing, _) => Err(OrderError::NotFound),
            (Status::Open, Command::AddLine { product, quantity, cents_each, .. }) => {
                ensure((1..=1000).contains(&quantity), OrderError::Quantity)?;
                let line = cents_each.checked_mul(quantity.into());
                let total = line.and_then(|cents| self.total_cents.checked_add(cents));
                ensure(total.is_some_and(|cents| cents <= MOST_CENTS), OrderError::TooMuch)?;
                let held = self.lines.get(&product).copied().unwrap_or_default();
                ensure(held.checked_add(quantity).is_some(), OrderError::Quantity)?;
                emit(OrderEvent::LineAdded { product, quantity, cents_each })
            }
            (Status::Open, Command::Place { .. }) => {
                ensure(!self.lines.is_empty(), OrderError::Empty)?;
                emit(OrderEvent::Placed { total_cents: self.total_cents })
            }
            (Status::Placed, Command::Pay { reference, .. }) => {
                emit(OrderEvent::Paid { reference })
            }
            (Status::Paid, Command::Ship { parcel, .. }) => emit(OrderEvent::Shipped { parcel }),
            (Status::Open | Status::Placed, Command::Cancel { reason, .. }) => {
                emit(OrderEvent::Cancelled { reason })
            }
            (status, _) => Err(OrderError::WrongStatus(status)),
        }
    }
}

#[cfg(test)]
mod tests {
    use cqrs_testkit::given;

    use super::*;

    fn started() -> OrderEvent {
        OrderEvent::Started { customer: "c-1".into() }
    }

    #[test]
    fn an_empty_order_is_not_placed() {
        let place = OrderCommand::Place { order: "o-1".into() };
        given(started()).when(place).then_err(OrderError::Empty);
    }

    #[test]
    fn an_order_is_placed_with_its_total() {
        let line = OrderEvent::LineAdded { product: "tea".into(), quantity: 3, cents_each: 450 };
        given([started(), line])
            .when(OrderCommand::Place { order: "o-1".into() })
            .then([OrderEvent::Placed { total_cents: 1350 }]);
    }

    #[test]
    fn no_order_comes_to_more_than_can_be_shown() {
        let add = |cents_each| OrderCommand::AddLine {
            order: "o-1".into(),
            product: "tea".into(),
            quantity: 2,
            cents_each,
        };
        for too_much in [MOST_CENTS / 2 + 1, u64::MAX] {
            given(started()).when(add(too_much)).then_err(OrderError::TooMuch);
        }
        let (product, cents_each) = ("tea".into(), MOST_CENTS / 2);
        given(started()).when(add(cents_each)).then(OrderEvent::LineAdded {
            product,
            quantity: 2,
            cents_each,
        });
    }

    #[test]
    fn a_shipped_order_is_not_cancelled() {
        let shipped = OrderEvent::Shipped { parcel: "p-1".into() };
        given([started(), shipped])
            .when(OrderCommand::Cancel { order: "o-1".into(), reason: "late".into() })
            .then_err(OrderError::WrongStatus(Status::Shipped));
    }
}

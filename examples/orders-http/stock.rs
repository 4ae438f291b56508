//! The stock of a product: what was delivered, less what is reserved for orders.

use std::collections::BTreeMap;

use cqrs::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(prefix = "stock")]
pub enum StockEvent {
    Delivered { quantity: u32 },
    Reserved { order: String, quantity: u32 },
    Released { order: String },
}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StockError {
    #[error("a quantity must be between 1 and 1000000")]
    Quantity,
    #[error("only {available} are in stock")]
    OutOfStock { available: u32 },
}

#[derive(Debug, Clone, Command)]
#[command(aggregate = Stock, id = product)]
pub enum StockCommand {
    Deliver { product: String, quantity: u32 },
    Reserve { product: String, order: String, quantity: u32 },
    Release { product: String, order: String },
}

#[derive(Debug, Default, Serialize, Aggregate)]
#[aggregate(category = "stock", events(StockEvent), error = StockError)]
pub struct Stock {
    pub available: u32,
    /// Quantities by order.
    pub reserved: BTreeMap<String, u32>,
}

impl Apply<StockEvent> for Stock {
    fn apply(&mut self, event: StockEvent) {
        match event {
            StockEvent::Delivered { quantity } => self.available += quantity,
            StockEvent::Reserved { order, quantity } => {
                self.available -= quantity;
                self.reserved.insert(order, quantity);
            }
            StockEvent::Released { order } => {
                self.available += self.reserved.remove(&order).unwrap_or_default();
            }
        }
    }
}

impl Handle<StockCommand> for Stock {
    fn handle(&self, command: StockCommand) -> Decision<Self> {
        match command {
            StockCommand::Deliver { quantity, .. } => {
                ensure((1..=1_000_000).contains(&quantity), StockError::Quantity)?;
                ensure(self.total().checked_add(quantity).is_some(), StockError::Quantity)?;
                emit(StockEvent::Delivered { quantity })
            }
            StockCommand::Reserve { order, quantity, .. } => self.reserve(order, quantity),
            StockCommand::Release { order, .. } => {
                let held = self.reserved.contains_key(&order);
                emit(held.then_some(StockEvent::Released { order }))
            }
        }
    }
}

impl Stock {
    /// Reserving the same again changes nothing, so that placing an order may be repeated.
    fn reserve(&self, order: String, quantity: u32) -> Decision<Self> {
        let held = self.reserved.get(&order).copied();
        if held == Some(quantity) {
            return emit(());
        }
        let available = self.available.saturating_add(held.unwrap_or_default());
        ensure(quantity <= available, StockError::OutOfStock { available })?;
        let released = held.map(|_| StockEvent::Released { order: order.clone() });
        emit((released, StockEvent::Reserved { order, quantity }))
    }

    /// What would be available if every reservation were released.
    fn total(&self) -> u32 {
        self.reserved.values().fold(self.available, |sum, quantity| sum.saturating_add(*quantity))
    }
}

#[cfg(test)]
mod tests {
    use cqrs_testkit::given;

    use super::*;

    #[test]
    fn no_more_is_reserved_than_there_is() {
        let reserve =
            StockCommand::Reserve { product: "tea".into(), order: "o-1".into(), quantity: 4 };
        given(StockEvent::Delivered { quantity: 3 })
            .when(reserve)
            .then_err(StockError::OutOfStock { available: 3 });
    }

    #[test]
    fn an_order_holds_one_reservation() {
        let order = String::from("o-1");
        let reserved = |quantity| StockEvent::Reserved { order: order.clone(), quantity };
        let reserve = |quantity| StockCommand::Reserve {
            product: "tea".into(),
            order: order.clone(),
            quantity,
        };
        let history = || [StockEvent::Delivered { quantity: 3 }, reserved(2)];
        given(history()).when(reserve(2)).then(());
        let released = StockEvent::Released { order: order.clone() };
        given(history()).when(reserve(3)).then([released, reserved(3)]);
    }
}

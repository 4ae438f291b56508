//! Placing and cancelling: commands that span an order and the stock of its products.

use cqrs::prelude::*;
use cqrs::{LoadError, Loaded};

use crate::order::{Order, OrderCommand, OrderError, Status};
use crate::stock::{StockCommand, StockError};

/// Reserves what the order holds and places it.
///
/// What is reserved stays reserved until the order is shipped or cancelled, also when it could not be placed for want of
/// another product: placing it again goes on.
#[derive(Debug, Clone, Command)]
#[command(outcome = Committed, error = OrderError)]
pub struct PlaceOrder {
    pub order: String,
}

/// Cancels the order and releases what was reserved for it.
#[derive(Debug, Clone, Command)]
#[command(outcome = Committed, error = OrderError)]
pub struct CancelOrder {
    pub order: String,
    pub reason: String,
}

/// Carries both out. Every step may be repeated: a request that was cut off is simply sent again.
pub struct Checkout;

type Outcome = Result<Committed, DispatchError<OrderError>>;

impl CommandHandler<PlaceOrder> for Checkout {
    const IDEMPOTENT: bool = true;

    async fn handle(&self, PlaceOrder { order }: PlaceOrder, context: &CommandContext) -> Outcome {
        let loaded = load(&order, context).await?;
        if loaded.state.status == Status::Open {
            reserve(&order, &loaded.state, context).await?;
        }
        // An order is placed once, so its name is key enough: placing it again gives the first outcome. A line added
        // since it was loaded would have no stock reserved, hence the version.
        let place = OrderCommand::Place { order: order.clone() };
        let place = context.send(place).idempotency_key("place").expected_version(loaded.version);
        let placed = place.await;
        if placed.is_err() {
            // Cancelled meanwhile, it gives back what was reserved since. An open order keeps it.
            let state = load(&order, context).await?.state;
            if state.status == Status::Cancelled {
                release(&order, &state, context).await?;
            }
        }
        placed
    }
}

impl CommandHandler<CancelOrder> for Checkout {
    const IDEMPOTENT: bool = true;

    async fn handle(&self, command: CancelOrder, context: &CommandContext) -> Outcome {
        let CancelOrder { order, reason } = command;
        let cancel = OrderCommand::Cancel { order: order.clone(), reason };
        // Cancelled by a request that was cut off, the order has yet to give back what was reserved.
        let cancelled = context.send(cancel).idempotency_key("cancel").await?;
        let loaded = load(&order, context).await?;
        release(&order, &loaded.state, context).await?;
        Ok(cancelled)
    }
}

async fn reserve(
    order: &str,
    state: &Order,
    context: &CommandContext,
) -> Result<(), DispatchError<OrderError>> {
    for (product, quantity) in &state.lines {
        let (product, order) = (product.clone(), order.to_owned());
        let reserve =
            StockCommand::Reserve { product: product.clone(), order, quantity: *quantity };
        context.send(reserve).await.map_err(|error| {
            error.map_rejected(|refused| match refused {
                StockError::OutOfStock { available } => {
                    OrderError::OutOfStock { product, available }
                }
                StockError::Quantity => OrderError::Quantity,
            })
        })?;
    }
    Ok(())
}

/// Releases what is reserved for the order; where nothing is, nothing happens.
async fn release(
    order: &str,
    state: &Order,
    context: &CommandContext,
) -> Result<(), DispatchError<OrderError>> {
    for product in state.lines.keys() {
        let release = StockCommand::Release { product: product.clone(), order: order.to_owned() };
        context
            .send(release)
            .await
            .map_err(|error| error.map_rejected(|_| OrderError::NotFound))?;
    }
    Ok(())
}

async fn load(
    order: &str,
    context: &CommandContext,
) -> Result<Loaded<Order>, DispatchError<OrderError>> {
    context.load(order).await.map_err(LoadError::into_dispatch)
}

//! Placing and cancelling: commands that span an order and the stock of its products.

use cqrs::prelude::*;
use cqrs::{LoadError, Loaded};

use crate::order::{Order, OrderCommand, OrderError, Status};
use crate::stock::{StockCommand, StockError};

/// Reserves what the order holds and places it.
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
    async fn handle(&self, PlaceOrder { order }: PlaceOrder, context: &CommandContext) -> Outcome {
        let loaded = load(&order, context).await?;
        match loaded.state.status {
            Status::Open => {}
            Status::Missing => return Err(OrderError::NotFound.into()),
            status => return Err(OrderError::WrongStatus(status).into()),
        }
        let placed = reserve_and_place(&order, &loaded, context).await;
        if placed.is_err() {
            release(&order, &loaded.state, context).await?;
        }
        placed
    }
}

impl CommandHandler<CancelOrder> for Checkout {
    async fn handle(&self, command: CancelOrder, context: &CommandContext) -> Outcome {
        let CancelOrder { order, reason } = command;
        let cancel = OrderCommand::Cancel { order: order.clone(), reason };
        let cancelled = context.send(cancel).await?;
        let loaded = load(&order, context).await?;
        release(&order, &loaded.state, context).await?;
        Ok(cancelled)
    }
}

async fn reserve_and_place(
    order: &str,
    loaded: &Loaded<Order>,
    context: &CommandContext,
) -> Outcome {
    for (product, quantity) in &loaded.state.lines {
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
    // A line added since would have no stock reserved: then this is a conflict.
    let place = OrderCommand::Place { order: order.to_owned() };
    context.send(place).expected_version(loaded.version).await
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
    context.load(order).await.map_err(|error| match error {
        LoadError::Stream(_) => OrderError::NotFound.into(),
        error => DispatchError::failed(error),
    })
}

//! Orders over HTTP: an `axum` service with several aggregates, on SQLite or PostgreSQL.
//!
//! ```sh
//! cargo run --example orders-http
//! curl -X POST localhost:3000/stock/tea/deliveries --json '{"quantity": 10}'
//! curl -X PUT  localhost:3000/orders/o-1 --json '{"customer": "c-1"}'
//! curl -X POST localhost:3000/orders/o-1/lines --json '{"product": "tea", "quantity": 2, "cents_each": 450}'
//! curl -X POST localhost:3000/orders/o-1/place
//! curl -i      localhost:3000/orders/o-1
//! ```
//!
//! Refusals of the domain are 422, conflicts 409, a busy store 503, each as `application/problem+json`. A command is
//! made idempotent by the header `Idempotency-Key`, and conditional on the version a client has seen by `If-Match`.

#![allow(unreachable_pub, reason = "`pub` reads better in a program than `pub(crate)`")]

mod checkout;
mod order;
mod problem;
mod routes;
mod stock;

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use cqrs::{BuildError, Bus, EventStore as _, SqliteStore, Store};
use tower::timeout::TimeoutLayer;

use crate::checkout::{CancelOrder, Checkout, PlaceOrder};
use crate::order::Order;
use crate::stock::Stock;

/// Orders over HTTP.
#[derive(Parser)]
struct Arguments {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// Where events are stored: a file for SQLite, or the `postgres://` address of a database.
    #[arg(long, default_value = "orders.db")]
    store: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let store = open_store(&arguments.store).await?;
    let bus = build_bus(store.clone())?;
    let listener = tokio::net::TcpListener::bind(arguments.listen).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let stopped = async {
        // Without a handler for it, the service runs until it is killed, which is as safe.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    axum::serve(listener, routes::router(bus)).with_graceful_shutdown(stopped).await?;
    store.close().await;
    Ok(())
}

fn build_bus(store: Arc<dyn Store>) -> Result<Bus, BuildError> {
    Bus::builder(store)
        .aggregate::<Order>()
        .aggregate::<Stock>()
        .command_handler::<PlaceOrder, _>(Checkout)
        .command_handler::<CancelOrder, _>(Checkout)
        .command_layer(TimeoutLayer::new(Duration::from_secs(10)))
        .build()
}

async fn open_store(store: &str) -> Result<Arc<dyn Store>, Box<dyn Error>> {
    #[cfg(feature = "postgres")]
    if store.starts_with("postgres://") || store.starts_with("postgresql://") {
        return Ok(Arc::new(cqrs::PostgresStore::connect(store).await?));
    }
    if store.starts_with("postgres") {
        return Err("built without PostgreSQL; add `--features postgres` after `cargo run`".into());
    }
    Ok(Arc::new(SqliteStore::open(store).await?))
}

#[cfg(test)]
mod tests;

//! Orders over HTTP: an `axum` service with several aggregates, a read side and a live page, on SQLite or PostgreSQL.
//!
//! ```sh
//! cargo run --example orders-http                 # then open http://localhost:3000
//! curl -X POST localhost:3000/stock/tea/deliveries --json '{"quantity": 10}'
//! curl -X PUT  localhost:3000/orders/o-1 --json '{"customer": "c-1"}'
//! curl -X POST localhost:3000/orders/o-1/lines --json '{"product": "tea", "quantity": 2, "cents_each": 450}'
//! curl -X POST localhost:3000/orders/o-1/place
//! curl -i      localhost:3000/orders/o-1
//! curl -N      localhost:3000/orders/live         # the newest orders, again whenever they change
//! ```
//!
//! Commands change aggregates; orders are read from the table `orders`, whose rows a view folds from their events. The
//! response to a command waits for the view and has the order as it is then, so that clients read what they have written.
//! `GET /orders` shows the newest orders, `GET /orders/{order}` one of them, and with `/live` behind it, either is a
//! stream of server-sent events: the answer, and again whenever it is another one, whoever has changed it. The page at `/`
//! is made of that.
//!
//! Refusals of the domain are 422, conflicts 409, a busy store 503, each as `application/problem+json`. A command is
//! made idempotent by the header `Idempotency-Key`, and conditional on the version a client has seen by `If-Match`.

#![allow(unreachable_pub, reason = "`pub` reads better in a program than `pub(crate)`")]

mod checkout;
mod live;
mod order;
mod problem;
mod queries;
mod routes;
mod stock;
mod view;

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use cqrs::{BuildError, Bus, Projector, Running, SqliteStore, Store};
use tower::timeout::TimeoutLayer;

use crate::checkout::{CancelOrder, Checkout, PlaceOrder};
use crate::live::Stopping;
use crate::order::Order;
use crate::queries::Orders;
use crate::stock::Stock;
use crate::view::OrderRow;

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
    let Arguments { listen, store } = Arguments::parse();
    #[cfg(feature = "postgres")]
    if store.starts_with("postgres://") || store.starts_with("postgresql://") {
        let store = cqrs::PostgresStore::connect(&store).await?;
        let orders = store.model();
        return serve(store, orders, listen).await;
    }
    if store.starts_with("postgres") {
        return Err("built without PostgreSQL; add `--features postgres` after `cargo run`".into());
    }
    let store = SqliteStore::open(store).await?;
    let orders = store.model();
    serve(store, orders, listen).await
}

/// Serves until ctrl-c.
async fn serve(
    store: impl Store + Clone,
    orders: impl Orders,
    listen: SocketAddr,
) -> Result<(), Box<dyn Error>> {
    let view = start_view(store.clone(), orders.clone()).await?;
    let bus = build_bus(store.clone(), orders, &view)?;
    let (stop, stopping) = Stopping::new();
    let listener = tokio::net::TcpListener::bind(listen).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let stopped = async move {
        // Without a handler for it, the service runs until it is killed, which is as safe.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        // Requests are answered to their end, which streams of events would not come to by themselves.
        stop.send_replace(true);
    };
    let router = routes::router(bus, stopping);
    axum::serve(listener, router).with_graceful_shutdown(stopped).await?;
    // Another process, or the next run, takes over at once.
    view.stop().await;
    store.close().await;
    Ok(())
}

/// Starts what keeps the table of orders up to date, and waits until it is.
async fn start_view(store: impl Store, orders: impl Orders) -> Result<Running, Box<dyn Error>> {
    const PATIENCE: Duration = Duration::from_mins(1);
    // After a kill, the next run has to wait for the end of the lease that nobody gave back.
    const LEASE: Duration = Duration::from_secs(2);
    let end = store.head().await?.last;
    let view = Projector::new(store).lease(LEASE).start_view::<OrderRow>(orders);
    view.wait_for(end, PATIENCE).await?;
    Ok(view)
}

fn build_bus(store: impl Store, orders: impl Orders, view: &Running) -> Result<Bus, BuildError> {
    let bus = Bus::builder(store)
        .aggregate::<Order>()
        .aggregate::<Stock>()
        .command_handler::<PlaceOrder, _>(Checkout)
        .command_handler::<CancelOrder, _>(Checkout)
        .command_layer(TimeoutLayer::new(Duration::from_secs(10)))
        .view(view.progress());
    queries::register(bus, orders).build()
}

#[cfg(test)]
mod tests;

//! The HTTP interface: requests become commands, outcomes become responses.

use axum::extract::{FromRequest, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use cqrs::prelude::*;
use cqrs::{DispatchContext, Loaded, Version};
use serde::{Deserialize, Serialize};

use crate::checkout::{CancelOrder, PlaceOrder};
use crate::order::{Order, OrderCommand};
use crate::problem::Problem;
use crate::stock::{Stock, StockCommand};

/// The service over this bus. A bus is cheap to clone, so it is the state itself.
pub fn router(bus: Bus) -> Router {
    Router::new()
        .route("/orders/{order}", get(show_order).put(start_order))
        .route("/orders/{order}/lines", post(add_line))
        .route("/orders/{order}/place", post(place_order))
        .route("/orders/{order}/pay", post(pay_order))
        .route("/orders/{order}/ship", post(ship_order))
        .route("/orders/{order}/cancel", post(cancel_order))
        .route("/stock/{product}", get(show_stock))
        .route("/stock/{product}/deliveries", post(deliver))
        .fallback(|| async { Problem::not_found(&"there is nothing at this address") })
        .with_state(bus)
}

/// A JSON body whose errors are problems like all others.
#[derive(FromRequest)]
#[from_request(via(Json), rejection(Problem))]
struct Body<T>(T);

#[derive(Deserialize)]
struct NewOrder {
    customer: String,
}

async fn start_order(
    State(bus): State<Bus>,
    Path(order): Path<String>,
    headers: HeaderMap,
    Body(NewOrder { customer }): Body<NewOrder>,
) -> Result<Response, Problem> {
    let start = OrderCommand::Start { order, customer };
    let committed = bus.send(start).context(context(&headers)?).await?;
    Ok((StatusCode::CREATED, Done(committed)).into_response())
}

#[derive(Deserialize)]
struct NewLine {
    product: String,
    quantity: u32,
    cents_each: u64,
}

async fn add_line(
    State(bus): State<Bus>,
    Path(order): Path<String>,
    headers: HeaderMap,
    Body(line): Body<NewLine>,
) -> Result<Done, Problem> {
    let NewLine { product, quantity, cents_each } = line;
    let add = OrderCommand::AddLine { order, product, quantity, cents_each };
    Ok(Done(bus.send(add).context(context(&headers)?).await?))
}

async fn place_order(
    State(bus): State<Bus>,
    Path(order): Path<String>,
    headers: HeaderMap,
) -> Result<Done, Problem> {
    Ok(Done(bus.send(PlaceOrder { order }).context(context(&headers)?).await?))
}

#[derive(Deserialize)]
struct Payment {
    reference: String,
}

async fn pay_order(
    State(bus): State<Bus>,
    Path(order): Path<String>,
    headers: HeaderMap,
    Body(Payment { reference }): Body<Payment>,
) -> Result<Done, Problem> {
    let pay = OrderCommand::Pay { order, reference };
    Ok(Done(bus.send(pay).context(context(&headers)?).await?))
}

#[derive(Deserialize)]
struct Shipment {
    parcel: String,
}

async fn ship_order(
    State(bus): State<Bus>,
    Path(order): Path<String>,
    headers: HeaderMap,
    Body(Shipment { parcel }): Body<Shipment>,
) -> Result<Done, Problem> {
    let ship = OrderCommand::Ship { order, parcel };
    Ok(Done(bus.send(ship).context(context(&headers)?).await?))
}

#[derive(Deserialize)]
struct Cancellation {
    reason: String,
}

async fn cancel_order(
    State(bus): State<Bus>,
    Path(order): Path<String>,
    headers: HeaderMap,
    Body(Cancellation { reason }): Body<Cancellation>,
) -> Result<Done, Problem> {
    let cancel = CancelOrder { order, reason };
    Ok(Done(bus.send(cancel).context(context(&headers)?).await?))
}

async fn show_order(
    State(bus): State<Bus>,
    Path(order): Path<String>,
) -> Result<Response, Problem> {
    show(&bus.load::<Order>(&order).await?)
}

#[derive(Deserialize)]
struct Delivery {
    quantity: u32,
}

async fn deliver(
    State(bus): State<Bus>,
    Path(product): Path<String>,
    headers: HeaderMap,
    Body(Delivery { quantity }): Body<Delivery>,
) -> Result<Done, Problem> {
    let deliver = StockCommand::Deliver { product, quantity };
    Ok(Done(bus.send(deliver).context(context(&headers)?).await?))
}

async fn show_stock(
    State(bus): State<Bus>,
    Path(product): Path<String>,
) -> Result<Response, Problem> {
    show(&bus.load::<Stock>(&product).await?)
}

/// An aggregate as a response, with its version as the entity tag.
fn show<A: Aggregate + Serialize>(loaded: &Loaded<A>) -> Result<Response, Problem> {
    if !loaded.exists() {
        return Err(Problem::not_found(&format!("there is no {}", loaded.stream)));
    }
    let tag = [(header::ETAG, entity_tag(loaded.version))];
    Ok((tag, Json(&loaded.state)).into_response())
}

/// The outcome of a command, with the new version as the entity tag.
struct Done(Committed);

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        let Self(committed) = self;
        let tag = [(header::ETAG, entity_tag(committed.version))];
        let body = serde_json::json!({
            "version": committed.version,
            "position": committed.position,
        });
        (tag, Json(body)).into_response()
    }
}

fn entity_tag(version: Version) -> String {
    format!("\"{version}\"")
}

/// What the headers say about a command: `Idempotency-Key`, and `If-Match` with the version the client has seen.
fn context(headers: &HeaderMap) -> Result<DispatchContext, Problem> {
    let text = |name: &str| {
        let value = headers.get(name).map(|value| value.to_str());
        value.transpose().map_err(|_| Problem::invalid(&format!("the header {name} is not text")))
    };
    let mut context = DispatchContext::new();
    if let Some(key) = text("idempotency-key")? {
        context = context.idempotency_key(key);
    }
    if let Some(tag) = text("if-match")? {
        let version = tag.trim_matches('"').parse().map(Version::new);
        let version =
            version.map_err(|_| Problem::invalid(&"If-Match is not a tag of this service"))?;
        context = context.expected_version(version);
    }
    Ok(context)
}

//! The HTTP interface: requests become commands, outcomes become responses.

use axum::extract::{FromRef, FromRequest, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use cqrs::prelude::*;
use cqrs::{DispatchContext, LogFilter, StreamId, Version};
use serde::Deserialize;

use crate::checkout::{CancelOrder, PlaceOrder};
use crate::live::{self, Stopping};
use crate::order::{Order, OrderCommand, OrderEvent};
use crate::problem::Problem;
use crate::queries::{NewestOrders, ShowOrder};
use crate::stock::{Stock, StockCommand};
use crate::view::OrderRow;

/// How many orders are shown together.
const NEWEST: NewestOrders = NewestOrders { count: 50 };

/// What handlers need. A bus is cheap to clone.
#[derive(Clone, FromRef)]
struct Service {
    bus: Bus,
    stopping: Stopping,
}

/// The service over this bus.
pub fn router(bus: Bus, stopping: Stopping) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/orders", get(newest_orders))
        .route("/orders/live", get(newest_orders_live))
        .route("/orders/{order}", get(show_order).put(start_order))
        .route("/orders/{order}/live", get(show_order_live))
        .route("/orders/{order}/lines", post(add_line))
        .route("/orders/{order}/place", post(place_order))
        .route("/orders/{order}/pay", post(pay_order))
        .route("/orders/{order}/ship", post(ship_order))
        .route("/orders/{order}/cancel", post(cancel_order))
        .route("/stock/{product}", get(show_stock))
        .route("/stock/{product}/deliveries", post(deliver))
        .fallback(|| async { Problem::not_found(&"there is nothing at this address") })
        .with_state(Service { bus, stopping })
}

/// The live page: one file, which talks to nobody but this service.
async fn page() -> Response {
    const POLICY: &str = "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; \
                          script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
    let headers = [(header::CONTENT_SECURITY_POLICY, POLICY)];
    (headers, Html(include_str!("page.html"))).into_response()
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
    let done = bus.send(start).context(context(&headers)?).await?;
    Ok(shown(&bus, done, StatusCode::CREATED).await)
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
) -> Result<Response, Problem> {
    let NewLine { product, quantity, cents_each } = line;
    let add = OrderCommand::AddLine { order, product, quantity, cents_each };
    let done = bus.send(add).context(context(&headers)?).await?;
    Ok(shown(&bus, done, StatusCode::OK).await)
}

async fn place_order(
    State(bus): State<Bus>,
    Path(order): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let done = bus.send(PlaceOrder { order }).context(context(&headers)?).await?;
    Ok(shown(&bus, done, StatusCode::OK).await)
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
) -> Result<Response, Problem> {
    let pay = OrderCommand::Pay { order, reference };
    let done = bus.send(pay).context(context(&headers)?).await?;
    Ok(shown(&bus, done, StatusCode::OK).await)
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
) -> Result<Response, Problem> {
    let ship = OrderCommand::Ship { order, parcel };
    let done = bus.send(ship).context(context(&headers)?).await?;
    Ok(shown(&bus, done, StatusCode::OK).await)
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
) -> Result<Response, Problem> {
    let cancel = CancelOrder { order, reason };
    let done = bus.send(cancel).context(context(&headers)?).await?;
    Ok(shown(&bus, done, StatusCode::OK).await)
}

async fn show_order(
    State(bus): State<Bus>,
    Path(order): Path<String>,
) -> Result<Response, Problem> {
    let shown = bus.ask(ShowOrder { order: order.clone() }).await?;
    let row = shown.ok_or_else(|| Problem::not_found(&format!("there is no order `{order}`")))?;
    let tag = [(header::ETAG, entity_tag(Version::new(row.version)))];
    Ok((tag, Json(row)).into_response())
}

async fn show_order_live(
    State(bus): State<Bus>,
    State(stopping): State<Stopping>,
    Path(order): Path<String>,
) -> Result<Response, Problem> {
    let stream = StreamId::new(Order::CATEGORY, &order)?;
    Ok(live::events(bus.ask(ShowOrder { order }).updates(stream), stopping))
}

async fn newest_orders(State(bus): State<Bus>) -> Result<Json<Vec<OrderRow>>, Problem> {
    Ok(Json(bus.ask(NEWEST).await?))
}

async fn newest_orders_live(State(bus): State<Bus>, State(stopping): State<Stopping>) -> Response {
    let order_events = LogFilter::all().events_of::<OrderEvent>();
    live::events(bus.ask(NEWEST).updates(order_events), stopping)
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
    let committed = bus.send(deliver).context(context(&headers)?).await?;
    Ok(Done { committed, order: None })
}

async fn show_stock(
    State(bus): State<Bus>,
    Path(product): Path<String>,
) -> Result<Response, Problem> {
    let loaded = bus.load::<Stock>(&product).await?;
    if !loaded.exists() {
        return Err(Problem::not_found(&format!("there is no {}", loaded.stream)));
    }
    let tag = [(header::ETAG, entity_tag(loaded.version))];
    Ok((tag, Json(&loaded.state)).into_response())
}

/// The outcome of a command about an order, with the order as it is now: a client reads what it has written.
///
/// What is done is done. When the order can't be read in time, the answer is "accepted", without it.
async fn shown(bus: &Bus, done: Committed, status: StatusCode) -> Response {
    let order = done.stream.key().to_owned();
    match bus.ask(ShowOrder { order }).after(&done).await {
        Ok(order) => (status, Done { committed: done, order }).into_response(),
        Err(error) => {
            eprintln!("orders-http: {error}");
            let done = Done { committed: done, order: None };
            (StatusCode::ACCEPTED, done).into_response()
        }
    }
}

/// The outcome of a command, with the new version as the entity tag.
struct Done {
    committed: Committed,
    order: Option<OrderRow>,
}

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        let Self { committed, order } = self;
        let tag = [(header::ETAG, entity_tag(committed.version))];
        let mut body = serde_json::json!({
            "version": committed.version,
            "position": committed.position,
        });
        if let Some(order) = order {
            body["order"] = serde_json::json!(order);
        }
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

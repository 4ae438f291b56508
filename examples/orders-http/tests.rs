//! The service as a client sees it.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, BodyDataStream, to_bytes};
use axum::http::{Method, Request, StatusCode};
use cqrs::{Running, SqliteStore};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::ServiceExt as _;

use crate::live::Stopping;
use crate::{build_bus, routes, start_view};

const LONG: Duration = Duration::from_mins(1);

struct Client {
    router: Router,
    store: SqliteStore,
    view: Option<Running>,
    stop: watch::Sender<bool>,
}

impl Client {
    async fn new() -> Self {
        let store = SqliteStore::in_memory().await.unwrap();
        let view = start_view(store.clone(), store.model()).await.unwrap();
        let bus = build_bus(store.clone(), store.model(), &view).unwrap();
        let view = Some(view);
        let (stop, stopping) = Stopping::new();
        Self { router: routes::router(bus, stopping), store, view, stop }
    }

    /// Sends a request with these headers; returns status, content type, and body.
    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> (StatusCode, String, Value) {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_null() {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(Body::from(body.to_string())).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, content_type, serde_json::from_slice(&body).unwrap())
    }

    async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        let (status, _, body) = self.send(Method::POST, path, &[], body).await;
        (status, body)
    }

    async fn get(&self, path: &str) -> Value {
        let (status, _, body) = self.send(Method::GET, path, &[], Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body
    }

    /// The stream of events at this address.
    async fn live(&self, path: &str) -> Live {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Live { body: response.into_body().into_data_stream(), unread: String::new() }
    }

    /// An order of two packets of tea, of which `stock` are in stock.
    async fn with_order(stock: u32) -> Self {
        let client = Self::new().await;
        let delivered = client.post("/stock/tea/deliveries", json!({"quantity": stock})).await;
        assert_eq!(delivered.0, StatusCode::OK);
        let order = json!({"customer": "c-1"});
        let (status, ..) = client.send(Method::PUT, "/orders/o-1", &[], order).await;
        assert_eq!(status, StatusCode::CREATED);
        let line = json!({"product": "tea", "quantity": 2, "cents_each": 450});
        assert_eq!(client.post("/orders/o-1/lines", line).await.0, StatusCode::OK);
        client
    }
}

struct Live {
    body: BodyDataStream,
    unread: String,
}

impl Live {
    /// The next event, as its type and its data; nothing at the end of the stream.
    async fn next(&mut self) -> Option<(String, Value)> {
        // All of it: comments keep coming where no event does.
        tokio::time::timeout(LONG, self.read()).await.unwrap()
    }

    async fn read(&mut self) -> Option<(String, Value)> {
        loop {
            while let Some((block, rest)) = self.unread.split_once("\n\n") {
                let field = |name| block.lines().find_map(|line: &str| line.strip_prefix(name));
                let event = field("event: ").unwrap_or("message").to_owned();
                let data = field("data: ").map(|data| serde_json::from_str(data).unwrap());
                self.unread = rest.to_owned();
                if let Some(data) = data {
                    return Some((event, data));
                }
            }
            let bytes = self.body.next().await?;
            self.unread.push_str(str::from_utf8(&bytes.unwrap()).unwrap());
        }
    }

    async fn answer(&mut self) -> Value {
        let (event, data) = self.next().await.unwrap();
        assert_eq!(event, "message", "{data}");
        data
    }
}

#[tokio::test]
async fn an_order_goes_its_way() {
    let client = Client::with_order(10).await;
    for (step, body) in [
        ("place", Value::Null),
        ("pay", json!({"reference": "r-1"})),
        ("ship", json!({"parcel": "p-1"})),
    ] {
        let (status, body) = client.post(&format!("/orders/o-1/{step}"), body).await;
        assert_eq!(status, StatusCode::OK, "{step}: {body}");
    }
    let order = client.get("/orders/o-1").await;
    assert_eq!((&order["status"], &order["total_cents"]), (&json!("shipped"), &json!(900)));
    assert_eq!(client.get("/stock/tea").await["available"], 8);
}

#[tokio::test]
async fn what_the_domain_refuses_is_422_and_reserves_nothing() {
    let client = Client::with_order(1).await;
    let (status, content_type, problem) =
        client.send(Method::POST, "/orders/o-1/place", &[], Value::Null).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(content_type, "application/problem+json");
    assert_eq!(problem["status"], 422);
    assert_eq!(problem["detail"], "only 1 of `tea` are in stock");
    assert_eq!(client.get("/stock/tea").await["available"], 1);
}

#[tokio::test]
async fn a_version_seen_too_long_ago_is_409() {
    let client = Client::with_order(10).await;
    let line = json!({"product": "tea", "quantity": 1, "cents_each": 450});
    let path = "/orders/o-1/lines";
    let stale = client.send(Method::POST, path, &[("if-match", "\"1\"")], line.clone()).await;
    assert_eq!((stale.0, &*stale.1), (StatusCode::CONFLICT, "application/problem+json"));
    let current = client.send(Method::POST, path, &[("if-match", "\"2\"")], line).await;
    assert_eq!(current.0, StatusCode::OK, "{}", current.2);
}

#[tokio::test]
async fn a_repeated_request_happens_once() {
    let client = Client::with_order(10).await;
    let line = json!({"product": "tea", "quantity": 1, "cents_each": 450});
    let key = [("idempotency-key", "k-1")];
    let first = client.send(Method::POST, "/orders/o-1/lines", &key, line.clone()).await;
    let again = client.send(Method::POST, "/orders/o-1/lines", &key, line).await;
    assert_eq!(first, again);
    assert_eq!(client.get("/orders/o-1").await["lines"]["tea"], 3);
}

#[tokio::test]
async fn an_order_placed_twice_at_once_is_placed_once_and_keeps_its_stock() {
    let client = Client::with_order(10).await;
    let place = || client.post("/orders/o-1/place", Value::Null);
    let (first, second) = tokio::join!(place(), place());
    for (status, body) in [first, second, place().await] {
        assert!([StatusCode::OK, StatusCode::CONFLICT].contains(&status), "{body}");
    }
    assert_eq!(client.get("/orders/o-1").await["status"], "placed");
    assert_eq!(client.get("/stock/tea").await["available"], 8);
}

#[tokio::test]
async fn a_cancellation_that_was_cut_off_is_sent_again() {
    let client = Client::with_order(10).await;
    client.post("/orders/o-1/place", Value::Null).await;
    for _ in 0..2 {
        let (status, body) = client.post("/orders/o-1/cancel", json!({"reason": "late"})).await;
        assert_eq!(status, StatusCode::OK, "{body}");
    }
    assert_eq!(client.get("/stock/tea").await["available"], 10);
}

#[tokio::test]
async fn a_cancelled_order_releases_its_stock() {
    let client = Client::with_order(10).await;
    client.post("/orders/o-1/place", Value::Null).await;
    assert_eq!(client.get("/stock/tea").await["available"], 8);
    let (status, _) = client.post("/orders/o-1/cancel", json!({"reason": "late"})).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(client.get("/stock/tea").await["available"], 10);
}

#[tokio::test]
async fn the_response_to_a_command_has_the_order_as_it_then_is() {
    let client = Client::with_order(10).await;
    for quantity in 3..20 {
        let line = json!({"product": "tea", "quantity": 1, "cents_each": 450});
        let (status, body) = client.post("/orders/o-1/lines", line).await;
        assert_eq!((status, &body["order"]["lines"]["tea"]), (StatusCode::OK, &json!(quantity)));
        assert_eq!(body["version"], body["order"]["version"]);
    }
}

#[tokio::test]
async fn what_is_done_while_orders_can_not_be_read_is_accepted() {
    let mut client = Client::with_order(10).await;
    client.view.take().unwrap().stop().await;
    let (status, body) = client.post("/orders/o-1/place", Value::Null).await;
    assert_eq!((status, &body["version"]), (StatusCode::ACCEPTED, &json!(3)));
    assert_eq!(body.get("order"), None);
}

#[tokio::test]
async fn the_newest_orders_come_first_and_again_when_they_change() {
    let client = Client::new().await;
    let mut live = client.live("/orders/live").await;
    assert_eq!(live.answer().await, json!([]));
    for (order, ids) in [("o-1", json!(["o-1"])), ("o-2", json!(["o-2", "o-1"]))] {
        let body = json!({"customer": "<b>c</b>"});
        client.send(Method::PUT, &format!("/orders/{order}"), &[], body).await;
        let orders = live.answer().await;
        let shown: Value =
            orders.as_array().unwrap().iter().map(|order| &order["id"]).cloned().collect();
        assert_eq!(shown, ids);
        assert_eq!(client.get("/orders").await, orders);
    }
    client.post("/orders/o-1/cancel", json!({"reason": "late"})).await;
    assert_eq!(live.answer().await[1]["status"], "cancelled");
}

#[tokio::test]
async fn an_order_is_followed_by_itself() {
    let client = Client::new().await;
    let mut live = client.live("/orders/o-1/live").await;
    assert_eq!(live.answer().await, Value::Null);
    for order in ["o-2", "o-1"] {
        let path = format!("/orders/{order}");
        client.send(Method::PUT, &path, &[], json!({"customer": "c-1"})).await;
    }
    let order = live.answer().await;
    assert_eq!((&order["id"], &order["status"]), (&json!("o-1"), &json!("open")));
}

#[tokio::test]
async fn a_failure_is_told_and_ends_the_stream() {
    let client = Client::new().await;
    client.store.close().await;
    let mut live = client.live("/orders/live").await;
    let (event, problem) = live.next().await.unwrap();
    assert_eq!((&*event, &problem["status"]), ("problem", &json!(503)));
    assert_eq!(live.next().await, None);
}

#[tokio::test]
async fn streams_end_with_the_service() {
    let client = Client::new().await;
    let mut live = client.live("/orders/live").await;
    live.answer().await;
    let mut end = pin!(live.next());
    let early = tokio::time::timeout(Duration::from_millis(100), &mut end).await;
    assert!(early.is_err(), "{early:?}");
    client.stop.send_replace(true);
    assert_eq!(end.await, None);
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_can_not_be_read_is_a_problem() {
    let client = Client::new().await;
    let (status, content_type, _) =
        client.send(Method::GET, "/orders/nobody", &[], Value::Null).await;
    assert_eq!((status, &*content_type), (StatusCode::NOT_FOUND, "application/problem+json"));
    let (status, _) = client.post("/orders/nobody/pay", json!({"reference": "r"})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, content_type, _) =
        client.send(Method::PUT, "/orders/o-1", &[], json!({"customer": 7})).await;
    assert_eq!(
        (status, &*content_type),
        (StatusCode::UNPROCESSABLE_ENTITY, "application/problem+json")
    );
}

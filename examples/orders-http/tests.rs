//! The service as a client sees it.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode};
use cqrs::SqliteStore;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::{build_bus, routes};

struct Client(Router);

impl Client {
    async fn new() -> Self {
        let store = SqliteStore::in_memory().await.unwrap();
        Self(routes::router(build_bus(Arc::new(store)).unwrap()))
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
        let response = self.0.clone().oneshot(request).await.unwrap();
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

//! Errors in the form of RFC 9457, `application/problem+json`.

use std::fmt::Display;

use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cqrs::{DispatchError, InvalidStreamId, LoadError, QueryError};
use serde::Serialize;

use crate::order::OrderError;
use crate::queries::ReadError;
use crate::stock::StockError;

/// What is wrong with a request, or with the service.
#[derive(Debug, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    #[serde(serialize_with = "as_number")]
    status: StatusCode,
    detail: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    fn new(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: &impl Display,
    ) -> Self {
        Self { kind, title, status, detail: detail.to_string() }
    }

    pub fn not_found(detail: &impl Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "/problems/not-found", "Not found", detail)
    }

    pub fn invalid(detail: &impl Display) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self::new(status, "/problems/invalid", "The request can't be carried out", detail)
    }

    fn conflict(detail: &impl Display) -> Self {
        Self::new(StatusCode::CONFLICT, "/problems/conflict", "Someone else was faster", detail)
    }

    fn unavailable(detail: &impl Display) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::new(status, "/problems/unavailable", "Try again later", detail)
    }

    /// A failure of ours: the detail goes to the log, not to the caller.
    fn internal(error: &impl Display) -> Self {
        eprintln!("orders-http: {error}");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, "/problems/internal", "The service failed", &"see its log")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = axum::Json(&self).into_response();
        let mut response = (self.status, body).into_response();
        let content_type = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// What each kind of failure of a command means to a client.
impl<E: Into<Problem> + std::error::Error> From<DispatchError<E>> for Problem {
    fn from(error: DispatchError<E>) -> Self {
        match error {
            DispatchError::Rejected(refusal) => refusal.into(),
            error @ (DispatchError::Conflict(_) | DispatchError::Stale(_)) => {
                Self::conflict(&error)
            }
            DispatchError::Invalid(invalid) => Self::invalid(&invalid),
            DispatchError::Store(error) if error.may_retry() => {
                Self::unavailable(&"the store is busy")
            }
            DispatchError::Stopped(error) => Self::unavailable(&error),
            DispatchError::OutcomeUnknown(_) => Self::unavailable(
                &"it is unknown whether this happened; repeat it with its Idempotency-Key",
            ),
            error => Self::internal(&error),
        }
    }
}

/// The same for a query.
impl<E: Into<Problem> + std::error::Error> From<QueryError<E>> for Problem {
    fn from(error: QueryError<E>) -> Self {
        match error {
            QueryError::Failed(error) => error.into(),
            QueryError::NotYet(_) => Self::unavailable(&"the orders do not show it yet"),
            QueryError::Store(error) if error.may_retry() => {
                Self::unavailable(&"the store is busy")
            }
            QueryError::Stopped(error) => Self::unavailable(&error),
            error => Self::internal(&error),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        if error.is_outage {
            return Self::unavailable(&"the orders can't be read just now");
        }
        Self::internal(&error)
    }
}

impl From<OrderError> for Problem {
    fn from(error: OrderError) -> Self {
        match error {
            OrderError::NotFound => Self::not_found(&error),
            error => Self::invalid(&error),
        }
    }
}

impl From<InvalidStreamId> for Problem {
    fn from(error: InvalidStreamId) -> Self {
        Self::not_found(&error)
    }
}

impl From<StockError> for Problem {
    fn from(error: StockError) -> Self {
        Self::invalid(&error)
    }
}

impl From<LoadError> for Problem {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Stream(error) => error.into(),
            error if error.may_retry() => Self::unavailable(&"the store is busy"),
            error => Self::internal(&error),
        }
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(
            rejection.status(),
            "/problems/malformed",
            "The body can't be read",
            &rejection.body_text(),
        )
    }
}

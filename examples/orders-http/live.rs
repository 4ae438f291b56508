//! Answers that go on: queries as server-sent events.

use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use cqrs::Updates;
use cqrs::prelude::*;
use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use tokio::sync::watch;

use crate::problem::Problem;

/// How soon a client comes back that has lost the connection.
const RETRY: Duration = Duration::from_secs(1);

/// Tells streams, which would go on for ever, that the service ends.
#[derive(Clone)]
pub struct Stopping(watch::Receiver<bool>);

impl Stopping {
    /// Set the other end to true when the service ends. Streams end as well when it is dropped.
    pub fn new() -> (watch::Sender<bool>, Self) {
        let (stop, stopping) = watch::channel(false);
        (stop, Self(stopping))
    }

    async fn wait(mut self) {
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// An event for each answer, with the whole of it, beginning with the present one.
///
/// When there is no answer, an event `problem` tells why, and the stream ends: the client comes back, and begins with the
/// answer as it is then. Comments in between keep the connection open.
pub fn events<Q>(updates: Updates<Q>, stopping: Stopping) -> Response
where
    Q: Query<Error: Into<Problem>>,
    Q::Output: Serialize + PartialEq + Clone,
{
    let answers = stream::unfold(Some(updates), |updates| async {
        let mut updates = updates?;
        Some(match updates.next().await {
            Ok(answer) => (Event::default().json_data(answer), Some(updates)),
            Err(error) => (Event::default().event("problem").json_data(Problem::from(error)), None),
        })
    });
    let retry = stream::iter([Ok(Event::default().retry(RETRY))]);
    let events = retry.chain(answers).take_until(stopping.wait());
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

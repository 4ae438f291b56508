//! Traces and metrics of what goes over the bus.

use std::time::Instant;

use tracing::Span;

use super::Kind;
use crate::context::DispatchContext;

/// The span around a dispatch.
pub(super) fn span(kind: Kind, name: &'static str, context: &DispatchContext) -> Span {
    match kind {
        Kind::Command => tracing::info_span!(
            "command",
            command = name,
            message = %context.id(),
            correlation = %context.correlation_id(),
        ),
        Kind::Query => tracing::info_span!(
            "query",
            query = name,
            message = %context.id(),
            correlation = %context.correlation_id(),
        ),
    }
}

/// Counts a conflict, whether or not the command is decided on again.
#[cfg_attr(
    not(feature = "metrics"),
    expect(unused_variables, reason = "only metrics have the label")
)]
pub(crate) fn conflict(command: &'static str) {
    #[cfg(feature = "metrics")]
    metrics::counter!("cqrs_conflicts_total", "command" => command).increment(1);
}

/// Measures a dispatch from start to stop.
pub(super) struct Watch {
    kind: Kind,
    name: &'static str,
    /// Nothing where nobody wants to know how long it takes: asking for the time is a good part of a dispatch.
    began: Option<Instant>,
}

impl Watch {
    pub(super) fn start(kind: Kind, name: &'static str) -> Self {
        let is_wanted = cfg!(feature = "metrics") || tracing::enabled!(tracing::Level::DEBUG);
        Self { kind, name, began: is_wanted.then(Instant::now) }
    }

    /// The dispatch is over; `error` is the kind of error it ended with.
    pub(super) fn stop(self, error: Option<&'static str>) {
        let Some(began) = self.began else { return };
        let took = began.elapsed();
        match error {
            None => tracing::debug!(?took, "done"),
            Some(error) => tracing::debug!(?took, error, "failed"),
        }
        #[cfg(feature = "metrics")]
        {
            let outcome = error.unwrap_or("ok");
            let (count, seconds, label) = match self.kind {
                Kind::Command => ("cqrs_commands_total", "cqrs_command_seconds", "command"),
                Kind::Query => ("cqrs_queries_total", "cqrs_query_seconds", "query"),
            };
            metrics::counter!(count, label => self.name, "outcome" => outcome).increment(1);
            metrics::histogram!(seconds, label => self.name).record(took.as_secs_f64());
        }
        #[cfg(not(feature = "metrics"))]
        let _ = (self.kind, self.name);
    }
}

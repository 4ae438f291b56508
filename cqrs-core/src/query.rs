//! Queries and what answers them.

use std::future::Future;

use crate::context::DispatchContext;

/// A question that changes nothing. Derive it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a query",
    label = "not a query",
    note = "add `#[derive(Clone, Query)]` and `#[query(output = …)]` to `{Self}`"
)]
pub trait Query: Clone + Send + Sync + 'static {
    /// Its name in traces, metrics and errors.
    const NAME: &'static str;

    /// The answer.
    type Output: Send + 'static;

    /// Why there is no answer.
    type Error: std::error::Error + Send + Sync + 'static;
}

/// Answers a query. Implemented for functions and closures `Fn(Q) -> impl Future<Output = Result<_, _>>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not answer the query `{Q}`",
    label = "does not answer `{Q}`",
    note = "give an `async` closure or function that takes `{Q}` and returns `Result<Output, Error>` of the query, \
            or write `impl QueryHandler<{Q}> for {Self}`"
)]
pub trait QueryHandler<Q: Query>: Send + Sync + 'static {
    /// Answers `query`; `context` tells who asks. When the future is dropped, the answer is lost and nothing else.
    fn handle(
        &self,
        query: Q,
        context: &DispatchContext,
    ) -> impl Future<Output = Result<Q::Output, Q::Error>> + Send;
}

impl<Q, F, Answer> QueryHandler<Q> for F
where
    Q: Query,
    F: Fn(Q) -> Answer + Send + Sync + 'static,
    Answer: Future<Output = Result<Q::Output, Q::Error>> + Send,
{
    fn handle(
        &self,
        query: Q,
        _: &DispatchContext,
    ) -> impl Future<Output = Result<Q::Output, Q::Error>> + Send {
        self(query)
    }
}

//! Middleware of `tower` around commands and queries.

use std::convert::Infallible;
use std::future::IntoFuture as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cqrs::prelude::*;
use cqrs::{BoxError, MemoryStore, Reply, Request};
use tower::filter::FilterLayer;
use tower::limit::ConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower::timeout::TimeoutLayer;
use tower::util::MapResponseLayer;

use crate::domain::{Add, Counter, CounterError, add};

#[derive(Debug, Clone, Query)]
#[query(output = ())]
struct Wait(Duration);

async fn wait(query: Wait) -> Result<(), Infallible> {
    tokio::time::sleep(query.0).await;
    Ok(())
}

#[tokio::test]
async fn layers_see_the_message_and_its_context_and_may_refuse_it() {
    let rights = FilterLayer::new(|request: Request| -> Result<Request, BoxError> {
        let actor = request.context().details().actor.as_deref();
        let amount = request.downcast_ref::<Add>().map(|add| add.amount);
        match (request.name(), actor, amount) {
            ("Add", Some("ada"), _) | ("Add", _, Some(..=10)) => Ok(request),
            _ => Err("only ada adds more than 10".into()),
        }
    });
    let bus = Bus::builder(MemoryStore::new())
        .aggregate::<Counter>()
        .command_layer(rights)
        .build()
        .unwrap();
    bus.send(add("a", 10)).await.unwrap();
    bus.send(add("a", 11)).actor("ada").await.unwrap();
    let refused = bus.send(add("a", 11)).await.unwrap_err();
    assert!(matches!(refused, DispatchError::Stopped(_)), "{refused}");
    assert!(refused.to_string().contains("only ada"), "{refused}");
    assert_eq!(bus.load::<Counter>("a").await.unwrap().state.sum, 21);
}

#[tokio::test]
async fn results_and_errors_keep_their_types_through_layers() {
    let refusals = Arc::new(AtomicUsize::new(0));
    let seen = refusals.clone();
    let bus = Bus::builder(MemoryStore::new())
        .aggregate::<Counter>()
        .command_layer(MapResponseLayer::new(move |reply: Reply| {
            seen.fetch_add(usize::from(reply.is_refused()), Ordering::Relaxed);
            reply
        }))
        .command_layer(TimeoutLayer::new(Duration::from_mins(1)))
        .command_layer(LoadShedLayer::new())
        .command_layer(ConcurrencyLimitLayer::new(8))
        .build()
        .unwrap();
    assert_eq!(bus.send(add("a", 1)).await.unwrap().events, 1);
    let refused = bus.send(add("a", -2)).await.unwrap_err();
    assert_eq!(refused.rejection(), Some(&CounterError::Negative));
    let invalid = bus.send(add("", 1)).await.unwrap_err();
    assert!(matches!(invalid, DispatchError::Invalid(_)), "{invalid}");
    assert_eq!(refusals.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_timeout_around_queries_stops_them() {
    let limited = |limit| {
        Bus::builder(MemoryStore::new())
            .query_handler(wait)
            .query_layer(TimeoutLayer::new(limit))
            .build()
            .unwrap()
    };
    limited(Duration::from_hours(1)).ask(Wait(Duration::ZERO)).await.unwrap();
    let bus = limited(Duration::from_secs(1));
    let stopped = bus.ask(Wait(Duration::from_hours(1))).await.unwrap_err();
    assert!(matches!(stopped, QueryError::Stopped(_)), "{stopped}");
}

/// Sends another command.
#[derive(Debug, Clone, Command)]
#[command(error = CounterError)]
struct Twice(Add);

struct Doubler;

impl CommandHandler<Twice> for Doubler {
    async fn handle(
        &self,
        command: Twice,
        context: &CommandContext,
    ) -> Result<(), DispatchError<CounterError>> {
        context.send(command.0.clone()).await?;
        context.send(command.0).await?;
        Ok(())
    }
}

#[tokio::test]
async fn a_limit_around_commands_does_not_hold_back_what_a_handler_sends() {
    let bus = Bus::builder(MemoryStore::new())
        .aggregate::<Counter>()
        .command_handler(Doubler)
        .command_layer(ConcurrencyLimitLayer::new(1))
        .build()
        .unwrap();
    // Otherwise the limit waits for itself.
    let sent = bus.send(Twice(add("a", 1))).into_future();
    tokio::time::timeout(Duration::from_secs(30), sent).await.unwrap().unwrap();
    assert_eq!(bus.load::<Counter>("a").await.unwrap().state.sum, 2);
}

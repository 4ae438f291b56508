//! Waiting until a view shows something.

use std::sync::atomic::Ordering;
use std::time::Duration;

use cqrs::prelude::*;
use cqrs::{Position, Projections, QueryError};

use super::{LONG, Setting};
use crate::domain::{Counter, add};

#[derive(Debug, Clone, Query)]
#[query(output = String)]
struct Show(&'static str);

#[tokio::test]
async fn an_answer_after_a_command_shows_its_outcome() {
    let setting = Setting::new();
    let (running, refused) = setting.start();
    let model = setting.model.clone();
    let bus = Bus::builder(setting.store.clone())
        .aggregate::<Counter>()
        .view(running.progress())
        .query_handler(move |Show(counter)| {
            let history = model.read(|all| all.get(counter).cloned().unwrap_or_default().join(" "));
            async move { Ok(history) }
        })
        .build()
        .unwrap();
    for amount in 0..50 {
        let done = bus.send(add("a", amount)).await.unwrap();
        let shown = bus.ask(Show("a")).after(&done).patience(LONG).await.unwrap();
        assert!(shown.ends_with(&amount.to_string()), "{amount}: {shown}");
    }
    // A view that does not come so far in time says how far it is.
    refused.store(99, Ordering::SeqCst);
    let done = bus.send(add("a", 99)).await.unwrap();
    let late = bus.ask(Show("a")).after(&done).patience(Duration::from_millis(1)).await;
    assert!(matches!(late, Err(QueryError::NotYet(_))), "{late:?}");
    // And so does one in which the stream of the command is parked, however long one waits.
    let parked = bus.ask(Show("a")).after(&done).patience(LONG).await.unwrap_err().to_string();
    assert!(parked.contains("`counter/a`, which is parked"), "{parked}");
    bus.ask(Show("b")).after(done.position).patience(LONG).await.unwrap();
}

#[tokio::test]
async fn a_process_that_does_not_run_the_projection_waits_for_it_as_well() {
    let setting = Setting::new();
    let (first, refused) = setting.start();
    first.wait_for(setting.add("a", &[1]).await, LONG).await.unwrap();
    // One that stands by, and one that has started nothing.
    let (second, refused_by_second) = setting.start();
    let elsewhere = Projections::new(setting.store.clone(), setting.model.clone());
    for progress in [second.progress(), elsewhere.progress("histories")] {
        let last = setting.add("a", &[2]).await;
        progress.wait_for(last, LONG).await.unwrap();
        assert!(setting.history("a").ends_with("2 named"));
        let not_yet = progress.wait_for(Position::new(1_000), Duration::from_millis(20)).await;
        let not_yet = not_yet.unwrap_err();
        assert_eq!(not_yet.position, Some(last), "{not_yet}");
        assert!(not_yet.to_string().contains("positions behind"), "{not_yet}");
    }
    // Whoever of the two has the lease by now.
    for refused in [refused, refused_by_second] {
        refused.store(13, Ordering::SeqCst);
    }
    let done = setting.bus.send(add("a", 13)).await.unwrap();
    let parked = elsewhere.progress("histories").wait_for(&done, LONG).await.unwrap_err();
    assert!(parked.is_parked, "{parked}");
    let missing = elsewhere.progress("others").wait_for(done.position, Duration::ZERO).await;
    assert_eq!(missing.unwrap_err().position, None);
}

#[tokio::test]
async fn who_waits_is_told_when_the_projection_stops() {
    let setting = Setting::new();
    let (running, _) = setting.start();
    let progress = running.progress();
    let waiting = tokio::spawn(async move { progress.wait_for(Position::new(9), LONG).await });
    running.stop().await;
    let not_yet = waiting.await.unwrap().unwrap_err();
    assert!(not_yet.to_string().contains("(Stopped in this process)"), "{not_yet}");
}

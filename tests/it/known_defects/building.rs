//! Read models that are lost, doubled or half made when a program starts again.

use std::path::Path;

use cqrs::prelude::*;
use cqrs::{BoxError, EventStore as _, Maintain, Projector, Received, Rows, Store};

use super::add;
use crate::domain::CounterEvent;
use crate::projections::LONG;

#[derive(Debug, Clone, PartialEq, View)]
#[view(name = "seen", key(counter), events(CounterEvent), index(times))]
struct Seen {
    counter: String,
    times: i64,
}

impl Fold<CounterEvent> for Seen {
    fn rows(_: &CounterEvent, received: &Received<'_>) -> impl IntoIterator<Item = String> {
        Some(received.stream.key().to_owned())
    }

    fn fold(
        row: &mut Option<Self>,
        counter: &String,
        _: &CounterEvent,
        _: &Received<'_>,
    ) -> Result<(), BoxError> {
        row.get_or_insert_with(|| Self { counter: counter.clone(), times: 0 }).times += 1;
        Ok(())
    }
}

/// One start of a program: its schema is made where it is not there, and an event comes.
async fn once_more<M: Rows<Seen> + Maintain>(store: impl Store + Clone, model: M, times: i64) {
    let running =
        Projector::new(store.clone()).slots(4).workers(2).start_view::<Seen>(model.clone());
    let last = add(&store, "a", "counter.added", 1).await.position;
    running.wait_for(last, LONG).await.unwrap();
    let row = model.row(&"a".to_owned()).await.unwrap();
    assert_eq!(row, Some(Seen { counter: "a".into(), times }));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_starting_again_makes_no_table_anew_and_takes_no_event_again_on_sqlite() {
    async fn start(path: &Path, times: i64) {
        let store = crate::stores::sqlite(path).await;
        once_more(store.clone(), store.model(), times).await;
        store.close().await;
    }
    let directory = tempfile::tempdir().unwrap();
    for times in 1..6 {
        start(&directory.path().join("again.db"), times).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_starting_again_makes_no_table_anew_and_takes_no_event_again_on_postgres() {
    let database = cqrs_test_harness::postgres().unwrap().database("again").await.unwrap();
    for times in 1..6 {
        let store = crate::stores::postgres(&database.url()).await;
        once_more(store.clone(), store.model(), times).await;
        store.close().await;
    }
}

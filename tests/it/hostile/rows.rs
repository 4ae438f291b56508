//! Rows of views whose keys and columns come from outside.

use std::collections::BTreeMap;
use std::time::Duration;

use cqrs::prelude::*;
use cqrs::{
    BoxError, MemoryStore, MemoryView, Projections, Projector, Received, Rows, Store, limits,
};
use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout};

use super::texts::with_arbitrary;
use super::{OnPostgres, OnSqlite, add, new_event, stream};
use crate::projections::LONG;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "hostile.kept")]
pub(super) struct Said {
    pub(super) text: String,
}

/// What was said last, by what was said.
#[derive(Debug, Clone, PartialEq, View)]
#[view(name = "kept", key(text), events(Said), index(again))]
pub(super) struct Kept {
    pub(super) text: String,
    pub(super) again: String,
    #[view(json)]
    pub(super) list: Vec<String>,
    pub(super) count: i64,
}

impl Fold<Said> for Kept {
    fn rows(event: &Said, _: &Received<'_>) -> impl IntoIterator<Item = String> {
        Some(event.text.clone())
    }

    fn fold(
        row: &mut Option<Self>,
        text: &String,
        _: &Said,
        received: &Received<'_>,
    ) -> Result<(), BoxError> {
        let new = || Self { text: text.clone(), again: String::new(), list: Vec::new(), count: 0 };
        let row = row.get_or_insert_with(new);
        row.count += 1;
        row.again.clone_from(text);
        row.list.push(received.stream.key().to_owned());
        Ok(())
    }
}

/// Each text has a row of its own under its own name; what can't be a key parks its stream, and the rest goes on.
async fn keys_are_data<M: Rows<Kept>>(store: impl Store + Clone, model: M) {
    let mut texts: Vec<String> = with_arbitrary(40).iter().map(ToString::to_string).collect();
    texts.push(String::new());
    texts.push("k".repeat(100_000));
    let refused: Vec<bool> = texts.iter().map(|text| text.contains('\0')).collect();
    for (number, text) in texts.iter().enumerate() {
        // JSON has a form for every text; that of a NUL is not taken for an event.
        let payload = cqrs::Payload::from_stored(
            serde_json::to_string(&Said { text: text.clone() }).unwrap(),
        );
        let said = new_event("hostile.kept", 1, payload);
        let again = cqrs::Payload::from_stored(said.payload().as_str());
        let again = new_event("hostile.kept", 1, again);
        add(&store, &stream("hostile", &number.to_string()), vec![said, again]).await;
    }
    let end = store.head().await.unwrap().last;
    let projector = Projector::new(store.clone()).attempts(1).max_parked(1_000);
    let running = projector.start_view::<Kept>(model.clone());
    let shown = running.wait_for(end, LONG).await;
    shown.unwrap_or_else(|error| panic!("{error}: {:?}", running.status()));

    let parked = Projections::new(store, model.clone()).parked("kept", 1).await.unwrap();
    for (number, (text, refused)) in texts.iter().zip(refused).enumerate() {
        let key = number.to_string();
        let is_parked = parked.iter().any(|parked| parked.stream.key() == key);
        match model.row(text).await {
            Ok(Some(row)) => {
                let expected = Kept {
                    text: text.clone(),
                    again: text.clone(),
                    list: vec![key.clone(), key],
                    count: 2,
                };
                assert_eq!(row, expected);
            }
            found => {
                // A NUL, and what is too large for an index.
                assert!(is_parked, "{text:.100?}: {found:?}");
                assert!(refused || text.len() > limits::MAX_KEY_BYTES, "{text:.100?}: {found:?}");
            }
        }
    }
    // Those who ask the database may know of a commit before its worker has told of it.
    let is_told = timeout(LONG, async {
        while running.status().position < end {
            sleep(Duration::from_millis(1)).await;
        }
    });
    is_told.await.unwrap_or_else(|_| panic!("{:?}", running.status()));
    running.stop().await;
}

#[tokio::test]
async fn g8_g13_keys_of_rows_are_data_in_memory() {
    keys_are_data(MemoryStore::new(), MemoryView::new(BTreeMap::new())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g8_g13_keys_of_rows_are_data_on_sqlite() {
    let place = OnSqlite::new().await;
    keys_are_data(place.store.clone(), place.store.model()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g8_g13_keys_of_rows_are_data_on_postgres() {
    let place = OnPostgres::new().await;
    keys_are_data(place.store.clone(), place.store.model()).await;
}

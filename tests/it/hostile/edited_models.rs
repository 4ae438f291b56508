//! Rows of views and checkpoints that someone has changed by hand: nothing panics, and who meets one is told.

use std::time::Duration;

use cqrs::{EventStore as _, Payload, Phase, Projections, Projector, Rows, Store};
use sqlx::AssertSqlSafe;
use tokio::time::timeout;

use super::rows::{Kept, Said};
use super::{OnPostgres, OnSqlite, add, new_event, stream};
use crate::projections::LONG;

async fn say(store: &impl Store, key: &str, text: &str) {
    let payload = Payload::of(&Said { text: text.to_owned() }).unwrap();
    add(store, &stream("hostile", key), vec![new_event("hostile.kept", 1, payload)]).await;
}

/// Lets a view take what there is, and ends it.
async fn taken<M: Rows<Kept>>(store: &(impl Store + Clone), model: &M) {
    let running = Projector::new(store.clone()).start_view::<Kept>(model.clone());
    let end = store.head().await.unwrap().last;
    running.wait_for(end, LONG).await.unwrap();
    running.stop().await;
}

/// Runs the view until it says something, or has seen all there is; one of the two happens, and nothing panics.
async fn goes_on_or_tells<M: Rows<Kept>>(store: &(impl Store + Clone), model: &M, edit: &str) {
    say(store, "later", "later").await;
    let end = store.head().await.unwrap().last;
    let projector = Projector::new(store.clone()).attempts(1).lease(Duration::from_millis(300));
    let running = projector.start_view::<Kept>(model.clone());
    let status = || running.status();
    let settled = timeout(LONG, async {
        loop {
            let now = status();
            let has_seen = !now.slots.is_empty() && now.position >= end;
            let is_parked = !now.parked.is_empty();
            // Whose lease is taken by somebody who never gives it back stands by.
            let ended = matches!(now.phase, Phase::Stopped | Phase::Standby);
            if has_seen || is_parked || ended || now.last_error.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    assert!(settled.await.is_ok(), "{edit}: {:?}", running.status());
    let projections = Projections::new(store.clone(), model.clone());
    let told = tokio::spawn(async move {
        let mut told = Vec::new();
        told.push(projections.status().await.map(|all| format!("{all:?}")));
        told.push(projections.parked("kept", 1).await.map(|all| format!("{all:?}")));
        told.push(projections.rescale("kept", 1, 2).await.map(|done| done.to_string()));
        told
    });
    let told = told.await.unwrap_or_else(|error| panic!("{edit}: {error}"));
    for error in told.into_iter().filter_map(Result::err) {
        assert!(error.to_string().len() > 20, "{edit}: {error}");
    }
    let stopped = running.stop().await.to_string();
    assert!(!stopped.contains("panicked"), "{edit}: {stopped}");
}

/// The tables are `cqrs_checkpoints` in a file, and `cqrs.checkpoints` on a server.
const EDITS: [&str; 19] = [
    "UPDATE #checkpoints SET position = 9223372036854775807",
    "UPDATE #checkpoints SET position = 281474976710656",
    "UPDATE #checkpoints SET position = -1",
    "UPDATE #checkpoints SET token = -9223372036854775808",
    "UPDATE #checkpoints SET commits = 9223372036854775807",
    "UPDATE #checkpoints SET commits = -1",
    "UPDATE #checkpoints SET events = 9223372036854775807",
    "UPDATE #checkpoints SET events = -1",
    "UPDATE #checkpoints SET slot = 1023",
    "UPDATE #checkpoints SET slot = -1",
    "UPDATE #checkpoints SET slot = 4294967296",
    "DELETE FROM #checkpoints",
    "UPDATE #projections SET events = ''",
    "UPDATE #projections SET events = 'a  b '",
    "UPDATE #projections SET replays_to = 9223372036854775807",
    "UPDATE #projections SET replays_to = -1",
    "UPDATE #projections SET rescale_to = 0, barrier = 9223372036854775807",
    "UPDATE #projections SET rescale_to = -1, barrier = -1",
    "UPDATE #projections SET rescale_to = 1025, barrier = 0",
];

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_edited_by_hand_make_nothing_panic_on_sqlite() {
    let more = [
        "UPDATE #checkpoints SET owner = 'me', until = 9223372036854775807",
        "UPDATE #checkpoints SET owner = NULL, until = 9223372036854775807",
        "UPDATE #checkpoints SET until = -9223372036854775808",
        "UPDATE #checkpoints SET heard_at = 9223372036854775807",
        "UPDATE #checkpoints SET heard_at = -9223372036854775808",
        "UPDATE #projections SET version = 4294967296",
        "UPDATE #projections SET version = -1",
        "UPDATE #projections SET tables = 'none'",
        "UPDATE #projections SET tables = '[1]'",
        "UPDATE #projections SET leaving = 7",
        "DELETE FROM #projections",
        "INSERT INTO #members SELECT name, version, 'x', 'x', 9223372036854775807 FROM #projections",
        "INSERT INTO #members SELECT name, version, '', '', -1 FROM #projections",
        "INSERT INTO #parked SELECT name, version, 'a/b', '', -1, -1, '', -1, '', -1, NULL FROM #projections",
    ];
    for edit in EDITS.iter().chain(&more) {
        let place = OnSqlite::new().await;
        let model = place.store.model();
        say(&place.store, "a", "first").await;
        taken(&place.store, &model).await;
        place.edit(&edit.replace('#', "cqrs_")).await;
        goes_on_or_tells(&place.store, &model, edit).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_edited_by_hand_make_nothing_panic_on_postgres() {
    let more = [
        "UPDATE #checkpoints SET token = 9223372036854775807",
        "UPDATE #checkpoints SET owner = gen_random_uuid(), until = 'infinity'",
        "UPDATE #checkpoints SET owner = gen_random_uuid(), until = '-infinity'",
        "UPDATE #checkpoints SET heard_at = 'infinity'",
        "UPDATE #checkpoints SET heard_at = '-infinity'",
        "UPDATE #projections SET made_at = 'infinity'",
        "INSERT INTO #members SELECT name, version, gen_random_uuid(), 'x', 'infinity' FROM #projections",
        "INSERT INTO #parked SELECT name, version, 'a/b', '', -1, -1, '', -1, '', 'infinity', NULL FROM #projections",
        "INSERT INTO #parked SELECT name, version, 'a', 'b', 1, 1, 'c', 1, '', '-infinity', NULL FROM #projections",
    ];
    let place = OnPostgres::new().await;
    let model = place.store.model();
    say(&place.store, "a", "first").await;
    for edit in EDITS.iter().chain(&more) {
        taken(&place.store, &model).await;
        let sql = edit.replace('#', "cqrs.");
        // What a constraint of the schema refuses can't be there.
        if sqlx::raw_sql(AssertSqlSafe(sql)).execute(&place.operator).await.is_ok() {
            goes_on_or_tells(&place.store, &model, edit).await;
        }
        place.edit("DELETE FROM cqrs.projections; DROP TABLE IF EXISTS kept").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g8_rows_of_a_view_edited_by_hand_are_reported_and_park_their_stream_on_sqlite() {
    let edits = [
        "list = 'none'",
        "list = '{}'",
        "list = '[1]'",
        "list = ''",
        "list = '[\"\\ud800\"]'",
        "list = CAST(x'ff' AS TEXT)",
        "again = CAST(x'ff' AS TEXT)",
    ];
    let place = OnSqlite::new().await;
    let model = place.store.model();
    for (number, _) in edits.iter().enumerate() {
        say(&place.store, &number.to_string(), &format!("text {number}")).await;
    }
    taken(&place.store, &model).await;
    for (number, edit) in edits.iter().enumerate() {
        place.edit(&format!("UPDATE kept SET {edit} WHERE text = 'text {number}'")).await;
        let error = model.row(&format!("text {number}")).await;
        let error: Result<Option<Kept>, _> = error;
        let error = error.expect_err(edit).to_string();
        assert!(error.contains("kept") || error.contains("Kept"), "{edit}: {error}");
        say(&place.store, &number.to_string(), &format!("text {number}")).await;
    }
    say(&place.store, "sound", "sound").await;
    let end = place.store.head().await.unwrap().last;
    let projector = Projector::new(place.store.clone()).attempts(1);
    let running = projector.start_view::<Kept>(model.clone());
    running.wait_for(end, LONG).await.unwrap();
    let parked: Vec<String> =
        running.status().parked.iter().map(|stream| stream.key().to_owned()).collect();
    let expected: Vec<String> = (0..edits.len()).map(|number| number.to_string()).collect();
    assert_eq!(parked, expected);
    let sound: Option<Kept> = model.row(&"sound".to_owned()).await.unwrap();
    assert_eq!(sound.map(|row| row.count), Some(1));
}

//! Snapshots that someone has changed by hand: the state is that of the events, or whoever loads it is told (G9).

use std::collections::BTreeMap;

use cqrs::prelude::*;
use cqrs::{LoadError, Repository, Store, StoreErrorKind};
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, query};

use super::{OnPostgres, OnSqlite, bombs};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "jar.filled")]
struct Filled {
    beans: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(category = "jar", events(Filled), snapshot(every = 3))]
struct Jar {
    beans: i64,
    by_size: BTreeMap<i64, u32>,
    #[serde(default)]
    anything: serde_json::Value,
    last: Option<f64>,
}

impl Apply<Filled> for Jar {
    fn apply(&mut self, event: Filled) {
        self.beans += event.beans;
        *self.by_size.entry(event.beans).or_default() += 1;
        self.anything = serde_json::json!([event.beans, { "a": null }]);
        self.last = Some(0.1);
    }
}

#[derive(Debug, Clone, Command)]
#[command(aggregate = Jar, id = 0)]
struct Fill(&'static str, i64);

impl Handle<Fill> for Jar {
    fn handle(&self, Fill(_, beans): Fill) -> Decision<Self> {
        emit(Filled { beans })
    }
}

async fn filled(store: &(impl Store + Clone)) -> Jar {
    let bus = Bus::builder(store.clone()).aggregate::<Jar>().build().unwrap();
    for beans in [1, 2, 3, 4] {
        bus.send(Fill("j", beans)).await.unwrap();
    }
    bus.load::<Jar>("j").await.unwrap().state
}

/// What is loaded is the state of the events, or the row is named.
async fn is_the_state_or_told(store: &(impl Store + Clone), right: &Jar, what: &str) {
    match Repository::new(store.clone()).load::<Jar>("j").await {
        Ok(loaded) => assert!(loaded.state == *right, "{what}: {:?}", loaded.state),
        Err(LoadError::Store(error)) => {
            assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{what}: {error}");
            assert!(error.to_string().contains("jar/j"), "{what}: {error}");
        }
        Err(error) => panic!("{what}: {error}"),
    }
}

/// Whole states, and those with a field of this value.
fn states() -> Vec<(String, String)> {
    let field = |field: &str, value: &str| {
        let mut fields = BTreeMap::from([
            ("beans", "6"),
            ("by_size", r#"{"1":1,"2":1,"3":1}"#),
            ("anything", r#"[3,{"a":null}]"#),
            ("last", "0.1"),
        ]);
        fields.insert(field, value);
        let fields: Vec<String> =
            fields.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", fields.join(","))
    };
    let mut states = Vec::new();
    for (what, value) in bombs::values() {
        states.push((format!("{what}, whole"), value.clone()));
        // What a state may hold, and its events could have led to, can't be told from what they did.
        for name in ["beans", "by_size", "last", "more"] {
            states.push((format!("{what} in `{name}`"), field(name, &value)));
        }
    }
    // These are other states of the same shape, which nobody can tell from the right one.
    let may_be = |state: &str| {
        serde_json::from_str::<Jar>(state).is_ok_and(|jar| {
            let fields = serde_json::from_str::<BTreeMap<String, serde_json::Value>>(state);
            let again = serde_json::to_value(&jar).unwrap();
            fields.is_ok_and(|fields| serde_json::to_value(fields).unwrap() == again)
        })
    };
    states.retain(|(_, state)| !may_be(state));
    states
}

const EDITS: [&str; 8] = [
    "version = 9223372036854775807",
    "version = 2",
    "version = 4",
    "version = 5",
    "fingerprint = -9223372036854775808",
    "fingerprint = fingerprint + 1",
    "event_id = '00000000-0000-0000-0000-000000000000'",
    "key = 'k'",
];

#[tokio::test(flavor = "multi_thread")]
async fn g9_snapshots_edited_by_hand_are_not_used_on_sqlite() {
    // Where the database was too slow for a snapshot, there is none.
    let mut attempts = 0;
    let (place, right) = loop {
        attempts += 1;
        assert!(attempts <= 5, "no snapshot is ever stored");
        let place = OnSqlite::new().await;
        let right = filled(&place.store).await;
        let snapshots = query("SELECT * FROM cqrs_snapshots").fetch_all(&place.operator);
        if snapshots.await.unwrap().len() == 1 {
            break (place, right);
        }
    };
    let states = states();
    assert!(states.len() > 150, "{}", states.len());
    for (what, state) in states {
        let edit = query("UPDATE cqrs_snapshots SET state = $1").bind(&state);
        assert_eq!(edit.execute(&place.operator).await.unwrap().rows_affected(), 1);
        is_the_state_or_told(&place.store, &right, &what).await;
    }
    let more = ["version = -1", "version = 0", "event_id = ''", "state = CAST(x'ff' AS TEXT)"];
    for edit in EDITS.iter().chain(&more) {
        let place = OnSqlite::new().await;
        filled(&place.store).await;
        place.edit(&format!("UPDATE cqrs_snapshots SET {edit}")).await;
        is_the_state_or_told(&place.store, &right, edit).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g9_snapshots_edited_by_hand_are_not_used_on_postgres() {
    let place = OnPostgres::new().await;
    let right = filled(&place.store).await;
    for (what, state) in states() {
        // What is no JSON to the server can't be there.
        let edit = query("UPDATE cqrs.snapshots SET state = $1::json").bind(&state);
        if edit.execute(&place.operator).await.is_ok() {
            is_the_state_or_told(&place.store, &right, &what).await;
        }
    }
    place.edit("DELETE FROM cqrs.snapshots").await;
    let bus = Bus::builder(place.store.clone()).aggregate::<Jar>().build().unwrap();
    for _ in 0..3 {
        bus.send(Fill("j", 0)).await.unwrap();
    }
    let right = bus.load::<Jar>("j").await.unwrap().state;
    place.edit("CREATE TABLE kept AS SELECT * FROM cqrs.snapshots").await;
    for edit in EDITS {
        let sql = format!("UPDATE cqrs.snapshots SET {edit}");
        if sqlx::raw_sql(AssertSqlSafe(sql)).execute(&place.operator).await.is_ok() {
            is_the_state_or_told(&place.store, &right, edit).await;
        }
        place
            .edit("DELETE FROM cqrs.snapshots; INSERT INTO cqrs.snapshots SELECT * FROM kept")
            .await;
    }
}

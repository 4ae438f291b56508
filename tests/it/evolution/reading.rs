//! What each reader makes of what earlier programs have stored.

use std::collections::BTreeMap;
use std::time::Duration;

use cqrs::prelude::*;
use cqrs::{
    DecodeReason, EventStore as _, LogFilter, MemoryStore, MemoryView, Position, PostgresModel,
    Repository, Rows, Store, StreamId, Subscription, Unknown,
};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use super::purse::{Fill, Lost, Purse, PurseEvent, PurseRow};
use super::{Stored, append, stored};

/// For what takes a moment.
const PATIENCE: Duration = Duration::from_mins(1);

fn stream() -> StreamId {
    StreamId::new("purse", "p").unwrap()
}

/// What an earlier program has stored, and what it is to this one. It is stored at this version of its stream.
fn happened(version: u64) -> impl Strategy<Value = (Stored, Vec<PurseEvent>)> {
    let filled = |cents: i64| PurseEvent::Filled { cents, currency: "EUR".into() };
    let opened = || PurseEvent::Opened { owner: "Ada".into() };
    prop_oneof![
        Just((stored("purse.opened", 1, json!({ "owner": "Ada" })), vec![opened()])),
        Just((stored("wallet.made", 1, json!({ "owner": "Ada" })), vec![opened()])),
        (0..9_i64).prop_map(move |units| {
            let both =
                stored("purse.opened_and_filled", 1, json!({ "owner": "Ada", "units": units }));
            let filled = (units > 0).then(|| filled(units * 100));
            (both, std::iter::once(opened()).chain(filled).collect())
        }),
        any::<i16>().prop_map(move |units| {
            let units = i64::from(units);
            (stored("purse.filled", 1, json!({ "units": units })), vec![filled(units * 100)])
        }),
        any::<i32>().prop_map(move |cents| {
            let cents = i64::from(cents);
            (stored("purse.filled", 2, json!({ "cents": cents })), vec![filled(cents)])
        }),
        (any::<i32>(), "[A-Z]{3}").prop_map(|(cents, currency)| {
            let cents = i64::from(cents);
            let payload = json!({ "cents": cents, "currency": &currency });
            (stored("purse.filled", 3, payload), vec![PurseEvent::Filled { cents, currency }])
        }),
        vec(any::<i16>(), 0..4).prop_map(move |all| {
            let payload = json!({ "cents": &all });
            let events = all.into_iter().map(|cents| filled(cents.into())).collect();
            (stored("purse.filled_often", 1, payload), events)
        }),
        (any::<i16>(), 1..3_u32).prop_map(|(cents, version)| {
            let cents = i64::from(cents);
            let field = if version == 1 { "taken" } else { "cents" };
            let event = PurseEvent::Emptied { cents };
            (stored("purse.spent", version, json!({ field: cents })), vec![event])
        }),
        any::<i16>().prop_map(|cents| {
            let event = PurseEvent::Emptied { cents: cents.into() };
            (stored("purse.robbed", 1, json!({ "taken": cents })), vec![event])
        }),
        "[a-z]{0,5}".prop_map(move |text| {
            let newest = format!("{text} in purse/p at {version}");
            let newest = PurseEvent::Noted { text: newest };
            (stored("purse.noted", 1, json!({ "text": text })), vec![newest])
        }),
        Just((stored("purse.admired", 7, json!("by all")), Vec::new())),
    ]
}

fn history() -> impl Strategy<Value = Vec<(Stored, Vec<PurseEvent>)>> {
    (0..12_u64).prop_flat_map(|events| (1..=events).map(happened).collect::<Vec<_>>())
}

fn applied(events: impl IntoIterator<Item = PurseEvent>) -> Purse {
    let mut purse = Purse::default();
    events.into_iter().for_each(|event| purse.apply(event));
    purse
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn g10_upcasting_and_applying_is_applying_what_the_newest_version_writes(history in history()) {
        runtime().block_on(async {
            let store = MemoryStore::new();
            let (old, new): (Vec<_>, Vec<_>) = history.into_iter().unzip();
            for event in &old {
                append(&store, &stream(), std::slice::from_ref(event)).await;
            }
            let expected = applied(new.into_iter().flatten());
            let mut cents = expected.cents;
            let repository = Repository::new(store.clone());
            let loaded = repository.load::<Purse>("p").await.unwrap();
            prop_assert_eq!(&loaded.state, &expected);
            // Versions are those of what is stored, whatever it has become.
            prop_assert_eq!(loaded.version.get(), old.len() as u64);

            // Through a snapshot as well, and from then on.
            let bus = Bus::builder(store.clone()).aggregate::<Purse>().build().unwrap();
            for _ in 0..4 {
                cents += 1;
                let done = bus.send(Fill { purse: "p".into(), cents: 1 }).await.unwrap();
                let again = repository.load::<Purse>("p").await.unwrap();
                prop_assert_eq!(again.version, done.version);
                prop_assert_eq!(again.state.cents, cents);
            }
            Ok(())
        })?;
    }

    #[test]
    fn g10_a_view_takes_all_that_became_of_its_events(history in history()) {
        runtime().block_on(async {
            let store = MemoryStore::new();
            let (old, new): (Vec<_>, Vec<_>) = history.into_iter().unzip();
            for event in &old {
                append(&store, &stream(), std::slice::from_ref(event)).await;
            }
            let model = MemoryView::<PurseRow>::new(BTreeMap::new());
            let running = Projector::new(store.clone()).start_view::<PurseRow>(model.clone());
            running.wait_for(store.head().await.unwrap().last, PATIENCE).await.unwrap();
            let count = i64::try_from(new.iter().map(Vec::len).sum::<usize>()).unwrap();
            let row = model.row(&"p".to_owned()).await.unwrap();
            prop_assert_eq!(row.as_ref().map_or(0, |row| row.events), count);
            prop_assert_eq!(row.map_or(0, |row| row.cents), applied(new.into_iter().flatten()).cents);
            running.stop().await;
            Ok(())
        })?;
    }
}

/// One of each kind, and one the program does not know.
fn one_of_each() -> Vec<Stored> {
    vec![
        stored("purse.created", 1, json!({ "owner": "Ada" })),
        stored("purse.opened_and_filled", 1, json!({ "owner": "Ada", "units": 2 })),
        stored("purse.filled", 1, json!({ "units": 3 })),
        stored("purse.filled", 2, json!({ "cents": 5 })),
        stored("purse.filled_often", 1, json!({ "cents": [10, 20] })),
        stored("purse.robbed", 1, json!({ "taken": 7 })),
        stored("purse.admired", 1, json!({})),
        stored("purse.noted", 1, json!({ "text": "x" })),
    ]
}

/// How many events of `PurseEvent` these are, and what is in the purse.
const EVENTS: i64 = 9;
const CENTS: i64 = 200 + 300 + 5 + 10 + 20 - 7;

#[derive(Debug, Clone, Query)]
#[query(output = Option<i64>, error = cqrs::StoreError)]
struct InPurse;

/// Every way to read: aggregate, view, subscriptions, queries that are answered again.
async fn every_reader_upcasts<S, M>(store: S, model: M)
where
    S: Store + Clone,
    M: Rows<PurseRow>,
{
    append(&store, &stream(), &one_of_each()).await;
    append(&store, &StreamId::new("other", "o").unwrap(), &[stored("other", 1, json!({}))]).await;

    let purse = Repository::new(store.clone()).load::<Purse>("p").await.unwrap();
    assert_eq!((purse.state.cents, purse.version.get()), (CENTS, 8));

    // The filter asks for all names, and for nothing else.
    let filter = LogFilter::all().events_of::<PurseEvent>();
    let page = store.read_log(&filter, Position::START, 100).await.unwrap();
    assert_eq!(page.events.len(), 7, "all but the admired one and the other");

    let mut typed = Subscription::of_log(store.clone(), filter.clone()).typed::<PurseEvent>();
    let (mut events, mut position) = (Vec::new(), Position::START);
    for _ in 0..7 {
        let (decoded, recorded) = typed.next().await.unwrap();
        assert!(recorded.position > position, "each stored event comes once");
        position = recorded.position;
        events.extend(decoded);
    }
    assert_eq!(events.len(), 9);
    assert_eq!(applied(events).cents, CENTS);

    let running = Projector::new(store.clone()).start_view::<PurseRow>(model.clone());
    running.wait_for(store.head().await.unwrap().last, PATIENCE).await.unwrap();
    let row = model.row(&"p".to_owned()).await.unwrap().unwrap();
    assert_eq!((row.events, row.cents), (EVENTS, CENTS));

    // An answer that is given again: old names concern it as well.
    let rows = model.clone();
    let bus = Bus::builder(store.clone())
        .aggregate::<Purse>()
        .view(running.progress())
        .query_handler(move |_: InPurse| {
            let rows = rows.clone();
            async move {
                let row = rows.row(&"p".to_owned()).await?;
                Ok(row.map(|row| row.cents))
            }
        })
        .build()
        .unwrap();
    let mut updates = bus.ask(InPurse).patience(PATIENCE).updates(filter);
    assert_eq!(updates.next().await.unwrap(), Some(CENTS));
    append(&store, &stream(), &[stored("purse.spent", 1, json!({ "taken": 1 }))]).await;
    let again = tokio::time::timeout(PATIENCE, updates.next()).await.unwrap().unwrap();
    assert_eq!(again, Some(CENTS - 1));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g10_every_reader_upcasts_on_memory() {
    every_reader_upcasts(MemoryStore::new(), MemoryView::<PurseRow>::new(BTreeMap::new())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g10_every_reader_upcasts_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let store = crate::stores::sqlite(directory.path().join("purse.db")).await;
    let model = store.model();
    every_reader_upcasts(store, model).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g10_every_reader_upcasts_on_postgres() {
    let database = cqrs_test_harness::postgres().unwrap().database("upcasts").await.unwrap();
    let store = crate::stores::postgres(&database.url()).await;
    let model = PostgresModel::connect(&database.url()).await.unwrap();
    every_reader_upcasts(store, model).await;
}

#[tokio::test]
async fn g11_unknown_events_are_refused_skipped_or_kept_as_the_reader_says() {
    let store = MemoryStore::new();
    let all = [
        stored("purse.opend", 1, json!({})),
        stored("purse.filled", 3, json!({ "cents": 1, "currency": "EUR" })),
        stored("purse.filled", 4, json!({ "cents": 1 })),
    ];
    append(&store, &stream(), &all).await;
    let typed = || Subscription::of_log(store.clone(), LogFilter::all()).typed::<PurseEvent>();

    let mut refusing = typed();
    let error = refusing.next().await.unwrap_err().to_string();
    let expected = "can't read event `purse.opend` v1 at version 1 of stream `purse/p` (position 1): no such event type is \
                    known here; the most alike are `purse.opened`";
    assert!(error.starts_with(expected), "{error}");
    assert_eq!(refusing.next().await.unwrap().0.as_slice().len(), 1);

    let mut skipping = typed().unknown(Unknown::Skip);
    assert_eq!(skipping.next().await.unwrap().1.version.get(), 2);
    // A version that is not known is an error all the same.
    let error = skipping.next().await.unwrap_err().to_string();
    assert!(error.contains("`purse.filled` v4") && error.contains("up to v3"), "{error}");

    let (decoded, kept) = typed().unknown(Unknown::Keep).next().await.unwrap();
    assert_eq!((decoded.as_slice(), &*kept.event_type), (&[][..], "purse.opend"));
}

#[tokio::test]
async fn g11_aggregates_pass_over_only_what_they_ignore() {
    let store = MemoryStore::new();
    append(&store, &stream(), &[stored("purse.admired", 3, json!([]))]).await;
    let repository = Repository::new(store.clone());
    assert_eq!(repository.load::<Purse>("p").await.unwrap().version.get(), 1);
    append(&store, &stream(), &[stored("purse.envied", 1, json!({}))]).await;
    let error = repository.load::<Purse>("p").await.unwrap_err();
    assert!(
        error.to_string().contains("`purse.envied` v1 at version 2 of stream `purse/p`"),
        "{error}"
    );
    let bus = Bus::builder(store).aggregate::<Purse>().build().unwrap();
    let refused = bus.send(Fill { purse: "p".into(), cents: 1 }).await.unwrap_err();
    let DispatchError::Decode(error) = refused else { panic!("{refused}") };
    assert!(error.is_unknown_type() && !error.is_newer());
}

#[tokio::test]
async fn what_is_retired_is_read_and_never_written() {
    let store = MemoryStore::new();
    append(&store, &stream(), &[stored("purse.lost", 1, json!({ "place": "Graz" }))]).await;
    let purse = Repository::new(store).load::<Purse>("p").await.unwrap();
    assert_eq!(purse.state.happened, [r#"Lost { place: "Graz" }"#]);
    let error = Lost { place: "Graz".into() }.encode().unwrap_err();
    assert!(error.to_string().contains("`purse.lost` is retired"), "{error}");
}

#[test]
fn a_step_that_fails_says_where() {
    let event = stored("purse.filled", 1, json!({ "unit": 3 })).to_new();
    let event = cqrs::RecordedEvent::new(
        event,
        stream(),
        cqrs::Version::new(4),
        Position::new(44),
        std::time::SystemTime::UNIX_EPOCH,
    );
    let error = PurseEvent::decode(&event).unwrap_err();
    assert!(matches!(error.reason, DecodeReason::Upcast { from: ("purse.filled", 1), .. }));
    assert_eq!(
        error.to_string(),
        "can't read event `purse.filled` v1 at version 4 of stream `purse/p` (position 44): the step of its upcaster \
         from `purse.filled` v1 failed: field `units` is missing; where it may be, ask with `has` or `get_optional`"
    );
}

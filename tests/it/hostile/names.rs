//! Texts from outside that reach a statement: they are data, whatever they say. What no database keeps is refused
//! before anything is stored (G13).

use std::collections::BTreeMap;
use std::future::IntoFuture as _;
use std::sync::Arc;

use cqrs::prelude::*;
use cqrs::{
    Append, Details, EventId, EventStore, ExpectedVersion, LogFilter, MemoryStore, Metadata,
    NewEvent, Payload, Position, RecordedEvent, Repository, Store, StreamId, Version, limits,
};

use super::texts::with_arbitrary;
use super::{OnPostgres, OnSqlite, add, log, new_event, stream};
use crate::domain::{Counter, add as add_to};

/// Arbitrary texts, besides the known ones.
const ARBITRARY: u32 = 60;

fn described(text: &str) -> Metadata {
    let details = Details {
        actor: Some(text.to_owned()),
        tenant: Some(text.to_owned()),
        extra: BTreeMap::from([(text.to_owned(), text.to_owned())]),
    };
    Metadata { details, ..Metadata::of(EventId::random().as_uuid()) }
}

/// An append with the text wherever there can be one; an error where the framework refuses it.
fn append_of(category: &str, text: &str) -> Result<Append, String> {
    let stream = StreamId::new(category, text).map_err(|error| error.to_string())?;
    let payload = Payload::of(text).map_err(|error| error.to_string())?;
    let metadata = Arc::new(described(text));
    let event = NewEvent::from_parts(EventId::random(), text.to_owned(), 1, payload, metadata);
    let event = event.map_err(|error| error.to_string())?;
    let append = Append::new(stream, ExpectedVersion::NoStream, vec![event]);
    append.map_err(|error| error.to_string())
}

fn is_kept(stored: &RecordedEvent, append: &Append) {
    let event = &append.events()[0];
    assert_eq!(&stored.stream, append.stream());
    assert_eq!((&*stored.event_type, stored.id), (event.event_type(), event.id()));
    assert_eq!((&stored.payload, &*stored.metadata), (event.payload(), event.metadata()));
}

/// Each text is kept as it is or refused, and nothing else changes.
async fn texts_are_data(store: &dyn EventStore) {
    let witness = stream("witness", "1");
    let payload = || Payload::of("untouched").unwrap();
    add(store, &witness, (0..3).map(|_| new_event("witness.seen", 1, payload())).collect()).await;
    let before = log(store).await;
    let mut appends = Vec::new();
    for text in with_arbitrary(ARBITRARY) {
        match append_of("hostile", &text) {
            Ok(append) => {
                store.append(&append).await.unwrap_or_else(|error| panic!("{text:?}: {error}"));
                appends.push(append);
            }
            Err(error) => {
                let refused = text.contains('\0')
                    || text.len() > limits::MAX_EVENT_TYPE_BYTES
                    || matches!(&*text, "actor" | "tenant");
                assert!(refused, "{text:?}: {error}");
            }
        }
        // A category is no arbitrary text.
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if !text.chars().all(allowed) {
            assert!(append_of(&text, "1").is_err(), "{text:?}");
        }
    }
    assert!(appends.len() > 60, "{}", appends.len());

    let after = log(store).await;
    assert_eq!(after[..3], before);
    assert_eq!(after.len(), 3 + appends.len());
    for (stored, append) in after[3..].iter().zip(&appends) {
        is_kept(stored, append);
        let read = store.read_stream(append.stream(), Version::NONE, 10).await.unwrap();
        assert_eq!(read, std::slice::from_ref(stored));
        let read = store.find(stored.id).await.unwrap();
        assert_eq!(read.as_ref(), Some(stored));
        // A filter by its type finds it, and nothing that only looks like it.
        let filter = LogFilter::all().category("hostile").event_type(&*stored.event_type);
        let page = store.read_log(&filter, Position::START, 10).await.unwrap();
        assert_eq!(page.events, std::slice::from_ref(stored), "{filter:?}");
    }
    // As the names of categories they name none.
    for text in with_arbitrary(ARBITRARY) {
        let filter = LogFilter::all().category(text.clone());
        let page = store.read_log(&filter, Position::START, 10).await.unwrap();
        assert_eq!(page.events, [], "{text:?}");
    }
    // All of them in one list.
    let all = with_arbitrary(ARBITRARY).into_iter().fold(LogFilter::all(), LogFilter::event_type);
    let page = store.read_log(&all, Position::START, 10_000).await.unwrap();
    assert_eq!(page.events.len(), appends.len());
}

/// The same from where an application gives them: keys of commands, who gives them, keys that make them idempotent.
async fn commands_carry_data(store: impl Store + Clone) {
    let bus = Bus::builder(store.clone()).aggregate::<Counter>().build().unwrap();
    let mut stored = 0;
    for text in with_arbitrary(ARBITRARY) {
        let send = || {
            let send = bus.send(add_to(&text, 1)).idempotency_key(text.clone());
            send.actor(&*text).tenant(&*text).into_future()
        };
        match send().await {
            Ok(done) => {
                stored += 1;
                // The same key is the same command.
                let again = send().await.unwrap();
                assert_eq!((again.version, again.position), (done.version, done.position));
                assert_eq!(bus.load::<Counter>(&text).await.unwrap().state.sum, 1, "{text:?}");
            }
            Err(DispatchError::Invalid(error)) => {
                let refused = text.contains('\0') || text.len() > limits::MAX_KEY_BYTES;
                assert!(refused, "{text:?}: {error}");
            }
            Err(error) => panic!("{text:?}: {error}"),
        }
    }
    let events = log(&store).await;
    assert_eq!(events.len(), stored);
    for event in &events {
        let details = &event.metadata.details;
        assert_eq!(details.actor.as_deref(), Some(event.stream.key()));
        assert_eq!(details.tenant, details.actor);
    }
    // Keys that can't be are refused where they are asked for as well.
    for key in ["", "a\0", &"k".repeat(limits::MAX_KEY_BYTES + 1)] {
        let error = Repository::new(store.clone()).load::<Counter>(key).await.unwrap_err();
        assert!(matches!(error, cqrs::LoadError::Stream(_)), "{error}");
    }
}

#[tokio::test]
async fn g13_texts_from_outside_are_data_in_memory() {
    texts_are_data(&MemoryStore::new()).await;
    commands_carry_data(MemoryStore::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g13_texts_from_outside_are_data_on_sqlite() {
    const SCHEMA: &str =
        "SELECT group_concat(sql) FROM (SELECT sql FROM sqlite_master ORDER BY name)";
    let (first, second) = (OnSqlite::new().await, OnSqlite::new().await);
    let schema: String = sqlx::query_scalar(SCHEMA).fetch_one(&first.operator).await.unwrap();
    texts_are_data(&first.store).await;
    commands_carry_data(second.store.clone()).await;
    for place in [&first, &second] {
        let after: String = sqlx::query_scalar(SCHEMA).fetch_one(&place.operator).await.unwrap();
        assert_eq!(after, schema);
        let sound: String =
            sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&place.operator).await.unwrap();
        assert_eq!(sound, "ok");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g13_texts_from_outside_are_data_on_postgres() {
    const SCHEMA: &str = "SELECT string_agg(concat_ws('.', table_schema, table_name, column_name, data_type), ',' \
                          ORDER BY table_schema, table_name, ordinal_position) FROM information_schema.columns";
    let (first, second) = (OnPostgres::new().await, OnPostgres::new().await);
    let schema: String = sqlx::query_scalar(SCHEMA).fetch_one(&first.operator).await.unwrap();
    texts_are_data(&first.store).await;
    commands_carry_data(second.store.clone()).await;
    for place in [&first, &second] {
        let after: String = sqlx::query_scalar(SCHEMA).fetch_one(&place.operator).await.unwrap();
        assert_eq!(after, schema);
    }
}

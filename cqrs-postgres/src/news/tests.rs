//! Stores on one database that only hints can wake: readers never look by themselves, unless a test says otherwise.
//!
//! One thread runs all tasks of a test, so that an announcement is seen before the next one can happen.
#![allow(clippy::unwrap_used, reason = "test code")]

use cqrs_core::{
    Append, EventId, EventStore, ExpectedVersion, LogFilter, Metadata, NewEvent, Payload, Position,
    StreamId,
};
use cqrs_test_harness::{Database, postgres};

use super::*;
use crate::PostgresStore;
use crate::connections::{CALL_TIMEOUT, Connections};

/// So long that only what never happens takes longer.
const BOUND: Duration = Duration::from_mins(2);

const NEVER: Duration = Duration::from_secs(100_000);

const HINTS_ALONE: Timing = Timing {
    often: NEVER,
    seldom: NEVER,
    unsettled: Duration::ZERO,
    pause: Duration::from_millis(1),
};

async fn database(hint: &str) -> Database {
    let database = postgres().unwrap().database(hint).await.unwrap();
    PostgresStore::connect(&database.url()).await.unwrap();
    database
}

/// A store as another process would have it.
fn store(database: &Database, timing: Timing, connections: u32) -> PostgresStore {
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .connect_lazy_with(database.options().clone());
    PostgresStore::with_timing(Connections::new(pool, CALL_TIMEOUT), true, timing)
}

fn deposit(key: &str) -> Append {
    let metadata = Arc::new(Metadata::of(Uuid::now_v7()));
    let payload = Payload::from_json("{}").unwrap();
    let event =
        NewEvent::from_parts(EventId::random(), "account.deposited", 1, payload, metadata).unwrap();
    let stream = StreamId::new("account", key).unwrap();
    Append::new(stream, ExpectedVersion::Any, vec![event]).unwrap()
}

async fn add(store: &PostgresStore) {
    store.append(&deposit("a")).await.unwrap();
}

async fn count(store: &PostgresStore) -> usize {
    store.read_log(&LogFilter::all(), Position::START, 100).await.unwrap().events.len()
}

async fn told(news: &mut News) {
    timeout(BOUND, news.wait()).await.expect("a reader is told");
}

async fn until<F: Future<Output = bool>>(mut holds: impl FnMut() -> F) {
    let waiting = async {
        while !holds().await {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(BOUND, waiting).await.expect("it happens");
}

async fn until_listening(store: &PostgresStore) {
    until(async || store.hints().pace.listening.load(Ordering::Relaxed)).await;
}

/// How many other sessions of this database sent such a statement last.
async fn sessions(store: &PostgresStore, statement: &str) -> i64 {
    let sql = "SELECT count(*) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE $1";
    sqlx::query_scalar(sql).bind(statement).fetch_one(store.pool()).await.unwrap()
}

/// Somebody who hears every hint.
async fn ear(database: &Database) -> PgListener {
    let mut ear = PgListener::connect(&database.url()).await.unwrap();
    ear.listen(CHANNEL).await.unwrap();
    ear
}

async fn heard(ear: &mut PgListener) -> String {
    let hint = timeout(BOUND, ear.recv()).await.expect("a hint is sent");
    hint.unwrap().payload().to_owned()
}

#[tokio::test]
async fn a_reader_is_told_of_appends_of_another_store() {
    let database = database("told").await;
    let [writer, reader] = [store(&database, HINTS_ALONE, 2), store(&database, HINTS_ALONE, 2)];
    let mut news = reader.news();
    // Once when listening begins: what was before was not heard.
    told(&mut news).await;
    for expected in 1..=3 {
        add(&writer).await;
        told(&mut news).await;
        assert_eq!(count(&reader).await, expected);
    }
}

#[tokio::test]
async fn hints_of_the_store_itself_do_not_wake_its_readers_again() {
    let database = database("own").await;
    let store = store(&database, HINTS_ALONE, 2);
    let mut ear = ear(&database).await;
    let mut news = store.news();
    told(&mut news).await;
    add(&store).await;
    told(&mut news).await;
    assert_eq!(heard(&mut ear).await, store.hints().id.to_string());
    let again = timeout(Duration::from_millis(50), news.wait());
    assert!(again.await.is_err());
}

#[tokio::test]
async fn a_listener_that_is_lost_comes_back_and_tells() {
    let database = database("lost").await;
    let [writer, reader] = [store(&database, HINTS_ALONE, 2), store(&database, HINTS_ALONE, 2)];
    let mut news = reader.news();
    told(&mut news).await;
    let here = reader.pool().connect_options();
    for expected in 1..=2 {
        // Until it has seen that, it does not come back.
        reader.pool().set_connect_options(here.as_ref().clone().port(1));
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE datname = current_database() AND query LIKE 'LISTEN%'";
        let ended = sqlx::query(end).fetch_all(writer.pool()).await.unwrap();
        assert!(!ended.is_empty());
        // When it is lost, as readers must look often then, and when it is back, as hints were missed.
        told(&mut news).await;
        assert!(!reader.hints().pace.listening.load(Ordering::Relaxed));
        reader.pool().set_connect_options(here.as_ref().clone());
        told(&mut news).await;
        assert!(reader.hints().pace.listening.load(Ordering::Relaxed));
        add(&writer).await;
        told(&mut news).await;
        assert_eq!(count(&reader).await, expected);
    }
}

#[tokio::test]
async fn nothing_is_left_of_a_store_that_was_dropped() {
    let database = database("dropped").await;
    let [other, dropped] = [store(&database, HINTS_ALONE, 1), store(&database, HINTS_ALONE, 2)];
    let news = dropped.news();
    let clone = dropped.clone();
    add(&dropped).await;
    until(async || sessions(&other, "LISTEN%").await == 1).await;
    until(async || sessions(&other, "%pg_notify(%").await == 1).await;
    drop(dropped);
    add(&clone).await;
    drop(clone);
    until(async || sessions(&other, "%").await == 0).await;
    drop(news);
}

#[tokio::test]
async fn a_pool_that_is_closed_ends_its_hints() {
    let database = database("closed").await;
    let [other, closed] = [store(&database, HINTS_ALONE, 1), store(&database, HINTS_ALONE, 2)];
    closed.news();
    add(&closed).await;
    until(async || sessions(&other, "LISTEN%").await == 1).await;
    closed.pool().close().await;
    until(async || sessions(&other, "%").await == 0).await;
}

#[tokio::test]
async fn appends_share_hints_and_do_not_wait_for_them() {
    let database = database("shared").await;
    // After the first hint, the next one would be due long after the test.
    let timing = Timing { pause: NEVER, ..HINTS_ALONE };
    let writer = store(&database, timing, 16);
    let mut ear = ear(&database).await;
    let tasks: Vec<_> = (0..16)
        .map(|task| {
            let writer = writer.clone();
            tokio::spawn(async move {
                for _ in 0..60 {
                    writer.append(&deposit(&task.to_string())).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(heard(&mut ear).await, writer.hints().id.to_string());
    sqlx::raw_sql("NOTIFY cqrs_events, 'end'").execute(writer.pool()).await.unwrap();
    assert_eq!(heard(&mut ear).await, "end");
}

#[tokio::test]
async fn appends_go_on_where_hints_cannot_be_sent_and_are_hinted_at_later() {
    let database = database("unsent").await;
    let writer = store(&database, HINTS_ALONE, 1);
    let mut ear = ear(&database).await;
    // The one connection of the pool stays.
    assert_eq!(count(&writer).await, 0);
    let nowhere = database.options().clone().port(1);
    writer.pool().set_connect_options(nowhere);
    add(&writer).await;
    add(&writer).await;
    writer.pool().set_connect_options(database.options().clone());
    assert_eq!(heard(&mut ear).await, writer.hints().id.to_string());
}

#[tokio::test]
async fn hints_take_no_connection_of_the_pool() {
    let database = database("one_connection").await;
    let [writer, reader] = [store(&database, HINTS_ALONE, 1), store(&database, HINTS_ALONE, 1)];
    add(&writer).await;
    let held = (writer.pool().acquire().await.unwrap(), reader.pool().acquire().await.unwrap());
    let mut ear = ear(&database).await;
    let mut news = reader.news();
    told(&mut news).await;
    writer.hints().appended(writer.pool());
    assert_eq!(heard(&mut ear).await, writer.hints().id.to_string());
    told(&mut news).await;
    drop(held);
}

/// Who commits that, and when, is not told; and while an append that fails is under way, it hides others.
#[tokio::test]
async fn g5_readers_look_often_while_appends_are_under_way() {
    let database = database("unsettled").await;
    let timing = Timing { often: Duration::from_millis(1), unsettled: NEVER, ..HINTS_ALONE };
    let [writer, reader] = [store(&database, HINTS_ALONE, 2), store(&database, timing, 2)];
    reader.news();
    until_listening(&reader).await;
    let mut news = reader.news();
    assert_eq!(reader.hints().pace.interval(), NEVER);
    let mut transaction = writer.pool().begin().await.unwrap();
    writer.append_in(&mut transaction, &deposit("a")).await.unwrap();
    assert_eq!(count(&reader).await, 0);
    told(&mut news).await;
    transaction.commit().await.unwrap();
    told(&mut news).await;
    assert_eq!(count(&reader).await, 1);
}

#[test]
fn readers_look_often_unless_hints_are_heard_and_nothing_is_under_way() {
    let timing = Timing::default();
    let hints = Hints::new(timing);
    assert_eq!(hints.pace.interval(), timing.often);
    let listening = Listening::begin(hints.board.clone(), Arc::clone(&hints.pace));
    assert_eq!(hints.pace.interval(), timing.seldom);
    drop(listening);
    assert_eq!(hints.pace.interval(), timing.often);
}

/// As behind a pooler that hands sessions around.
#[tokio::test]
async fn a_session_that_was_not_begun_for_the_listener_does_not_listen() {
    let database = database("pooled").await;
    let id = Uuid::now_v7();
    let reader = store(&database, HINTS_ALONE, 1);
    let mut own = listener(reader.pool(), id).await.unwrap();
    check_session(&mut own, &id.to_string()).await.unwrap();
    let mut foreign = PgListener::connect(&database.url()).await.unwrap();
    check_session(&mut foreign, &id.to_string()).await.unwrap_err();
    check_session(&mut own, &Uuid::now_v7().to_string()).await.unwrap_err();
}

#[test]
fn a_store_outlives_the_runtime_that_ran_its_tasks() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let (database, reader) = first.block_on(async {
        let database = database("runtimes").await;
        let reader = store(&database, HINTS_ALONE, 1);
        reader.news();
        until_listening(&reader).await;
        (database, reader)
    });
    drop(first);
    assert!(!reader.hints().pace.listening.load(Ordering::Relaxed));
    // Here nothing can be begun.
    let mut news = reader.news();
    runtime().block_on(async {
        let writer = store(&database, HINTS_ALONE, 1);
        reader.news();
        told(&mut news).await;
        add(&writer).await;
        told(&mut news).await;
    });
}

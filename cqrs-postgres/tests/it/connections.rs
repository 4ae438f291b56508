//! Connections that break (G4), and how often the wire is used.

use std::time::Duration;

use cqrs_core::{
    Append, EventStore, ExpectedVersion, LogFilter, Position, Snapshot, SnapshotStore,
    StoreErrorKind, Version,
};
use cqrs_postgres::PostgresStore;
use cqrs_test_harness::{Database, Server};
use sqlx::ConnectOptions;

use crate::proxy::{Cut, Proxy};
use crate::support::{self, add, append, conflict, events, execute, failure, log, store, stream};

/// A store that reaches its database through a proxy.
async fn through_proxy(database: &Database, max_connections: u32) -> (PostgresStore, Proxy) {
    impatient_through_proxy(database, max_connections, Duration::from_mins(1)).await
}

/// One that does not go on for long when connections break.
async fn impatient_through_proxy(
    database: &Database,
    max_connections: u32,
    patience: Duration,
) -> (PostgresStore, Proxy) {
    let options = database.options().clone();
    let proxy = Proxy::start(&options).await;
    let options = options.host("127.0.0.1").port(proxy.port());
    let options = PostgresStore::options(options.to_url_lossy()).max_connections(max_connections);
    (support::impatient(options.acquire_timeout(patience)).await, proxy)
}

#[tokio::test]
async fn g4_an_append_whose_connection_is_cut_is_stored_once() {
    let (direct, database) = store("cut").await;
    let (store, proxy) = through_proxy(&database, 2).await;
    let mut expected = Vec::new();
    for cut in [Cut::BeforeRequest, Cut::BeforeAnswer] {
        for expectation in
            [ExpectedVersion::Any, ExpectedVersion::Exact(Version::new(expected.len() as u64 + 2))]
        {
            let append = append("a", expectation, 2);
            proxy.cut_next(cut);
            let cuts = proxy.cuts();
            let appended = store.append(&append).await.unwrap();
            assert_eq!(proxy.cuts(), cuts + 1);
            assert!(!appended.replayed);
            expected.extend(append.events().iter().map(cqrs_core::NewEvent::id));
            assert_eq!(appended.version.get(), expected.len() as u64);
            let stored = log(&direct).await;
            assert_eq!(stored.iter().map(|event| event.id).collect::<Vec<_>>(), expected);
            assert_eq!(stored.last().unwrap().position, appended.position);
        }
    }
}

#[tokio::test]
async fn g4_a_conflict_is_still_a_conflict_when_the_connection_is_cut() {
    let (direct, database) = store("cut_conflict").await;
    let (store, proxy) = through_proxy(&database, 2).await;
    add(&direct, "a").await;
    for cut in [Cut::BeforeRequest, Cut::BeforeAnswer] {
        proxy.cut_next(cut);
        let append = append("a", ExpectedVersion::NoStream, 1);
        assert_eq!(conflict(store.append(&append).await).actual, Version::FIRST);
    }
}

/// The attempt left behind may be carried out later than the one that was refused.
#[tokio::test]
async fn g4_a_conflict_that_may_still_pass_leaves_the_outcome_unknown_when_the_connection_is_cut() {
    let (direct, database) = store("cut_early").await;
    let (store, proxy) = through_proxy(&database, 2).await;
    add(&direct, "a").await;
    let ahead = append("a", ExpectedVersion::Exact(Version::new(5)), 1);
    let missing = append("b", ExpectedVersion::Exists, 1);
    for append in [ahead, missing] {
        proxy.cut_next(Cut::BeforeRequest);
        let error = failure(store.append(&append).await);
        assert_eq!(error.kind(), StoreErrorKind::OutcomeUnknown);
        assert!(error.to_string().contains("is at version"), "{error}");
        conflict(store.append(&append).await);
    }
}

#[tokio::test]
async fn g4_an_append_that_cannot_be_asked_about_again_has_an_unknown_outcome() {
    let (direct, database) = store("cut_for_good").await;
    for cut in [Cut::BeforeRequest, Cut::BeforeAnswer] {
        let (store, proxy) = impatient_through_proxy(&database, 1, Duration::from_secs(3)).await;
        // The one connection that is open when no other can be had any more.
        support::open_one(&store).await;
        let append = append("a", ExpectedVersion::Any, 1);
        proxy.cut_next(cut);
        proxy.refuse();
        let error = failure(store.append(&append).await);
        assert_eq!(error.kind(), StoreErrorKind::OutcomeUnknown);
        assert!(error.may_retry());
        let stored = direct.find(append.events()[0].id()).await.unwrap();
        assert_eq!(stored.is_some(), cut == Cut::BeforeAnswer);
        // As the error says, repeating it is safe.
        direct.append(&append).await.unwrap();
    }
    assert_eq!(log(&direct).await.len(), 2);
}

/// What the second attempt knows of itself says nothing about the first.
#[tokio::test]
async fn g4_an_attempt_that_fails_after_one_was_lost_leaves_the_outcome_unknown() {
    let (direct, database) = store("cut_and_blocked").await;
    let (store, proxy) = through_proxy(&database, 1).await;
    execute(&store, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET lock_timeout = 10', current_database()); END $$").await;
    // The first attempt would store the event; the second, on a connection that knows of the timeout, is in the way of
    // another writer and gives up.
    let mut rival = direct.pool().begin().await.unwrap();
    let first = append("a", ExpectedVersion::NoStream, 1);
    direct.append_in(&mut rival, &append("a", ExpectedVersion::NoStream, 1)).await.unwrap();
    proxy.cut_next(Cut::BeforeRequest);
    let error = failure(store.append(&first).await);
    assert_eq!(error.kind(), StoreErrorKind::OutcomeUnknown);
    let error = failure(store.append(&first).await);
    assert_eq!(error.kind(), StoreErrorKind::Busy);
}

/// A store with one connection, which is open, and that does not wait for an answer for long.
async fn through_silent_network(database: &Database, patience: Duration) -> (PostgresStore, Proxy) {
    let options = database.options().clone();
    let proxy = Proxy::start(&options).await;
    let options = options.host("127.0.0.1").port(proxy.port()).to_url_lossy();
    let options = PostgresStore::options(options).max_connections(1);
    let options = options.acquire_timeout(patience).call_timeout(Duration::from_secs(1));
    let store = support::impatient(options).await;
    support::open_one(&store).await;
    (store, proxy)
}

/// Nobody closes the connection; only time tells. Without a deadline these calls would never return.
#[tokio::test]
async fn g4_an_append_into_silence_is_resolved_on_another_connection() {
    let (direct, database) = store("silence").await;
    let (store, proxy) = through_silent_network(&database, Duration::from_mins(1)).await;
    for cut in [Cut::SilenceBeforeRequest, Cut::SilenceBeforeAnswer] {
        let append = append("a", ExpectedVersion::Any, 2);
        proxy.cut_next(cut);
        let appended = store.append(&append).await.unwrap();
        assert_eq!(log(&direct).await.last().unwrap().position, appended.position);
        proxy.cut_next(cut);
        assert!(store.find(append.events()[0].id()).await.unwrap().is_some());
    }
    assert_eq!((log(&direct).await.len(), proxy.cuts()), (4, 4));
}

#[tokio::test]
async fn g4_an_append_into_silence_that_lasts_has_an_unknown_outcome() {
    let (direct, database) = store("silence_lasts").await;
    for cut in [Cut::SilenceBeforeRequest, Cut::SilenceBeforeAnswer] {
        let (store, proxy) = through_silent_network(&database, Duration::from_secs(3)).await;
        let append = append("a", ExpectedVersion::Any, 1);
        proxy.cut_next(cut);
        proxy.swallow();
        let error = failure(store.append(&append).await);
        assert_eq!(error.kind(), StoreErrorKind::OutcomeUnknown, "{error}");
        let stored = direct.find(append.events()[0].id()).await.unwrap();
        assert_eq!(stored.is_some(), cut == Cut::SilenceBeforeAnswer);
        let error = store.find(append.events()[0].id()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    }
}

#[tokio::test]
async fn a_refusal_of_encryption_names_the_feature() {
    let (_store, database) = store("encrypted").await;
    let options = database.options().clone().ssl_mode(sqlx::postgres::PgSslMode::Require);
    let url = options.to_url_lossy();
    let error = PostgresStore::connect(url.as_str()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("`postgres-tls`"), "{error}");
}

/// The connections of a pool that lead to a former primary are all given up at once.
#[tokio::test]
async fn appends_find_the_primary_again_after_it_was_demoted() {
    let (store, _database) = store("demoted").await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut connection = store.pool().acquire().await.unwrap();
        let demote = "SET default_transaction_read_only = on";
        sqlx::raw_sql(demote).execute(&mut *connection).await.unwrap();
        held.push(connection);
    }
    drop(held);
    while store.pool().num_idle() < 3 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    add(&store, "a").await;
    assert_eq!(store.pool().size(), 1);
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_means_that_nothing_was_stored() {
    let (_direct, database) = store("unreachable").await;
    let (store, proxy) = impatient_through_proxy(&database, 2, Duration::from_secs(3)).await;
    proxy.refuse();
    let error = failure(store.append(&append("a", ExpectedVersion::Any, 1)).await);
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(store.read_log(&LogFilter::all(), Position::START, 1).await.is_err());
    let url = format!("postgres://127.0.0.1:{}/x", proxy.port());
    let connecting = PostgresStore::connect(&url);
    assert_eq!(connecting.await.unwrap_err().kind(), StoreErrorKind::Unavailable);
}

#[tokio::test]
async fn a_pool_that_is_used_up_is_busy() {
    let (_direct, database) = store("used_up").await;
    let options = PostgresStore::options(database.url()).max_connections(1);
    let store = support::impatient(options.acquire_timeout(Duration::from_secs(2))).await;
    support::open_one(&store).await;
    let held = store.pool().begin().await.unwrap();
    let error = failure(store.append(&append("a", ExpectedVersion::Any, 1)).await);
    assert_eq!(error.kind(), StoreErrorKind::Busy);
    held.rollback().await.unwrap();
}

#[tokio::test]
async fn sessions_that_the_server_ended_are_replaced() {
    let (store, _database) = store("ended").await;
    for _ in 0..3 {
        // All but the one that does it are ended while they lie in the pool.
        let held = [store.pool().begin().await.unwrap(), store.pool().begin().await.unwrap()];
        drop(held);
        let mut ending = store.pool().acquire().await.unwrap();
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        sqlx::raw_sql(sql).execute(&mut *ending).await.unwrap();
        let count = log(&store).await.len();
        add(&store, "a").await;
        assert_eq!(log(&store).await.len(), count + 1);
    }
}

/// A replica does not know which appends are under way on the primary: what it shows has gaps that close later.
#[tokio::test]
async fn g5_the_log_is_not_read_from_a_replica() {
    let server = Server::start_own().unwrap();
    let database = server.database("replica").await.unwrap();
    let (store, proxy) = through_proxy(&database, 1).await;
    add(&store, "a").await;
    assert_eq!(log(&store).await.len(), 1);
    let replica = server.start_replica().unwrap();
    let options = replica.options_of(&database);
    let refused = PostgresStore::connect(options.to_url_lossy().as_str()).await;
    assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::Unavailable);

    // The same address leads to the replica from one day to the next.
    proxy.lead_to(&options);
    proxy.cut_next(Cut::BeforeRequest);
    let stored = store.read_stream(&stream("a"), Version::NONE, 10).await.unwrap();
    assert_eq!(stored.len(), 1);
    let error = store.read_log(&LogFilter::all(), stored[0].position, 10).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    let error = failure(store.append(&append("a", ExpectedVersion::Any, 1)).await);
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");

    // Once it leads to the primary again, nothing is left of that.
    proxy.lead_to(database.options());
    add(&store, "a").await;
    assert_eq!(log(&store).await.len(), 2);
}

/// A client that goes away in the middle of an append leaves all of it or nothing (G14).
#[tokio::test]
async fn g14_a_dropped_append_is_stored_as_a_whole_or_not_at_all() {
    let (store, _database) = store("dropped").await;
    let mut stored = 0;
    for pause in 0..40 {
        let append = append(&pause.to_string(), ExpectedVersion::NoStream, 50);
        let pause = Duration::from_micros(100 * pause);
        let _ = tokio::time::timeout(pause, store.append(&append)).await;
        // The same append again says what became of it, and settles it.
        let settled = store.append(&append).await.unwrap();
        assert_eq!(settled.version, Version::new(50));
        stored += 50;
    }
    assert_eq!(log(&store).await.len(), stored);
}

/// What is on the wire once statements are prepared. `S` alone, and `Q`, are the checks of a connection that comes back
/// to the pool; they keep nobody waiting.
#[tokio::test]
async fn each_call_is_one_statement_in_one_round_trip_without_begin_or_commit() {
    let (_direct, database) = store("round_trips").await;
    let (store, proxy) = through_proxy(&database, 1).await;
    let one_statement = ['B', 'E', 'C'];
    let sent = || {
        let mut sent = proxy.take_sent();
        sent.retain(|kind| !['S', 'Q'].contains(kind));
        sent
    };
    let mut snapshot = None;
    for warm in [false, true] {
        sent();
        let batch = Append::new(stream("a"), ExpectedVersion::Any, events(3)).unwrap();
        let appended = store.append(&batch).await.unwrap();
        let after_append = sent();
        store.read_stream(&stream("a"), Version::NONE, 10).await.unwrap();
        let after_read = sent();
        store.read_from_snapshot(&stream("a"), 7, 10).await.unwrap();
        let after_snapshot = sent();
        if warm {
            assert_eq!(after_append, one_statement);
            assert_eq!(after_read, one_statement);
            assert_eq!(after_snapshot, one_statement);
        }
        snapshot = Some(Snapshot {
            version: appended.version,
            event_id: batch.events()[2].id(),
            fingerprint: 7,
            state: batch.events()[2].payload().clone(),
        });
        store.save_snapshot(&stream("a"), snapshot.clone().unwrap()).await.unwrap();
    }
    sent();
    let (kept, tail) = store.read_from_snapshot(&stream("a"), 7, 10).await.unwrap();
    assert_eq!((kept, tail.len()), (snapshot, 1));
    assert_eq!(sent(), one_statement);

    // While catching up, pages are one statement each; at the end the bound is asked for, in one message.
    let mut after = store.read_log(&LogFilter::all(), Position::START, 1).await.unwrap().through;
    sent();
    for _ in 1..6 {
        after = store.read_log(&LogFilter::all(), after, 1).await.unwrap().through;
        assert_eq!(sent(), one_statement);
    }
    let end = "-- The position of the last event";
    let ends = proxy.statements(end);
    assert_eq!(store.read_log(&LogFilter::all(), after, 1).await.unwrap().events.len(), 0);
    assert!(sent().is_empty());
    assert_eq!(proxy.statements(end), ends + 1);
    assert_eq!(["BEGIN", "COMMIT"].map(|statement| proxy.statements(statement)), [0, 0]);
}

/// The session that listens would belong to whoever the pooler gives it to, who can't cope with what it hears.
#[tokio::test]
async fn behind_a_pooler_the_store_does_not_listen_and_readers_find_events_all_the_same() {
    let (direct, database) = store("pooler").await;
    let (store, proxy) = through_proxy(&database, 2).await;
    proxy.pool_sessions();
    let mut news = store.news();
    // That it tries again shows that it has made up its mind.
    let asks = "SELECT current_setting('cqrs.session'";
    while proxy.statements(asks) < 2 {
        assert_eq!(proxy.statements("LISTEN"), 0);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    add(&direct, "a").await;
    while log(&store).await.is_empty() {
        news.wait().await;
    }
    // Without the pooler it does.
    let (store, proxy) = through_proxy(&database, 2).await;
    store.news();
    while proxy.statements("LISTEN") == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn passwords_stay_out_of_debug_output_and_errors() {
    let options = PostgresStore::options("postgres://user:hunter2@127.0.0.1:1/x");
    assert!(!format!("{options:?}").contains("hunter2"));
    let error = options.connect().await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    let (store, database) = store("debug").await;
    let debug = format!("{store:?}");
    assert!(debug.contains(database.name()) && !debug.contains("options"), "{debug}");
}

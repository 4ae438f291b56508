//! A server that is there and can't begin a session, as on a full disk: for all who use it that is an outage, which
//! passes, whichever error it has for it.

use std::time::Duration;

use cqrs_core::{
    EventId, EventStore, ExpectedVersion, LogFilter, Position, StoreErrorKind, Subscription,
};
use cqrs_postgres::PostgresStore;
use cqrs_test_harness::Database;
use futures_util::future::join_all;
use sqlx::ConnectOptions;
use tokio::sync::watch;

use crate::projecting::{assert_complete, start};
use crate::proxy::{Cut, Proxy};
use crate::support::{add, append, failure, impatient, log, open_one, positions, store};

/// What servers say whose disk is full: that a file can't be written, as an internal error and as one of the system, and
/// that there is no space.
const REFUSALS: [(&str, &str); 3] = [
    ("XX000", "could not write init file"),
    ("58030", "could not write lock file \"postmaster.pid\": No space left on device"),
    ("53100", "could not extend file \"base/5/1249\": No space left on device"),
];

/// A store that reaches its database through a proxy.
async fn through_proxy(database: &Database, connections: u32) -> (PostgresStore, Proxy, String) {
    let options = database.options().clone();
    let proxy = Proxy::start(&options).await;
    let url = options.host("127.0.0.1").port(proxy.port()).to_url_lossy().to_string();
    let options = PostgresStore::options(url.as_str()).max_connections(connections);
    let store = impatient(options.acquire_timeout(Duration::from_secs(3))).await;
    (store, proxy, url)
}

/// No session begins any more, and those there were are gone; the store has found out.
async fn fill_disk(
    store: &PostgresStore,
    proxy: &Proxy,
    (code, says): (&'static str, &'static str),
) {
    proxy.begin_no_session(code, says);
    proxy.end_sessions();
    while store.pool().size() > 0 {
        let error = store.find(EventId::random()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{code}: {error}");
        let is_late = error.to_string().contains("no connection within");
        assert!(is_late || error.to_string().contains(says), "{error}");
    }
}

#[tokio::test]
async fn g4_where_no_session_begins_an_append_that_was_not_sent_is_not_stored() {
    let (direct, database) = store("no_session").await;
    for refusal in REFUSALS {
        let (store, proxy, _) = through_proxy(&database, 8).await;
        add(&store, "a").await;
        fill_disk(&store, &proxy, refusal).await;
        // One by itself, and several at once.
        let stored = log(&direct).await.len();
        for count in [1, 5] {
            let appends: Vec<_> =
                (0..count).map(|key| append(&key.to_string(), ExpectedVersion::Any, 2)).collect();
            for outcome in join_all(appends.iter().map(|append| store.append(append))).await {
                let error = failure(outcome);
                assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
                assert!(error.to_string().contains(refusal.1), "{error}");
            }
        }
        assert_eq!(log(&direct).await.len(), stored);

        proxy.begin_sessions();
        add(&store, "a").await;
        assert_eq!(log(&direct).await.len(), stored + 1);
    }
}

#[tokio::test]
async fn g4_where_no_session_begins_an_append_that_was_sent_has_an_unknown_outcome() {
    let (direct, database) = store("no_session_after_cut").await;
    let cuts = [Cut::BeforeRequest, Cut::BeforeAnswer];
    let cases = REFUSALS.into_iter().flat_map(|refusal| cuts.map(|cut| (refusal, cut)));
    // Side by side, because each goes on for a while before it gives up.
    join_all(cases.map(async |((code, says), cut)| {
        let (store, proxy, _) = through_proxy(&database, 1).await;
        // The one session, on which it is sent.
        open_one(&store).await;
        let append = append(&format!("{code}{cut:?}"), ExpectedVersion::Any, 1);
        proxy.begin_no_session(code, says);
        proxy.cut_next(cut);
        let error = failure(store.append(&append).await);
        assert_eq!(error.kind(), StoreErrorKind::OutcomeUnknown, "{error}");
        let stored = direct.find(append.events()[0].id()).await.unwrap();
        assert_eq!(stored.is_some(), cut == Cut::BeforeAnswer);

        // As the error says, repeating it is safe.
        proxy.begin_sessions();
        assert_eq!(store.append(&append).await.unwrap().replayed, stored.is_some());
    }))
    .await;
    assert_eq!(log(&direct).await.len(), cuts.len() * REFUSALS.len());
}

#[tokio::test]
async fn g8_where_no_session_begins_readers_wait_and_go_on_by_themselves() {
    let (direct, database) = store("no_session_to_read").await;
    let (store, proxy, _) = through_proxy(&database, 8).await;
    let running = start(&store, 4, |_| ());
    let mut subscription = Subscription::of_log(store.clone(), LogFilter::all());
    let (followed, mut following) = watch::channel((Vec::new(), 0));
    let subscriber = tokio::spawn(async move {
        loop {
            match subscription.next().await {
                Ok(event) => followed.send_modify(|(seen, _)| seen.push(event)),
                Err(error) => {
                    assert!(error.may_retry(), "{error}");
                    followed.send_modify(|(_, errors)| *errors += 1);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        }
    });
    for refusal in REFUSALS {
        let all = add(&direct, "a").await.position;
        let has_all = |seen: &Vec<cqrs_core::RecordedEvent>| {
            seen.last().map_or(Position::START, |event| event.position) >= all
        };
        following.wait_for(|(seen, _)| has_all(seen)).await.unwrap();
        running.wait_for(all, Duration::from_mins(2)).await.unwrap();

        fill_disk(&store, &proxy, refusal).await;
        // The server goes on for those who have a session.
        add(&direct, "b").await;
        let before = following.borrow().1;
        following.wait_for(|(_, errors)| *errors >= before + 3).await.unwrap();
        let says = |error: String| error.contains(refusal.1);
        while !running.status().last_error.is_some_and(says) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        proxy.begin_sessions();
    }
    assert_complete(&direct, running).await;
    let stored = positions(&log(&direct).await);
    following.wait_for(|(seen, _)| seen.len() >= stored.len()).await.unwrap();
    assert_eq!(positions(&following.borrow().0), stored);
    subscriber.abort();
}

#[tokio::test]
async fn connecting_says_why_the_server_begins_no_session() {
    let (_direct, database) = store("no_first_session").await;
    let (_store, proxy, url) = through_proxy(&database, 8).await;
    for (code, says) in REFUSALS {
        proxy.begin_no_session(code, says);
        let error = PostgresStore::connect(url.as_str()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
    proxy.begin_sessions();
    PostgresStore::connect(url.as_str()).await.unwrap();
}

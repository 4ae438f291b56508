//! Appends of many callers, in commits that they share.

use std::collections::BTreeMap;

use cqrs_core::{Append, AppendError, Appended, EventStore, ExpectedVersion, NewEvent, Version};
use cqrs_postgres::PostgresStore;
use sqlx::query_scalar;
use tokio::task::JoinHandle;

use crate::proxy::{Cut, Proxy};
use crate::support::{append, log, second, store};

type Running = JoinHandle<Result<Appended, AppendError>>;

/// Begins all appends at once.
fn begin(store: &PostgresStore, appends: &[Append]) -> Vec<Running> {
    let begin = |append: &Append| {
        let (store, append) = (store.clone(), append.clone());
        tokio::spawn(async move { store.append(&append).await })
    };
    appends.iter().map(begin).collect()
}

async fn outcomes(running: Vec<Running>) -> Vec<Result<Appended, AppendError>> {
    let mut outcomes = Vec::with_capacity(running.len());
    for running in running {
        outcomes.push(running.await.unwrap());
    }
    outcomes
}

#[tokio::test]
async fn callers_share_commits() {
    let (store, _database) = store("shared").await;
    let appends: Vec<Append> = (0..100)
        .map(|index| append(&format!("a{index}"), ExpectedVersion::NoStream, 1 + index % 3))
        .collect();
    for (append, outcome) in appends.iter().zip(outcomes(begin(&store, &appends)).await) {
        let appended = outcome.unwrap();
        let stored = store.read_stream(append.stream(), Version::NONE, 10).await.unwrap();
        let last = stored.last().unwrap();
        assert_eq!((appended.version, appended.position), (last.version, last.position));
        let ids: Vec<_> = stored.iter().map(|event| event.id).collect();
        assert_eq!(ids, append.events().iter().map(NewEvent::id).collect::<Vec<_>>());
    }
    let commits: i64 = query_scalar("SELECT count(DISTINCT xmin::text) FROM cqrs.events")
        .fetch_one(store.pool())
        .await
        .unwrap();
    assert!(commits < 50, "{commits} commits for 100 appends");
}

/// Programs whose commits meet at the same streams: one winner each, and nobody waits in a circle.
#[tokio::test(flavor = "multi_thread")]
async fn g2_commits_of_several_programs_have_one_winner_at_each_stream() {
    let (one, database) = store("winners").await;
    let other = second(&database).await;
    for round in 0..10 {
        let expected = ExpectedVersion::Exact(Version::new(round));
        let of = |order: &[u64]| -> Vec<Append> {
            order.iter().map(|index| append(&format!("s{index}"), expected, 1)).collect()
        };
        let order: Vec<u64> = (0..40).collect();
        let reverse: Vec<u64> = (0..40).rev().collect();
        let (ours, theirs) = (begin(&one, &of(&order)), begin(&other, &of(&reverse)));
        let (ours, mut theirs) = (outcomes(ours).await, outcomes(theirs).await);
        theirs.reverse();
        for (ours, theirs) in ours.into_iter().zip(theirs) {
            let winners = [&ours, &theirs].into_iter().filter(|outcome| outcome.is_ok()).count();
            let is_conflict = [&ours, &theirs]
                .into_iter()
                .any(|outcome| matches!(outcome, Err(AppendError::Conflict(_))));
            assert!(winners == 1 && is_conflict, "{ours:?} {theirs:?}");
        }
    }
    assert_eq!(log(&one).await.len(), 400);
}

#[tokio::test]
async fn g4_a_connection_that_is_cut_leaves_each_append_stored_once() {
    let (direct, database) = store("cut_commits").await;
    let options = database.options().clone();
    let proxy = Proxy::start(&options).await;
    let options = options.host("127.0.0.1").port(proxy.port());
    let through = PostgresStore::options(sqlx::ConnectOptions::to_url_lossy(&options));
    let through = through.max_connections(4).connect().await.unwrap();
    let mut expected = BTreeMap::new();
    for round in 0..24 {
        let cut = if round % 2 == 0 { Cut::BeforeRequest } else { Cut::BeforeAnswer };
        let appends: Vec<Append> = (0..30)
            .map(|index| append(&format!("c{index}"), ExpectedVersion::Any, 1 + index % 2))
            .collect();
        let running = begin(&through, &appends);
        // The first are on their way by themselves, a commit of all others follows: each time a little later.
        for _ in 0..=round {
            tokio::task::yield_now().await;
        }
        proxy.cut_next(cut);
        for (append, outcome) in appends.iter().zip(outcomes(running).await) {
            let appended = outcome.unwrap();
            assert!(!appended.replayed);
            *expected.entry(append.stream().clone()).or_insert(0) += append.events().len();
        }
    }
    assert!(proxy.cuts() > 0);
    for (stream, events) in expected {
        let stored = direct.read_stream(&stream, Version::NONE, 100).await.unwrap();
        assert_eq!(stored.len(), events, "{stream}");
    }
}

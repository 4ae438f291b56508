//! Connections that calls pass on among themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cqrs_core::{EventId, EventStore, Version};
use cqrs_postgres::PostgresStore;
use cqrs_test_harness::postgres;
use sqlx::postgres::PgPoolOptions;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::support::{add, store, stream};

/// Longer than anything takes that does not hang.
const LONG: Duration = Duration::from_mins(1);

#[tokio::test]
async fn calls_that_follow_each_other_use_one_connection() {
    let (store, _database) = store("warm").await;
    let begun = Instant::now();
    for _ in 0..30 {
        add(&store, "a").await;
        assert!(!store.read_stream(&stream("a"), Version::NONE, 1).await.unwrap().is_empty());
    }
    // After a second of use it is given back, and another may be taken while it is on its way.
    assert!(u64::from(store.pool().size()) <= 1 + begun.elapsed().as_secs());
    // When nobody has used it for a moment, it is there for others.
    timeout(LONG, async {
        while store.pool().num_idle() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn whoever_waits_for_a_connection_comes_before_calls_that_follow_each_other() {
    let database = postgres().unwrap().database("warm").await.unwrap();
    let options = PostgresStore::options(database.url()).max_connections(1);
    let store = options.connect().await.unwrap();
    let appends = Arc::<AtomicUsize>::default();
    let (busy, count) = (store.clone(), appends.clone());
    let busy = tokio::spawn(async move {
        loop {
            add(&busy, "a").await;
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    while appends.load(Ordering::Relaxed) < 10 {
        tokio::task::yield_now().await;
    }
    for _ in 0..10 {
        let before = appends.load(Ordering::Relaxed);
        let connection = timeout(LONG, store.pool().acquire()).await.unwrap().unwrap();
        let meanwhile = appends.load(Ordering::Relaxed) - before;
        // The one that is under way, and one that was in front.
        assert!(meanwhile <= 2, "{meanwhile}");
        drop(connection);
    }
    busy.abort();
}

#[tokio::test]
async fn a_connection_is_given_back_now_and_then_however_much_it_is_used() {
    let database = postgres().unwrap().database("warm").await.unwrap();
    let given_back = Arc::<AtomicUsize>::default();
    let count = given_back.clone();
    let pool = PgPoolOptions::new().max_connections(4).after_release(move |_, _| {
        count.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { Ok(true) })
    });
    let store = PostgresStore::with_pool(pool.connect(&database.url()).await.unwrap());
    let store = store.await.unwrap();
    add(&store, "a").await;
    let before = given_back.load(Ordering::Relaxed);
    let begun = Instant::now();
    timeout(LONG, async {
        while given_back.load(Ordering::Relaxed) < before + 3 {
            add(&store, "a").await;
        }
    })
    .await
    .unwrap();
    // With each append, it would be a round trip for each. The first two may be from before.
    assert!(begun.elapsed() > Duration::from_secs(1), "{:?}", begun.elapsed());
}

/// Where nothing runs, nobody can give it back in time; the pool is to have a look at it all the same.
#[test]
fn a_connection_that_was_kept_for_too_long_is_not_used_again() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let handed_out = Arc::<AtomicUsize>::default();
    let [again, anew] = [handed_out.clone(), handed_out.clone()];
    let (store, database) = runtime.block_on(async {
        let database = postgres().unwrap().database("warm").await.unwrap();
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .before_acquire(move |_, _| {
                again.fetch_add(1, Ordering::Relaxed);
                Box::pin(async { Ok(true) })
            })
            .after_connect(move |_, _| {
                anew.fetch_add(1, Ordering::Relaxed);
                Box::pin(async { Ok(()) })
            });
        let pool = pool.connect(&database.url()).await.unwrap();
        (PostgresStore::with_pool(pool).await.unwrap(), database)
    });
    let find = async || store.find(EventId::random()).await.unwrap();
    assert!(runtime.block_on(find()).is_none());
    let before = handed_out.load(Ordering::Relaxed);
    std::thread::sleep(Duration::from_millis(1_100));
    assert!(runtime.block_on(find()).is_none());
    assert!(handed_out.load(Ordering::Relaxed) > before);
    runtime.block_on(async move { drop((store, database)) });
}

#[tokio::test]
async fn a_pool_that_is_closed_right_after_the_first_call_gets_its_connection_back() {
    let (store, _database) = store("warm").await;
    assert!(store.find(EventId::random()).await.unwrap().is_none());
    timeout(LONG, store.pool().close()).await.unwrap();
    assert_eq!(store.pool().size(), 0);
}

#[tokio::test]
async fn a_pool_that_is_closed_gets_all_of_its_connections_back() {
    for round in 0..20 {
        let (store, _database) = store("warm").await;
        let busy = store.clone();
        let busy = tokio::spawn(async move {
            while busy.read_stream(&stream("a"), Version::NONE, 1).await.is_ok() {}
        });
        for _ in 0..round {
            add(&store, "a").await;
        }
        timeout(LONG, store.pool().close()).await.unwrap();
        timeout(LONG, busy).await.unwrap().unwrap();
        assert_eq!(store.pool().size(), 0);
    }
}

#[test]
fn a_store_outlives_its_runtime() {
    let runtime = Runtime::new().unwrap();
    let (store, database) = runtime.block_on(store("warm"));
    runtime.block_on(add(&store, "a"));
    drop(runtime);
    let runtime = Runtime::new().unwrap();
    let appended = runtime.block_on(async { timeout(LONG, add(&store, "a")).await.unwrap() });
    assert_eq!(appended.version, Version::new(2));
    // Nothing of it needs a runtime to end.
    drop(store);
    runtime.block_on(async move { drop(database) });
}

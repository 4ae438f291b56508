//! Futures that are dropped while they begin a transaction: what others store afterwards, on whatever connection, is stored.

use std::pin::pin;
use std::task::Poll;

use cqrs_core::ReadModel;
use cqrs_postgres::PostgresStore;
use cqrs_test_harness::Database;
use sqlx::postgres::PgPoolOptions;
use sqlx::{query, query_scalar};

use crate::support::{add, log, open_one, store};

/// At each of its awaits, and beyond; more than once, as an answer may come while nobody has looked away.
fn polls() -> impl Iterator<Item = usize> {
    (1..=10).flat_map(|_| 1..=3)
}

/// Waits until the connection is there for the next one.
async fn is_idle(store: &PostgresStore) {
    open_one(store).await;
    while store.pool().num_idle() == 0 {
        tokio::task::yield_now().await;
    }
}

/// Drops a future right after it was polled so often.
async fn drop_after(polls: usize, future: impl Future) {
    let (mut future, mut polled) = (pin!(future), 0);
    std::future::poll_fn(|context| {
        polled += 1;
        if future.as_mut().poll(context).is_ready() || polled == polls {
            return Poll::Ready(());
        }
        Poll::Pending
    })
    .await;
}

/// Stores with one connection, which everybody has to use, on a pool of the store's and on one of the application's.
async fn stores(database: &Database) -> [PostgresStore; 2] {
    let own = PostgresStore::options(database.url()).max_connections(1).connect().await.unwrap();
    let pool = PgPoolOptions::new().max_connections(1).connect(&database.url()).await.unwrap();
    [own, PostgresStore::with_pool(pool).await.unwrap()]
}

#[tokio::test]
async fn g3_an_append_after_a_batch_that_was_dropped_as_it_began_is_stored() {
    let (direct, database) = store("abandoned_batch").await;
    for store in stores(&database).await {
        let before = log(&direct).await.len();
        for (number, polls) in (1..).zip(polls()) {
            is_idle(&store).await;
            drop_after(polls, store.model().begin()).await;
            add(&store, "a").await;
            assert_eq!(log(&direct).await.len(), before + number);
        }
    }
}

#[tokio::test]
async fn g3_an_append_after_a_transaction_of_the_application_that_was_dropped_as_it_began_is_stored()
 {
    let (direct, database) = store("abandoned_transaction").await;
    for store in stores(&database).await {
        let before = log(&direct).await.len();
        for (number, polls) in (1..).zip(polls()) {
            is_idle(&store).await;
            drop_after(polls, store.pool().begin()).await;
            add(&store, "a").await;
            assert_eq!(log(&direct).await.len(), before + number);
        }
    }
}

#[tokio::test]
async fn what_the_application_does_after_a_batch_that_was_dropped_as_it_began_is_committed() {
    let (direct, database) = store("abandoned_for_others").await;
    query("CREATE TABLE done (number bigint)").execute(direct.pool()).await.unwrap();
    for store in stores(&database).await {
        query("DELETE FROM done").execute(direct.pool()).await.unwrap();
        for (number, polls) in (1..).zip(polls()) {
            is_idle(&store).await;
            drop_after(polls, store.model().begin()).await;
            query("INSERT INTO done VALUES (1)").execute(store.pool()).await.unwrap();
            let done: i64 =
                query_scalar("SELECT count(*) FROM done").fetch_one(direct.pool()).await.unwrap();
            assert_eq!(done, number);
        }
    }
}

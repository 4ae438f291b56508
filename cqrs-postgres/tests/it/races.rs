//! Writers who race for the same stream (G2).

use cqrs_core::{Append, AppendError, EventStore, ExpectedVersion, StoreErrorKind, Version};
use cqrs_postgres::PostgresStore;

use crate::support::{append, conflict, events, failure, log, second, store, stream};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn g2_of_writers_who_expect_the_same_version_exactly_one_wins() {
    let (store, _database) = store("one_winner").await;
    for round in 0..10 {
        let racers: Vec<_> = (0..16)
            .map(|size| {
                let store = store.clone();
                let expected = ExpectedVersion::Exact(Version::new(round));
                let append = append("a", expected, 1);
                // Each through the pool or a transaction of its own.
                tokio::spawn(async move {
                    if size % 2 == 0 {
                        return store.append(&append).await;
                    }
                    let mut transaction = store.pool().begin().await.unwrap();
                    let result = store.append_in(&mut transaction, &append).await;
                    transaction.commit().await.unwrap();
                    result
                })
            })
            .collect();
        let mut winners = 0;
        for racer in racers {
            match racer.await.unwrap() {
                Ok(appended) => {
                    winners += 1;
                    assert_eq!(appended.version, Version::new(round + 1));
                }
                Err(AppendError::Conflict(conflict)) => {
                    assert_eq!(conflict.actual, Version::new(round + 1));
                }
                Err(AppendError::Store(error)) => panic!("{error}"),
            }
        }
        assert_eq!(winners, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn g2_writers_who_expect_no_version_all_get_in() {
    let (store, _database) = store("all_in").await;
    let racers: Vec<_> = (0..16)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                for size in 1..=5 {
                    let append = append("a", ExpectedVersion::Any, size);
                    store.append(&append).await.unwrap();
                }
            })
        })
        .collect();
    for racer in racers {
        racer.await.unwrap();
    }
    let stored = store.read_stream(&stream("a"), Version::NONE, 1000).await.unwrap();
    assert_eq!(stored.len(), 16 * (1 + 2 + 3 + 4 + 5));
    assert!(stored.iter().zip(1..).all(|(event, version)| event.version.get() == version));
}

/// The conflict that only the unique constraint can find: both began before either committed.
#[tokio::test]
async fn g2_the_loser_of_a_true_race_is_told_the_version_and_its_transaction_goes_on() {
    let (store, _database) = store("true_race").await;
    for isolation in ["READ COMMITTED", "REPEATABLE READ"] {
        let key = isolation;
        let mut loser = begin(&store, isolation).await;
        let mut winner = store.pool().begin().await.unwrap();
        let won = append(key, ExpectedVersion::NoStream, 2);
        store.append_in(&mut winner, &won).await.unwrap();
        let losing = append(key, ExpectedVersion::NoStream, 1);
        let waiting = store.append_in(&mut loser, &losing);
        let result = tokio::join!(waiting, async {
            wait_until_blocked(&store).await;
            winner.commit().await.unwrap();
        });
        let conflict = conflict(result.0);
        // At the higher level the transaction can't see more than that there is another event.
        let known = if isolation == "READ COMMITTED" { 2 } else { 1 };
        assert_eq!(conflict.actual, Version::new(known));
        let elsewhere = append(&format!("{isolation}, else"), ExpectedVersion::NoStream, 1);
        store.append_in(&mut loser, &elsewhere).await.unwrap();
        loser.commit().await.unwrap();
    }
    assert_eq!(log(&store).await.len(), 6);
}

#[tokio::test]
async fn g2_the_winner_may_roll_back_and_then_the_other_gets_in() {
    let (store, _database) = store("rolls_back").await;
    let mut winner = store.pool().begin().await.unwrap();
    let won = append("a", ExpectedVersion::NoStream, 2);
    store.append_in(&mut winner, &won).await.unwrap();
    let other = append("a", ExpectedVersion::NoStream, 1);
    let result = tokio::join!(store.append(&other), async {
        wait_until_blocked(&store).await;
        winner.rollback().await.unwrap();
    });
    assert_eq!(result.0.unwrap().version, Version::FIRST);
}

#[tokio::test]
async fn g4_an_append_that_is_still_under_way_is_waited_for_and_found() {
    let (store, database) = store("under_way").await;
    let append = append("a", ExpectedVersion::NoStream, 2);
    let mut under_way = store.pool().begin().await.unwrap();
    let first = store.append_in(&mut under_way, &append).await.unwrap();
    let other = second(&database).await;
    let result = tokio::join!(other.append(&append), async {
        wait_until_blocked(&store).await;
        under_way.commit().await.unwrap();
    });
    let again = result.0.unwrap();
    assert!(again.replayed);
    assert_eq!((again.version, again.position), (first.version, first.position));
}

#[tokio::test]
async fn transactions_that_cannot_see_their_rivals_are_to_be_run_again() {
    let (store, _database) = store("run_again").await;
    let mut loser = begin(&store, "REPEATABLE READ").await;
    let batch = events(1);
    let anywhere = Append::new(stream("a"), ExpectedVersion::Any, batch).unwrap();
    store.append(&append("a", ExpectedVersion::Any, 1)).await.unwrap();
    let error = failure(store.append_in(&mut loser, &anywhere).await);
    assert_eq!(error.kind(), StoreErrorKind::Busy);
    loser.rollback().await.unwrap();
    store.append(&anywhere).await.unwrap();
}

/// A transaction that has taken its snapshot.
async fn begin(store: &PostgresStore, isolation: &str) -> sqlx::PgTransaction<'static> {
    let mut transaction = store.pool().begin().await.unwrap();
    let sql =
        format!("SET TRANSACTION ISOLATION LEVEL {isolation}; SELECT count(*) FROM cqrs.events");
    let snapshot = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
    snapshot.execute(&mut *transaction).await.unwrap();
    transaction
}

/// Returns when a session of this database waits for another transaction to end.
async fn wait_until_blocked(store: &PostgresStore) {
    let sql = "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_stat_activity USING (pid) \
               WHERE NOT granted AND locktype = 'transactionid' AND datname = current_database())";
    while !sqlx::query_scalar::<_, bool>(sql).fetch_one(store.pool()).await.unwrap() {
        tokio::task::yield_now().await;
    }
}

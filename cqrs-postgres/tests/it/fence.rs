//! No reader skips an event (G5), whoever holds a transaction open and for however long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cqrs_core::{Append, EventStore, ExpectedVersion, LogFilter, Position, StreamId};
use cqrs_postgres::PostgresStore;
use cqrs_test_harness::{Server, postgres};

use crate::support::{Follower, add, append, events, execute, positions, second, store, stream};

#[tokio::test]
async fn g5_a_transaction_held_open_after_drawing_positions_is_not_skipped() {
    let (store, database) = store("held").await;
    let first = add(&store, "a").await.position.get();
    let mut held = store.pool().begin().await.unwrap();
    let in_held = append("held", ExpectedVersion::NoStream, 2);
    let in_held = store.append_in(&mut held, &in_held).await.unwrap().position.get();
    let later = add(&store, "b").await.position.get();
    assert!(first < in_held && in_held < later);

    let mut follower = Follower::new(&second(&database).await, 10);
    assert_eq!(follower.positions().await, [first]);
    assert_eq!(skipping_reader(&store, first).await, [later]);

    held.commit().await.unwrap();
    assert_eq!(follower.positions().await, [first, in_held - 1, in_held, later]);
    // What the fence is for: a reader that goes on after the highest position it has seen loses both events.
    assert_eq!(skipping_reader(&store, later).await, [0; 0]);
}

/// What a reader sees that takes whatever is visible after the highest position it knows.
async fn skipping_reader(store: &PostgresStore, after: u64) -> Vec<u64> {
    let sql = "SELECT position FROM cqrs.events WHERE position > $1 ORDER BY position";
    let query = sqlx::query_scalar(sql).bind(i64::try_from(after).unwrap());
    let found: Vec<i64> = query.fetch_all(store.pool()).await.unwrap();
    found.into_iter().map(|position| u64::try_from(position).unwrap()).collect()
}

#[tokio::test]
async fn g5_positions_of_a_rolled_back_transaction_keep_nobody_waiting() {
    let (store, _database) = store("rolled_back").await;
    let first = add(&store, "a").await.position;
    let mut held = store.pool().begin().await.unwrap();
    let lost = append("held", ExpectedVersion::NoStream, 3);
    store.append_in(&mut held, &lost).await.unwrap();
    let next = add(&store, "a").await.position;
    let mut follower = Follower::new(&store, 10);
    assert_eq!(follower.positions().await, [first.get()]);
    assert_eq!(follower.after, first);

    held.rollback().await.unwrap();
    assert_eq!(follower.positions().await, [first.get(), next.get()]);
    assert_eq!(follower.after, next);
}

#[tokio::test]
async fn g5_events_after_a_savepoint_that_was_rolled_back_are_not_skipped() {
    let (store, _database) = store("savepoint").await;
    let mut held = store.pool().begin().await.unwrap();
    sqlx::raw_sql("SAVEPOINT before").execute(&mut *held).await.unwrap();
    store.append_in(&mut held, &append("a", ExpectedVersion::NoStream, 2)).await.unwrap();
    sqlx::raw_sql("ROLLBACK TO before").execute(&mut *held).await.unwrap();
    let kept = append("a", ExpectedVersion::NoStream, 1);
    let kept = store.append_in(&mut held, &kept).await.unwrap().position;
    let later = add(&store, "b").await.position;

    let mut follower = Follower::new(&store, 10);
    assert_eq!(follower.positions().await, [0; 0]);
    held.commit().await.unwrap();
    assert_eq!(follower.positions().await, [kept.get(), later.get()]);
}

/// Locks are few on a server: a transaction needs one, not one for each append.
#[tokio::test]
async fn a_transaction_takes_one_fence_for_all_its_appends() {
    let (_store, database) = store("one_fence").await;
    // One connection, so that the second transaction follows the first in the same session.
    let store = PostgresStore::options(database.url()).max_connections(1).connect().await.unwrap();
    let sql =
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()";
    for _ in 0..2 {
        let mut transaction = store.pool().begin().await.unwrap();
        for _ in 0..3 {
            store.append_in(&mut transaction, &append("a", ExpectedVersion::Any, 2)).await.unwrap();
        }
        let fences: i64 = sqlx::query_scalar(sql).fetch_one(&mut *transaction).await.unwrap();
        assert_eq!(fences, 1);
        transaction.commit().await.unwrap();
    }
}

#[tokio::test]
async fn g5_a_prepared_transaction_is_not_skipped_even_across_a_crash() {
    // A server of its own: prepared transactions are off by default, and this one is to crash.
    let server = Server::start_own().unwrap();
    let database = server.database("prepared").await.unwrap();
    let store = PostgresStore::connect(&database.url()).await.unwrap();
    let mut prepared = store.pool().begin().await.unwrap();
    let first = append("a", ExpectedVersion::NoStream, 1);
    let first = store.append_in(&mut prepared, &first).await.unwrap().position;
    sqlx::raw_sql("PREPARE TRANSACTION 'held'").execute(&mut *prepared).await.unwrap();
    prepared.rollback().await.unwrap();
    let later = add(&store, "b").await.position;

    let mut follower = Follower::new(&store, 10);
    assert_eq!(follower.positions().await, [0; 0]);
    server.kill().unwrap();
    server.restart().unwrap();
    assert_eq!(follower.positions().await, [0; 0]);

    execute(&second(&database).await, "COMMIT PREPARED 'held'").await;
    assert_eq!(follower.positions().await, [first.get(), later.get()]);
}

#[tokio::test]
async fn g5_rows_that_a_copy_adds_are_not_skipped() {
    let (store, _database) = store("copied").await;
    let mut copying = store.pool().begin().await.unwrap();
    let sql = "COPY cqrs.events (category, key, version, event_type, schema_version, payload, event_id, \
               correlation_id, causation_id) FROM STDIN";
    let mut copy = copying.copy_in_raw(sql).await.unwrap();
    let id = uuid::Uuid::now_v7();
    let row = format!("account\tcopied\t1\taccount.opened\t1\t{{}}\t{id}\t{id}\t{id}\n");
    copy.send(row.as_bytes()).await.unwrap();
    copy.finish().await.unwrap();
    let later = add(&store, "a").await.position.get();

    let mut follower = Follower::new(&store, 10);
    assert_eq!(follower.positions().await, [0; 0]);
    copying.commit().await.unwrap();
    assert_eq!(follower.positions().await, [later - 1, later]);
}

#[tokio::test]
async fn g5_other_transactions_of_the_server_do_not_hold_readers_back() {
    let (store, _database) = store("unrelated").await;
    execute(&store, "CREATE TABLE other (id bigint)").await;
    // One that writes, one that holds a snapshot, and one that has an advisory lock of its own.
    let mut writes = store.pool().begin().await.unwrap();
    sqlx::raw_sql("INSERT INTO other VALUES (1)").execute(&mut *writes).await.unwrap();
    let mut reads = store.pool().begin().await.unwrap();
    let read = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM cqrs.events";
    sqlx::raw_sql(read).execute(&mut *reads).await.unwrap();
    let mut locks = store.pool().begin().await.unwrap();
    let lock = "SELECT pg_advisory_xact_lock_shared(1), pg_advisory_xact_lock(2, 3)";
    sqlx::raw_sql(lock).execute(&mut *locks).await.unwrap();

    let added = add(&store, "a").await.position;
    assert_eq!(Follower::new(&store, 10).positions().await, [added.get()]);
}

#[tokio::test]
async fn g5_appends_in_another_database_do_not_hold_readers_back() {
    let (store, _database) = store("here").await;
    let elsewhere = postgres().unwrap().database("elsewhere").await.unwrap();
    let other = second(&elsewhere).await;
    let mut held = other.pool().begin().await.unwrap();
    other.append_in(&mut held, &append("a", ExpectedVersion::Any, 1)).await.unwrap();

    let added = add(&store, "a").await.position;
    assert_eq!(Follower::new(&store, 10).positions().await, [added.get()]);
}

#[tokio::test]
async fn g5_writers_do_not_wait_for_each_other() {
    let (store, _database) = store("no_waiting").await;
    let mut held = store.pool().begin().await.unwrap();
    store.append_in(&mut held, &append("a", ExpectedVersion::Any, 1)).await.unwrap();
    // Would wait for the transaction above for ever.
    for key in ["b", "c"] {
        add(&store, key).await;
    }
    let mut second = store.pool().begin().await.unwrap();
    store.append_in(&mut second, &append("d", ExpectedVersion::Any, 1)).await.unwrap();
    second.commit().await.unwrap();
    held.commit().await.unwrap();
    assert_eq!(Follower::new(&store, 10).positions().await.len(), 4);
}

#[tokio::test]
async fn g5_a_sequence_never_used_means_an_empty_log() {
    let (store, _database) = store("never_used").await;
    let page = store.read_log(&LogFilter::all(), Position::START, 10).await.unwrap();
    assert_eq!((page.events.len(), page.through), (0, Position::START));
    // Even before its very first position is drawn, a transaction is not overlooked.
    let mut held = store.pool().begin().await.unwrap();
    let first = append("a", ExpectedVersion::Any, 1);
    store.append_in(&mut held, &first).await.unwrap();
    add(&store, "b").await;
    let mut follower = Follower::new(&store, 10);
    assert_eq!(follower.positions().await, [0; 0]);
    held.commit().await.unwrap();
    assert_eq!(follower.positions().await, [1, 2]);
}

#[tokio::test]
async fn g5_a_reader_may_ask_from_beyond_the_end() {
    let (store, _database) = store("beyond").await;
    add(&store, "a").await;
    for after in [Position::new(1000), Position::new(u64::MAX)] {
        let page = store.read_log(&LogFilter::all(), after, 10).await.unwrap();
        assert_eq!((page.events.len(), page.through), (0, after));
    }
}

/// A statement that is slow between drawing positions and the commit makes transactions commit in quite another order
/// than they drew.
const SLOW_COMMITS: &str = "
    CREATE FUNCTION cqrs.test_dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_sleep(random() * random() * 0.05);
        RETURN NULL;
    END $$;
    CREATE TRIGGER test_dawdle AFTER INSERT ON cqrs.events
    FOR EACH STATEMENT EXECUTE FUNCTION cqrs.test_dawdle();";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn g5_g6_16_writers_with_random_delays() {
    let (store, database) = store("random").await;
    execute(&store, SLOW_COMMITS).await;
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = [1, 7, 1000]
        .map(|limit| {
            let (url, done) = (database.url(), Arc::clone(&done));
            tokio::spawn(async move {
                let store = PostgresStore::connect(&url).await.unwrap();
                let mut follower = Follower::new(&store, limit);
                while !done.load(Ordering::Acquire) {
                    if follower.step().await == 0 {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                }
                follower.positions().await;
                follower.seen
            })
        })
        .into();
    let writers: Vec<_> = (0..16)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for round in 0..30 {
                    write(&store, writer, round).await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    done.store(true, Ordering::Release);

    let committed = skipping_reader(&store, 0).await;
    assert!(committed.len() > 16 * 30);
    for reader in readers {
        let seen = reader.await.unwrap();
        assert_eq!(positions(&seen), committed);
        let mut versions = std::collections::HashMap::<StreamId, u64>::new();
        for event in seen {
            let version = versions.entry(event.stream).or_default();
            *version += 1;
            assert_eq!(event.version.get(), *version);
        }
    }
}

/// One append, of one of several sizes, to a stream that others use too; or one that is rolled back.
async fn write(store: &PostgresStore, writer: usize, round: usize) {
    let key = format!("{}", (writer + round) % 5);
    let append = Append::new(stream(&key), ExpectedVersion::Any, events(1 + round % 3)).unwrap();
    if round % 7 == 6 {
        let mut transaction = store.pool().begin().await.unwrap();
        store.append_in(&mut transaction, &append).await.unwrap();
        transaction.rollback().await.unwrap();
    } else {
        store.append(&append).await.unwrap();
    }
}

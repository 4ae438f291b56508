//! What survives: crashes of the server (G3), dump and restore (G12).

use std::process::{Command, Stdio};

use cqrs_core::{EventStore as _, ExpectedVersion};
use cqrs_postgres::PostgresStore;
use cqrs_test_harness::{Database, Server, program};

use crate::support::{Follower, add, append, execute, log, positions};

#[tokio::test]
async fn g3_what_was_acknowledged_survives_a_crash_even_where_commits_are_asynchronous() {
    let server = Server::start_own().unwrap();
    let database = server.database("crash").await.unwrap();
    let store = PostgresStore::connect(&database.url()).await.unwrap();
    // The worst setting there is: without more, the last ten seconds would be lost.
    execute(&store, "ALTER SYSTEM SET wal_writer_delay = '10s'").await;
    execute(&store, "ALTER SYSTEM SET synchronous_commit = off").await;
    execute(&store, "SELECT pg_reload_conf()").await;
    let store = PostgresStore::connect(&database.url()).await.unwrap();
    let mut in_effect = String::new();
    while in_effect != "off" {
        let show = sqlx::query_scalar("SHOW synchronous_commit");
        in_effect = show.fetch_one(store.pool()).await.unwrap();
    }
    execute(&store, "CREATE TABLE other (id bigint)").await;

    let mut acknowledged = Vec::new();
    for count in 1..=20 {
        acknowledged.push(add(&store, "a").await.position.get());
        let own = append("b", ExpectedVersion::Any, count);
        let mut transaction = store.pool().begin().await.unwrap();
        let appended = store.append_in(&mut transaction, &own).await.unwrap();
        transaction.commit().await.unwrap();
        let last = appended.position.get();
        acknowledged.extend(last + 1 - count as u64..=last);
    }
    // The setting is in force for the rest: these are lost, which shows that the crash is a real one; unless the server
    // comes just then to flush what nobody waits for.
    let (mut tries, mut kept) = (0, 0_i64);
    while kept == tries && tries < 5 {
        tries += 1;
        execute(&store, "INSERT INTO other VALUES (1)").await;
        server.kill().unwrap();
        server.restart().unwrap();
        assert_eq!(positions(&log(&store).await), acknowledged);
        let rows = sqlx::query_scalar("SELECT count(*) FROM other");
        kept = rows.fetch_one(store.pool()).await.unwrap();
    }
    assert!(kept < tries, "nothing was lost {tries} times");
    let next = add(&store, "a").await.position.get();
    assert!(next > *acknowledged.last().unwrap());
}

/// Nothing flushes what a sequence has given out to an append that is rolled back: a crash takes it back.
#[tokio::test]
async fn g5_positions_that_were_rolled_back_are_not_passed_as_long_as_a_crash_may_give_them_again()
{
    let server = Server::start_own_with("wal_writer_delay = '10s'").unwrap();
    // The server flushes by itself now and then.
    let mut was_given_again = false;
    for number in 0..5 {
        let database = server.database(&format!("given_again_{number}")).await.unwrap();
        let store = PostgresStore::connect(&database.url()).await.unwrap();
        // The first record of the sequence covers 33 numbers; for the next one, another is written.
        store.append(&append("a", ExpectedVersion::Any, 33)).await.unwrap();
        let mut transaction = store.pool().begin().await.unwrap();
        let lost = append("b", ExpectedVersion::Any, 1);
        let lost = store.append_in(&mut transaction, &lost).await.unwrap().position;
        transaction.rollback().await.unwrap();
        let mut follower = Follower::new(&store, 100);
        follower.positions().await;

        server.kill().unwrap();
        server.restart().unwrap();
        let next = add(&store, "c").await.position;
        assert_eq!(follower.positions().await.last(), Some(&next.get()));
        was_given_again |= next == lost;
        if was_given_again {
            break;
        }
    }
    assert!(was_given_again, "no crash took anything back, so that the test shows nothing");
}

#[tokio::test]
async fn g12_positions_survive_dump_and_restore() {
    let server = Server::start_own().unwrap();
    let from = server.database("from").await.unwrap();
    let store = PostgresStore::connect(&from.url()).await.unwrap();
    // Its transactions have higher ids than the server the dump goes to will have for a while.
    let transactions = "DO $$ BEGIN FOR number IN 1..5000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$";
    execute(&store, transactions).await;
    add(&store, "a").await;
    // A gap, so that positions are more than a count.
    let mut lost = store.pool().begin().await.unwrap();
    let gap = append("a", ExpectedVersion::Any, 5);
    store.append_in(&mut lost, &gap).await.unwrap();
    lost.rollback().await.unwrap();
    add(&store, "a").await;
    add(&store, "b").await;
    let before = log(&store).await;
    let checkpoint = before[1].position;

    let other = Server::start_own().unwrap();
    let to = other.database("to").await.unwrap();
    restore(&from, &to);
    let restored = PostgresStore::connect(&to.url()).await.unwrap();
    assert_eq!(log(&restored).await, before);

    // A reader goes on from the checkpoint it had, and the sequence from where it stood.
    let mut follower = Follower::new(&restored, 10);
    follower.after = checkpoint;
    let next = add(&restored, "a").await.position;
    assert!(next > before[2].position);
    assert_eq!(follower.positions().await, [before[2].position.get(), next.get()]);
    // The fence came along.
    let mut held = restored.pool().begin().await.unwrap();
    let append = append("c", ExpectedVersion::Any, 1);
    restored.append_in(&mut held, &append).await.unwrap();
    add(&restored, "a").await;
    assert_eq!(follower.positions().await.len(), 2);
}

#[tokio::test]
async fn g12_events_imported_with_their_positions_are_read_as_they_were() {
    let server = Server::start_own().unwrap();
    let from = server.database("export").await.unwrap();
    let store = PostgresStore::connect(&from.url()).await.unwrap();
    for key in ["a", "b", "a"] {
        add(&store, key).await;
    }
    let before = log(&store).await;
    let to = server.database("import").await.unwrap();
    let imported = PostgresStore::connect(&to.url()).await.unwrap();
    let mut rows = Vec::new();
    let mut out = store.pool().acquire().await.unwrap();
    let mut copy = out.copy_out_raw("COPY cqrs.events TO STDOUT").await.unwrap();
    while let Some(chunk) = std::future::poll_fn(|context| copy.as_mut().poll_next(context)).await {
        rows.extend(chunk.unwrap());
    }
    let mut import = imported.pool().begin().await.unwrap();
    let mut copy = import.copy_in_raw("COPY cqrs.events FROM STDIN").await.unwrap();
    copy.send(&rows[..]).await.unwrap();
    copy.finish().await.unwrap();
    let set = "SELECT setval('cqrs.events_position_seq', (SELECT max(position) FROM cqrs.events))";
    sqlx::raw_sql(set).execute(&mut *import).await.unwrap();
    // The sequence is set for everybody before the events are committed.
    let mut follower = Follower::new(&imported, 10);
    assert_eq!(follower.positions().await, [0; 0]);
    import.commit().await.unwrap();
    follower.positions().await;
    assert_eq!(follower.seen, before);
    let next = add(&imported, "a").await;
    assert_eq!((next.version.get(), next.position.get()), (3, before[2].position.get() + 1));
}

/// Copies a database by way of a dump.
fn restore(from: &Database, to: &Database) {
    let mut dump = Command::new(program("pg_dump").unwrap())
        .arg(address(from))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let restored = Command::new(program("psql").unwrap())
        .args(["--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1"])
        .arg(address(to))
        .stdin(dump.stdout.take().unwrap())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(dump.wait().unwrap().success());
    assert!(restored.success());
}

/// The URL without what only `sqlx` understands.
fn address(database: &Database) -> String {
    let url = database.url();
    let address = url.split('?').next().unwrap();
    format!("--dbname={address}")
}

//! Statements that the server undoes in favour of another transaction, as after a deadlock.

use cqrs_core::{EventStore, ExpectedVersion, StoreErrorKind};
use cqrs_postgres::PostgresStore;

use crate::support::{append, execute, failure, log, store};

/// Has the server undo the next inserts, as many as this. Counted by a sequence, which is not undone with them.
async fn undo_inserts(store: &PostgresStore, count: i64) {
    execute(
        store,
        "CREATE SEQUENCE attempts;
         CREATE TABLE undone (attempts bigint);
         CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF nextval('attempts') <= (SELECT attempts FROM undone) THEN
                 RAISE EXCEPTION 'undone' USING ERRCODE = 'deadlock_detected';
             END IF;
             RETURN NULL;
         END $$;
         CREATE TRIGGER undo AFTER INSERT ON cqrs.events EXECUTE FUNCTION undo();",
    )
    .await;
    sqlx::query("INSERT INTO undone VALUES ($1)").bind(count).execute(store.pool()).await.unwrap();
}

async fn attempts(store: &PostgresStore) -> i64 {
    let attempts = sqlx::query_scalar("SELECT last_value FROM attempts");
    attempts.fetch_one(store.pool()).await.unwrap()
}

#[tokio::test]
async fn g1_an_append_that_the_server_undid_is_repeated_and_stored_once() {
    let (store, _database) = store("undone").await;
    undo_inserts(&store, 5).await;
    let appended = store.append(&append("a", ExpectedVersion::NoStream, 2)).await.unwrap();
    assert_eq!(appended.version.get(), 2);
    assert!(!appended.replayed);
    assert_eq!(log(&store).await.len(), 2);
    assert_eq!(attempts(&store).await, 6);
}

#[tokio::test]
async fn an_append_that_the_server_undoes_every_time_is_given_up() {
    let (store, _database) = store("undone_always").await;
    undo_inserts(&store, 8).await;
    let refused = failure(store.append(&append("a", ExpectedVersion::Any, 1)).await);
    assert_eq!(refused.kind(), StoreErrorKind::Busy);
    assert_eq!(attempts(&store).await, 6);
    assert_eq!(log(&store).await, []);
}

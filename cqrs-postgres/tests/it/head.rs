//! Where the log ends, and who keeps readers from its end.

use std::time::Duration;

use cqrs_core::{EventStore, ExpectedVersion, Head, Position};
use cqrs_postgres::PostgresStore;
use cqrs_test_harness::Server;

use crate::support::{add, append, execute, store};

async fn head(store: &PostgresStore) -> Head {
    store.head().await.unwrap()
}

#[tokio::test]
async fn an_open_append_is_named_by_its_session_until_it_ends() {
    let (store, database) = store("head").await;
    assert_eq!(head(&store).await, Head::decided(Position::START));
    let first = add(&store, "a").await.position;
    assert_eq!(head(&store).await, Head::decided(first));

    let url = database.url();
    let separator = if url.contains('?') { '&' } else { '?' };
    let url = format!("{url}{separator}application_name=billing");
    let billing = PostgresStore::connect(&url).await.unwrap();
    let mut held = billing.pool().begin().await.unwrap();
    let in_held = append("held", ExpectedVersion::NoStream, 2);
    billing.append_in(&mut held, &in_held).await.unwrap();
    let pid: i32 =
        sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *held).await.unwrap();
    let later = add(&store, "b").await.position;

    let found = head(&store).await;
    assert_eq!((found.last, found.visible), (later, first));
    let [open] = &found.open_appends[..] else { panic!("{found:?}") };
    assert_eq!(open.after, first);
    let begin = format!("process {pid}, application billing, from ");
    assert!(open.session.starts_with(&begin), "{}", open.session);
    assert!(open.session.contains(", state idle in transaction, since 2"), "{}", open.session);
    let open_for = open.open_for.unwrap();
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(head(&store).await.open_appends[0].open_for.unwrap() > open_for);

    held.commit().await.unwrap();
    assert_eq!(head(&store).await, Head::decided(later));
}

/// One that has taken its fence and drawn nothing yet keeps nobody from anything.
#[tokio::test]
async fn an_append_that_nobody_waits_for_is_not_named() {
    let (store, _database) = store("head_later").await;
    let first = add(&store, "a").await.position;
    let mut held = store.pool().begin().await.unwrap();
    let nothing = "INSERT INTO cqrs.events SELECT * FROM cqrs.events WHERE false";
    sqlx::raw_sql(nothing).execute(&mut *held).await.unwrap();
    assert_eq!(head(&store).await, Head::decided(first));
    let later = add(&store, "a").await.position;
    let found = head(&store).await;
    assert_eq!((found.last, found.visible, found.open_appends.len()), (later, first, 1));
    held.rollback().await.unwrap();
    assert_eq!(head(&store).await, Head::decided(later));
}

#[tokio::test]
async fn open_appends_of_other_roles_and_prepared_ones_are_told_as_far_as_the_server_tells() {
    // A server of its own: for a role, and for prepared transactions, which are off by default.
    let server = Server::start_own().unwrap();
    let database = server.database("head_roles").await.unwrap();
    let owner = PostgresStore::connect(&database.url()).await.unwrap();
    let grants = "CREATE ROLE app LOGIN; GRANT USAGE ON SCHEMA cqrs TO app; \
                  GRANT SELECT ON cqrs.migrations, cqrs.events TO app; \
                  GRANT SELECT ON SEQUENCE cqrs.events_position_seq TO app";
    execute(&owner, grants).await;
    let app = PostgresStore::connect(&database.url().replace("postgres@", "app@")).await.unwrap();

    let mut held = owner.pool().begin().await.unwrap();
    owner.append_in(&mut held, &append("a", ExpectedVersion::Any, 1)).await.unwrap();
    let pid: i32 =
        sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *held).await.unwrap();
    let found = head(&app).await;
    let [open] = &found.open_appends[..] else { panic!("{found:?}") };
    assert_eq!((open.session.as_str(), open.open_for), (&*format!("process {pid}"), None));

    sqlx::raw_sql("PREPARE TRANSACTION 'of the ledger'").execute(&mut *held).await.unwrap();
    held.rollback().await.unwrap();
    for store in [&owner, &app] {
        let found = head(store).await;
        let [open] = &found.open_appends[..] else { panic!("{found:?}") };
        let begin = "prepared transaction `of the ledger`, since 2";
        assert!(open.session.starts_with(begin), "{}", open.session);
        assert!(open.open_for.is_some());
    }
    execute(&owner, "COMMIT PREPARED 'of the ledger'").await;
    assert_eq!(head(&app).await, Head::decided(Position::new(1)));
}

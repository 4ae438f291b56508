//! The harness keeps what it promises: databases of their own, crash and restart, nothing left behind.

use cqrs_test_harness::{Server, postgres};
use sqlx::{Connection, PgConnection};

#[tokio::test]
async fn each_test_has_a_database_of_its_own() {
    let server = postgres().unwrap();
    let (one, two) =
        (server.database("same").await.unwrap(), server.database("same").await.unwrap());
    assert_ne!(one.name(), two.name());
    for database in [&one, &two] {
        let mut connection = PgConnection::connect(&database.url()).await.unwrap();
        let create = "CREATE TABLE only_here (id int)";
        sqlx::query(create).execute(&mut connection).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_of_ones_own_is_killed_and_started_again_at_the_same_address() {
    let server = Server::start_own().unwrap();
    let database = server.database("crash").await.unwrap();
    server.kill().unwrap();
    assert!(PgConnection::connect(&database.url()).await.is_err());
    server.restart().unwrap();
    PgConnection::connect(&database.url()).await.unwrap();
    let url = database.url();
    drop(server);
    assert!(PgConnection::connect(&url).await.is_err());
}

//! Migrations, statements, and databases that are refused.

use cqrs_core::{
    Commit, EventStore, ExpectedVersion, Maintain, Member, Opened, Parked, ParkedRequest, Position,
    ProjectionId, ReadModel, Setup, StoreErrorKind, Version,
};
use cqrs_postgres::{PostgresModel, PostgresStore};
use cqrs_test_harness::{Server, postgres};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPoolOptions;

use crate::support::{add, append, execute, failure, log, store, stream};

#[tokio::test]
async fn every_statement_fits_the_schema() {
    let (store, _database) = store("statements").await;
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/sql");
    let mut connection = store.pool().acquire().await.unwrap();
    let mut count = 0;
    for file in std::fs::read_dir(directory).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let prepare = format!("PREPARE statement_{count} AS {text}");
        let prepared = sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *connection).await;
        prepared.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        count += 1;
    }
    assert!(count > 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn stores_that_connect_at_once_create_the_schema_once() {
    let database = postgres().unwrap().database("at_once").await.unwrap();
    let connecting: Vec<_> = (0..8)
        .map(|_| {
            let url = database.url();
            tokio::spawn(async move { PostgresStore::connect(&url).await })
        })
        .collect();
    for connected in connecting {
        add(&connected.await.unwrap().unwrap(), "a").await;
    }
    let store = PostgresStore::connect(&database.url()).await.unwrap();
    let sql = "SELECT array_agg(number ORDER BY number) FROM cqrs.migrations";
    let ran: Vec<i32> = sqlx::query_scalar(sql).fetch_one(store.pool()).await.unwrap();
    assert_eq!(ran, [1, 2]);
    assert_eq!(log(&store).await.len(), 8);
}

#[tokio::test]
async fn the_schema_is_created_only_where_that_is_wanted() {
    let database = postgres().unwrap().database("not_wanted").await.unwrap();
    let options = || PostgresStore::options(database.url()).migrate(false);
    let error = options().connect().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unsupported);
    let store = PostgresStore::connect(&database.url()).await.unwrap();
    let objects = "SELECT count(*) FROM pg_class WHERE relnamespace = 'cqrs'::regnamespace";
    let count =
        async || -> i64 { sqlx::query_scalar(objects).fetch_one(store.pool()).await.unwrap() };
    let before = count().await;
    add(&options().connect().await.unwrap(), "a").await;
    assert_eq!(count().await, before);
}

#[tokio::test]
async fn a_pool_of_ones_own_will_do() {
    let database = postgres().unwrap().database("own_pool").await.unwrap();
    let pool = PgPoolOptions::new().max_connections(2);
    let pool = pool.connect_with(database.options().clone()).await.unwrap();
    let store = PostgresStore::with_pool(pool).await.unwrap();
    add(&store, "a").await;
    assert_eq!(log(&store).await.len(), 1);
}

#[tokio::test]
async fn a_schema_newer_than_the_program_is_refused() {
    let (store, database) = store("newer").await;
    execute(&store, "INSERT INTO cqrs.migrations (number, name) VALUES (1000, 'future')").await;
    let error = PostgresStore::connect(&database.url()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unsupported);
    assert!(error.to_string().contains("1000"), "{error}");
}

/// The privileges the migrations list are enough, and no other.
#[tokio::test]
async fn a_role_that_may_not_create_anything_can_use_the_store() {
    let server = Server::start_own().unwrap();
    let database = server.database("role").await.unwrap();
    let owner_store = PostgresStore::connect(&database.url()).await.unwrap();
    execute(&owner_store, "CREATE ROLE app LOGIN; REVOKE ALL ON DATABASE postgres FROM PUBLIC")
        .await;
    let url = database.url().replace("postgres@", "app@");
    assert!(url.contains("app@"));

    // Not even allowed to look.
    let error = PostgresStore::connect(&url).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unsupported, "{error}");
    execute(
        &owner_store,
        "GRANT USAGE ON SCHEMA cqrs TO app; GRANT SELECT ON cqrs.migrations TO app",
    )
    .await;
    let error = PostgresStore::connect(&url).await.unwrap_err();
    assert!(error.to_string().contains("GRANT SELECT ON SEQUENCE"), "{error}");
    execute(&owner_store, "GRANT SELECT ON SEQUENCE cqrs.events_position_seq TO app").await;

    let store = PostgresStore::connect(&url).await.unwrap();
    let error = failure(store.append(&append("a", ExpectedVersion::Any, 1)).await);
    assert_eq!(error.kind(), StoreErrorKind::Unsupported, "{error}");
    let grants = "GRANT SELECT, INSERT ON cqrs.events TO app; \
                  GRANT SELECT, INSERT, UPDATE ON cqrs.snapshots TO app";
    execute(&owner_store, grants).await;
    add(&store, "a").await;
    assert_eq!(log(&store).await.len(), 1);

    let model = store.model();
    let id = ProjectionId { name: "balances", version: 1, events: String::new() };
    let setup = Setup { tables: "", slots: 1, replays_to: Position::START, beside: false };
    let error = model.open(&id, &setup).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unsupported, "{error}");
    let grants = "GRANT SELECT, INSERT, UPDATE, DELETE \
                  ON cqrs.projections, cqrs.checkpoints, cqrs.members, cqrs.parked TO app";
    execute(&owner_store, grants).await;
    assert_eq!(model.open(&id, &setup).await.unwrap(), Opened::InService);
    runs(&model, &id).await;
    // A view makes its table.
    let id = ProjectionId { name: "owners", ..id };
    let setup = Setup { tables: "CREATE TABLE owners (name text)", beside: true, ..setup };
    let error = model.open(&id, &setup).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unsupported, "{error}");
    let database = database.name();
    let grant =
        format!("GRANT CREATE ON DATABASE {database} TO app; GRANT CREATE ON SCHEMA public TO app");
    sqlx::raw_sql(AssertSqlSafe(grant)).execute(owner_store.pool()).await.unwrap();
    assert_eq!(model.open(&id, &setup).await.unwrap(), Opened::InService);
    runs(&model, &id).await;
    let next = ProjectionId { version: 2, ..id };
    assert_eq!(model.open(&next, &setup).await.unwrap(), Opened::Beside);
    model.put_in_service("owners", 2, false).await.unwrap();
    model.reset("owners", 2, Position::START).await.unwrap();
    assert!(model.remove("owners", 1).await.unwrap());

    let drop = sqlx::raw_sql("DELETE FROM cqrs.events").execute(store.pool()).await;
    assert!(drop.is_err());
}

/// All that is done to a version that is run.
async fn runs(model: &PostgresModel, id: &ProjectionId) {
    let (owner, time) = (uuid::Uuid::now_v7(), std::time::Duration::from_mins(1));
    let member = Member { id: owner, label: "", leases: &[], time, error: None };
    let lease = model.share(id, &member).await.unwrap().unwrap().leases[0];
    let parked = Parked {
        stream: stream("a"),
        version: Version::FIRST,
        position: lease.position,
        event_type: String::new(),
        attempts: 1,
        error: String::new(),
        since: std::time::SystemTime::now(),
        request: None,
    };
    let commit = Commit { leases: &[lease], events: 1, time };
    let mut transaction = model.begin().await.unwrap();
    model.park(&mut transaction, id, &parked).await.unwrap();
    assert!(model.commit(transaction, id, &commit).await.unwrap());
    let asked = model.request(id.name, 1, &parked.stream, ParkedRequest::Replay).await;
    assert!(asked.unwrap());
    let mut transaction = model.begin().await.unwrap();
    model.unpark(&mut transaction, id, &parked.stream).await.unwrap();
    assert!(model.commit(transaction, id, &commit).await.unwrap());
    assert_eq!(model.parked(id.name, 1).await.unwrap(), []);
    assert!(model.prolong(id, &[lease], time).await.unwrap());
    assert!(model.rescale(id.name, 1, 2).await.unwrap());
    model.leave(id, &crate::model::leaving(owner, &[lease])).await.unwrap();
    assert!(!model.projections(None).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_named() {
    let (_store, database) = store("exists").await;
    let url = database.url().replace(database.name(), "no_such_database");
    let error = PostgresStore::connect(&url).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unsupported);
    assert!(error.to_string().contains("no_such_database"), "{error}");
    let error = PostgresStore::connect("not a url").await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unsupported);
}

/// A sequence set behind the events, as after an import that forgot it, says what to do.
#[tokio::test]
async fn a_sequence_behind_the_events_is_an_error_that_helps() {
    let (store, _database) = store("behind").await;
    add(&store, "a").await;
    add(&store, "a").await;
    execute(&store, "SELECT setval('cqrs.events_position_seq', 1)").await;
    let error = failure(store.append(&append("b", ExpectedVersion::Any, 1)).await);
    assert_eq!(error.kind(), StoreErrorKind::Other);
    assert!(error.to_string().contains("events_position_seq"), "{error}");
}

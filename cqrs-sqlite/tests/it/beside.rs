//! Versions in files of their own, and their way into service and back.

use std::fs;
use std::path::Path;
use std::time::Duration;

use cqrs_core::{
    Maintain, Opened, Position, ProjectionId, PutInService, ReadModel, StoreErrorKind,
};
use cqrs_sqlite::SqliteModel;
use sqlx::{query, query_as, query_scalar, raw_sql};

use crate::model::{ACCOUNTS, accounts, again, at, balances, commit, end, lease, setup};
use crate::support::{assert_failure, connect, execute, failure, open_patiently, place};

/// The files of a directory, by name.
pub(crate) fn files(path: &Path) -> Vec<String> {
    let directory = path.parent().unwrap();
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| !name.ends_with("-wal") && !name.ends_with("-shm"));
    names.sort();
    names
}

async fn put(model: &SqliteModel, version: u32) -> PutInService {
    model.put_in_service("balances", version, false).await.unwrap()
}

/// The version in service, and those beside.
async fn versions(model: &SqliteModel) -> (Vec<u32>, Vec<u32>) {
    let states = model.projections(None).await.unwrap();
    let (served, beside): (Vec<_>, Vec<_>) = states.into_iter().partition(|state| state.in_service);
    let numbers = |states: Vec<cqrs_core::ProjectionState>| {
        states.into_iter().map(|state| state.version).collect()
    };
    (numbers(served), numbers(beside))
}

/// What there is of the tables of the application.
async fn schema(model: &SqliteModel) -> Vec<(String, String, Option<String>)> {
    query_as(
        "SELECT type, name, sql FROM sqlite_schema \
         WHERE tbl_name NOT LIKE 'cqrs%' AND tbl_name NOT LIKE 'sqlite%' ORDER BY name",
    )
    .fetch_all(model.pool())
    .await
    .unwrap()
}

#[tokio::test]
async fn tables_come_with_all_that_belongs_to_them() {
    let place = place();
    // A path with characters that mean something in URIs.
    let path = place.path.with_file_name("bänk 100%?a=b#c.db");
    for model in [SqliteModel::open(&path).await.unwrap(), SqliteModel::in_memory().await.unwrap()]
    {
        // In the way of everything that could go wrong with names and order.
        raw_sql("CREATE TABLE theirs (account INTEGER REFERENCES accounts (id))")
            .execute(model.writer())
            .await
            .unwrap();
        let tables = r#"
            CREATE TABLE accounts (id INTEGER PRIMARY KEY AUTOINCREMENT, cents INTEGER NOT NULL DEFAULT 7,
                twice INTEGER GENERATED ALWAYS AS (cents * 2) VIRTUAL);
            CREATE UNIQUE INDEX "by ""cents""" ON accounts (cents) WHERE cents > 7;
            CREATE TABLE "their ""odd"" name" (account INTEGER REFERENCES accounts (id), data BLOB, real REAL);
            CREATE TABLE log (account TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
            CREATE TRIGGER logs AFTER INSERT ON accounts BEGIN INSERT INTO log VALUES ('account ' || new.id); END;
        "#;
        let held = lease(&model, 1, tables).await;
        let mut transaction = model.begin().await.unwrap();
        let rows = r#"
            INSERT INTO accounts DEFAULT VALUES; INSERT INTO accounts (cents) VALUES (8);
            INSERT INTO accounts DEFAULT VALUES; DELETE FROM accounts WHERE id = 3;
            INSERT INTO "their ""odd"" name" VALUES (2, x'00ff', 9e-5), (NULL, 'text', -1.5);
        "#;
        raw_sql(rows).execute(&mut *transaction).await.unwrap();
        assert!(end(&model, transaction, 1, at(held, 5)).await.unwrap());
        raw_sql("INSERT INTO theirs VALUES (2)").execute(model.writer()).await.unwrap();
        // By hand, as an operator does who looks for something.
        raw_sql("CREATE INDEX added ON accounts (twice)").execute(model.writer()).await.unwrap();
        let before = schema(&model).await;

        lease(&model, 2, ACCOUNTS).await;
        assert_eq!(put(&model, 2).await, PutInService::Done);
        assert!(accounts(&model).await.is_empty());
        assert_eq!(schema(&model).await.len(), 2, "accounts and theirs");
        assert_eq!(put(&model, 1).await, PutInService::Done);

        assert_eq!(schema(&model).await, before);
        let rows: Vec<(i64, i64, i64)> =
            query_as("SELECT id, cents, twice FROM accounts ORDER BY id")
                .fetch_all(model.pool())
                .await
                .unwrap();
        assert_eq!(rows, [(1, 7, 14), (2, 8, 16)]);
        let odd: Vec<(Option<i64>, String, String)> =
            query_as(r#"SELECT account, quote(data), quote(real) FROM "their ""odd"" name""#)
                .fetch_all(model.pool())
                .await
                .unwrap();
        let expected = [(Some(2), "X'00FF'", "9.0e-05"), (None, "'text'", "-1.5")];
        let expected = expected.map(|(id, data, real)| (id, data.to_owned(), real.to_owned()));
        assert_eq!(odd, expected);
        // Number 3 was given out, and the trigger fires again, but did not while rows were copied.
        let held = again(&model, 1).await;
        let mut transaction = model.begin().await.unwrap();
        raw_sql("INSERT INTO accounts DEFAULT VALUES").execute(&mut *transaction).await.unwrap();
        assert!(end(&model, transaction, 1, held).await.unwrap());
        let log: Vec<String> = query_scalar("SELECT account FROM log ORDER BY account")
            .fetch_all(model.pool())
            .await
            .unwrap();
        assert_eq!(log, ["account 1", "account 2", "account 3", "account 4"]);
        // As before, the driver has foreign keys checked.
        let unknown = raw_sql("INSERT INTO theirs VALUES (77)").execute(model.writer()).await;
        assert!(unknown.is_err());
    }
}

#[tokio::test]
async fn what_stands_in_the_way_is_named_and_nothing_is_changed() {
    let place = place();
    let model = SqliteModel::open(&place.path).await.unwrap();
    let first = lease(&model, 1, ACCOUNTS).await;
    assert!(commit(&model, 1, at(first, 3), 7).await);
    lease(&model, 2, "CREATE TABLE accounts (id INTEGER); CREATE TABLE owners (id INTEGER)").await;
    raw_sql("CREATE TABLE owners (name TEXT)").execute(model.writer()).await.unwrap();
    let error = failure(model.put_in_service("balances", 2, false).await);
    assert_failure(&error, StoreErrorKind::InvalidInput, "owners");
    assert_eq!(versions(&model).await, (vec![1], vec![2]));
    assert_eq!(accounts(&model).await, [7]);
    let beside = model.beside(&balances(2)).await.unwrap();
    let held = again(&model, 2).await;
    assert!(commit(&beside, 2, at(held, 4), 8).await);
    raw_sql("DROP TABLE owners").execute(model.writer()).await.unwrap();
    assert_eq!(put(&model, 2).await, PutInService::Done);
    assert_eq!(accounts(&model).await, [8]);
}

#[tokio::test]
async fn files_are_beside_the_one_of_the_model_whatever_the_name_of_the_projection() {
    let place = place();
    let model = SqliteModel::open(&place.path).await.unwrap();
    let odd = |version| {
        let (name, events) = ("../a/b\\c:\u{e9} 'x", String::new());
        ProjectionId { name, version, events }
    };
    for version in [1, 2] {
        model.open(&odd(version), &setup(ACCOUNTS)).await.unwrap();
    }
    let long: &str = Box::leak("n".repeat(1_000).into_boxed_str());
    for version in [1, 2] {
        let id = ProjectionId { name: long, version, events: String::new() };
        let tables = "CREATE TABLE others (id INTEGER)";
        model.open(&id, &setup(tables)).await.unwrap();
    }
    let found = files(&place.path);
    let long = format!("bank.db-{}-v2-2", "n".repeat(80));
    assert_eq!(found, ["bank.db", "bank.db-___a_b_c____x-v2-1", &*long]);
    assert!(model.beside(&odd(2)).await.is_ok());
    assert!(model.remove(odd(2).name, 2).await.unwrap());
    assert_eq!(files(&place.path), ["bank.db", &*long]);
}

#[tokio::test]
async fn files_that_nobody_needs_are_deleted() {
    let place = place();
    let model = SqliteModel::open(&place.path).await.unwrap();
    lease(&model, 1, ACCOUNTS).await;
    lease(&model, 2, ACCOUNTS).await;
    assert_eq!(files(&place.path), ["bank.db", "bank.db-balances-v2-1"]);
    // Another process has it open.
    let other = SqliteModel::open(&place.path).await.unwrap();
    let beside = other.beside(&balances(2)).await.unwrap();
    let held = again(&other, 2).await;
    assert_eq!(put(&model, 2).await, PutInService::Done);
    assert_eq!(files(&place.path), ["bank.db", "bank.db-balances-v1-2"]);
    // A name is not used again: what is left of the old file is not taken for the new one.
    assert_eq!(put(&model, 1).await, PutInService::Done);
    assert_eq!(files(&place.path), ["bank.db", "bank.db-balances-v2-3"]);
    assert!(!commit(&beside, 2, at(held, 9), 1).await);
    let beside = other.beside(&balances(2)).await.unwrap();
    assert!(accounts(&beside).await.is_empty());
    // As a crash leaves it, before the row about it is deleted.
    let mut connection = connect(&place.path).await;
    let file =
        "INSERT INTO cqrs_beside (name, version, file, gone) VALUES ('x', 1, 'left-over', 1)";
    execute(&mut connection, file).await;
    for suffix in ["", "-journal", "-wal", "-shm"] {
        let left = place.path.with_file_name(format!("bank.db-left-over{suffix}"));
        fs::write(left, "something").unwrap();
    }
    lease(&other, 1, ACCOUNTS).await;
    assert_eq!(files(&place.path), ["bank.db", "bank.db-balances-v2-3"]);
    assert!(!place.path.with_file_name("bank.db-left-over-wal").exists());
    let rows: i64 =
        query_scalar("SELECT count(*) FROM cqrs_beside").fetch_one(model.pool()).await.unwrap();
    assert_eq!(rows, 1);
}

#[tokio::test]
async fn a_version_whose_file_was_deleted_is_made_anew() {
    let place = place();
    let model = SqliteModel::open(&place.path).await.unwrap();
    lease(&model, 1, ACCOUNTS).await;
    let held = lease(&model, 2, ACCOUNTS).await;
    let beside = model.beside(&balances(2)).await.unwrap();
    assert!(commit(&beside, 2, at(held, 9), 1).await);
    drop(beside);
    model.close().await;
    for suffix in ["", "-wal", "-shm"] {
        let file = place.path.with_file_name(format!("bank.db-balances-v2-1{suffix}"));
        let _ = fs::remove_file(file);
    }
    let model = SqliteModel::open(&place.path).await.unwrap();
    assert_eq!(versions(&model).await, (vec![1], vec![]));
    assert_eq!(put(&model, 2).await, PutInService::Missing);
    assert_eq!(model.open(&balances(2), &setup(ACCOUNTS)).await.unwrap(), Opened::Beside);
    assert_eq!(again(&model, 2).await.position.get(), 0);
    assert_eq!(files(&place.path), ["bank.db", "bank.db-balances-v2-2"]);
}

/// A copy would otherwise take the files of the original for its own.
#[tokio::test]
async fn a_copy_of_the_file_has_nothing_to_do_with_the_files_beside_it() {
    let place = place();
    let model = SqliteModel::open(&place.path).await.unwrap();
    lease(&model, 1, ACCOUNTS).await;
    lease(&model, 2, ACCOUNTS).await;
    let copied = place.path.with_file_name("copy.db");
    query("VACUUM INTO ?1").bind(copied.to_str().unwrap()).execute(model.writer()).await.unwrap();
    let copy = SqliteModel::open(&copied).await.unwrap();
    assert_eq!(versions(&copy).await, (vec![1], vec![]));
    lease(&copy, 2, ACCOUNTS).await;
    assert_eq!(put(&copy, 2).await, PutInService::Done);
    assert_eq!(versions(&model).await, (vec![1], vec![2]));
    assert!(model.beside(&balances(2)).await.is_ok());
}

/// As a crash leaves it in the middle of an exchange.
#[tokio::test]
async fn a_version_that_was_about_to_leave_goes_on() {
    let place = place();
    let model = SqliteModel::open(&place.path).await.unwrap();
    lease(&model, 1, ACCOUNTS).await;
    lease(&model, 2, ACCOUNTS).await;
    let beside = model.beside(&balances(2)).await.unwrap();
    let sql = "UPDATE cqrs_projections SET leaving = 1";
    raw_sql(sql).execute(beside.writer()).await.unwrap();
    let held = again(&model, 2).await;
    assert!(commit(&beside, 2, at(held, 3), 7).await);
    assert_eq!(put(&model, 2).await, PutInService::Done);
    assert_eq!(accounts(&model).await, [7]);
}

#[tokio::test]
async fn a_version_beside_is_built_while_the_file_of_the_model_is_locked() {
    let place = place();
    let model = SqliteModel::open(&place.path).await.unwrap();
    lease(&model, 1, ACCOUNTS).await;
    let held = lease(&model, 2, ACCOUNTS).await;
    let beside = model.beside(&balances(2)).await.unwrap();
    let locking = model.begin().await.unwrap();
    assert!(commit(&beside, 2, at(held, 3), 7).await);
    assert_eq!(again(&model, 2).await.position.get(), 3);
    drop(locking);
    assert_eq!(versions(&beside).await, (vec![1], vec![2]));
}

/// The driver remembers columns: queries that name them are right at once.
#[tokio::test]
async fn queries_see_the_columns_of_the_version_in_service() {
    let place = place();
    let model = SqliteModel::open(&place.path).await.unwrap();
    let held = lease(&model, 1, "CREATE TABLE accounts (id INTEGER, cents INTEGER)").await;
    let mut transaction = model.begin().await.unwrap();
    raw_sql("INSERT INTO accounts VALUES (1, 2)").execute(&mut *transaction).await.unwrap();
    assert!(end(&model, transaction, 1, at(held, 1)).await.unwrap());
    let tables = "CREATE TABLE accounts (cents INTEGER, owner TEXT, id INTEGER)";
    let held = lease(&model, 2, tables).await;
    let beside = model.beside(&balances(2)).await.unwrap();
    let mut transaction = beside.begin().await.unwrap();
    raw_sql("INSERT INTO accounts VALUES (2, 'o', 1)").execute(&mut *transaction).await.unwrap();
    assert!(end(&beside, transaction, 2, at(held, 1)).await.unwrap());
    let sql = "SELECT id, cents FROM accounts";
    let read = async || -> (i64, i64) { query_as(sql).fetch_one(model.pool()).await.unwrap() };
    assert_eq!(read().await, (1, 2));
    assert_eq!(put(&model, 2).await, PutInService::Done);
    for _ in 0..10 {
        assert_eq!(read().await, (1, 2));
    }
}

/// What counts is how far both are when nobody moves them any more.
#[tokio::test]
async fn a_version_that_falls_behind_while_it_waits_for_the_lock_is_not_put_in_service() {
    let place = place();
    let model = open_patiently(&place.path).await.model();
    let first = lease(&model, 1, ACCOUNTS).await;
    lease(&model, 2, ACCOUNTS).await;
    let transaction = model.begin().await.unwrap();
    let other = open_patiently(&place.path).await.model();
    let putting = tokio::spawn(async move { other.put_in_service("balances", 2, true).await });
    // Time for it to come to the lock.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(end(&model, transaction, 1, at(first, 20)).await.unwrap());
    let put = putting.await.unwrap().unwrap();
    assert_eq!(put, PutInService::Behind(Position::START, Position::new(20)));
    assert_eq!(versions(&model).await, (vec![1], vec![2]));
    let held = again(&model, 1).await;
    assert!(commit(&model, 1, at(held, 21), 7).await);
}

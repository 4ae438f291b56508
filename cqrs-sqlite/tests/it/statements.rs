//! Every statement fits the tables and uses an index where it must.

use std::fs;
use std::path::Path;

use cqrs_sqlite::SqliteStore;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Executor, Row, SqlSafeStr, query};

use crate::support::{connect, place};

fn files(directory: &str) -> Vec<(String, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

async fn plan(connection: &mut SqliteConnection, sql: &str) -> String {
    let plan = query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")))
        .fetch_all(connection)
        .await
        .unwrap();
    let details = plan.iter().map(|row| row.get::<String, _>("detail"));
    details.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn every_statement_is_accepted_by_the_migrated_schema() {
    let place = place();
    SqliteStore::open(&place.path).await.unwrap().close().await;
    let mut connection = connect(&place.path).await;
    let files = files("sql");
    assert!(files.len() > 10);
    for (name, sql) in files {
        let prepared = (&mut connection).prepare(AssertSqlSafe(sql).into_sql_str()).await;
        assert!(prepared.is_ok(), "{name}: {prepared:?}");
    }
}

/// What may be scanned: anything but a table.
const HARMLESS: &[&str] = &[
    "VIRTUAL TABLE",
    "CONSTANT ROW",
    "stream",
    "stored",
    "snapshot",
    "subquery",
    "every_type",
    "wanted",
    "kind",
    "part",
    "found",
];

#[tokio::test]
async fn no_statement_on_events_reads_the_whole_table() {
    let place = place();
    SqliteStore::open(&place.path).await.unwrap().close().await;
    let mut connection = connect(&place.path).await;
    for (name, sql) in files("sql") {
        if !sql.contains("cqrs_events") {
            continue;
        }
        let plan = plan(&mut connection, &sql).await;
        for line in plan.lines() {
            let scans_a_table = line.starts_with("SCAN")
                && !HARMLESS.iter().any(|harmless| line.contains(harmless));
            assert!(!scans_a_table, "{name}:\n{plan}");
        }
    }
}

#[tokio::test]
async fn the_log_is_read_along_the_primary_key() {
    let place = place();
    SqliteStore::open(&place.path).await.unwrap().close().await;
    let mut connection = connect(&place.path).await;
    let plan = plan(&mut connection, include_str!("../../sql/read_log.sql")).await;
    assert!(plan.starts_with("SEARCH cqrs_events USING INTEGER PRIMARY KEY"), "{plan}");
    // Nothing is sorted, and the names are not looked up anew for each row.
    assert!(!plan.contains("B-TREE") && !plan.contains("CORRELATED"), "{plan}");
}

#[tokio::test]
async fn few_events_among_many_are_found_by_their_kind() {
    let place = place();
    SqliteStore::open(&place.path).await.unwrap().close().await;
    let mut connection = connect(&place.path).await;
    let plan = plan(&mut connection, include_str!("../../sql/read_log_by_kind.sql")).await;
    // Along the index as far as kinds and positions go, and then row by row.
    let by_kind =
        "COVERING INDEX cqrs_events_kind (event_type=? AND category=? AND rowid>? AND rowid<?)";
    assert_eq!(plan.matches(by_kind).count(), 2, "{plan}");
    assert!(plan.contains("SEARCH event USING INTEGER PRIMARY KEY (rowid=?)"), "{plan}");
    for line in plan.lines().filter(|line| line.contains("cqrs_events")) {
        assert!(line.contains("cqrs_events_kind"), "{plan}");
    }
}

#[test]
fn migrations_are_numbered_without_gaps() {
    for ((name, _), number) in files("migrations").iter().zip(1..) {
        assert!(name.starts_with(&format!("{number:04}_")), "{name}");
    }
}

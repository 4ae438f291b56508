//! Events of kinds that are few in the log are found by the index over kinds.

use cqrs_core::{Append, EventStore, ExpectedVersion, LogFilter, NewEvent, Position, StreamId};
use cqrs_postgres::PostgresStore;
use sqlx::{AssertSqlSafe, Row};

use crate::support::{event, execute, positions, store};

async fn add(store: &PostgresStore, category: &str, events: Vec<NewEvent>) -> Position {
    let stream = StreamId::new(category, "1").unwrap();
    let append = Append::new(stream, ExpectedVersion::Any, events).unwrap();
    store.append(&append).await.unwrap().position
}

fn many(event_type: &'static str, count: usize) -> Vec<NewEvent> {
    (0..count).map(|_| event(event_type)).collect()
}

/// How many blocks of the database the statement looks at, and how many rows it finds.
async fn blocks(store: &PostgresStore, categories: &str, event_types: &str) -> (u64, u64) {
    let parameters =
        [("$1", "0"), ("$2", "30000"), ("$3", "500"), ("$4", categories), ("$5", event_types)];
    let mut sql = include_str!("../../sql/read_log_by_kind.sql").replace("$6", "1000");
    for (parameter, value) in parameters {
        sql = sql.replace(parameter, value);
    }
    let mut connection = store.pool().acquire().await.unwrap();
    let explain = || AssertSqlSafe(format!("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}"));
    // The first time in a session, the catalogue is read.
    sqlx::raw_sql(explain()).execute(&mut *connection).await.unwrap();
    let plan = sqlx::raw_sql(explain()).fetch_one(&mut *connection).await.unwrap();
    let plan = plan.try_get_raw(0).unwrap().as_str().unwrap();
    let plan: serde_json::Value = serde_json::from_str(plan).unwrap();
    let number = |name: &str| plan[0]["Plan"][name].as_u64().unwrap();
    (number("Shared Hit Blocks") + number("Shared Read Blocks"), number("Actual Rows"))
}

#[tokio::test]
async fn few_events_among_many_are_found_without_reading_the_others() {
    let (store, _database) = store("kinds").await;
    add(&store, "account", many("account.deposited", 9_000)).await;
    add(&store, "order", many("order.rare", 2)).await;
    add(&store, "account", many("account.deposited", 9_000)).await;
    add(&store, "account", many("account.rare", 1)).await;
    let sql = "SELECT pg_relation_size('cqrs.events') / current_setting('block_size')::bigint";
    let table: i64 = sqlx::query_scalar(sql).fetch_one(store.pool()).await.unwrap();
    assert!(table > 300, "{table} blocks");
    // Whatever the planner knows of the table, which is nothing at first.
    for learn in ["", "ANALYZE cqrs.events", "VACUUM cqrs.events"] {
        execute(&store, learn).await;
        for (categories, event_types, rows) in [
            ("NULL", "'{account.rare,order.rare}'", 3),
            ("'{order}'", "NULL", 2),
            ("'{order}'", "'{account.rare,order.rare}'", 2),
            ("'{order}'", "'{account.deposited}'", 0),
            ("NULL", "'{missing}'", 0),
            ("'{missing}'", "NULL", 0),
        ] {
            let (blocks, found) = blocks(&store, categories, event_types).await;
            assert_eq!(found, rows, "{categories}, {event_types}");
            assert!(blocks < 60, "{blocks} blocks for {categories}, {event_types} after {learn:?}");
        }
    }
}

#[tokio::test]
async fn kinds_with_the_same_hash_are_told_apart() {
    let (store, _database) = store("same_hash").await;
    let sql = "SELECT array_agg(name) FROM (SELECT 'type.' || number AS name FROM generate_series(1, 400000) AS number) \
               AS names GROUP BY hashtext(name) HAVING count(*) = 2 LIMIT 1";
    let names: Vec<String> = sqlx::query_scalar(sql).fetch_one(store.pool()).await.unwrap();
    let of_type = |name: &str| {
        let like = event("account.deposited");
        let (payload, metadata) = (like.payload().clone(), like.metadata().clone());
        NewEvent::from_parts(like.id(), name.to_owned(), 1, payload, metadata.into()).unwrap()
    };
    // More than are looked through before the index is asked.
    add(&store, "account", many("account.deposited", 100)).await;
    let events = (0..50).map(|_| of_type(&names[0])).collect();
    add(&store, "account", events).await;
    let second = add(&store, "account", vec![of_type(&names[1])]).await;
    add(&store, "account", many("account.deposited", 100)).await;
    let filter = LogFilter::all().event_type(names[1].as_str());
    let page = store.read_log(&filter, Position::START, 2).await.unwrap();
    assert_eq!(positions(&page.events), [second.get()]);
}

//! Views in SQL: rows that a projection writes and a query reads.

use cqrs::postgres::PostgresModel;
use cqrs::prelude::*;
use cqrs::sqlite::{SqliteModel, SqliteTransaction};
use cqrs::{BoxError, PostgresStore, Projector, RecordedEvent, SqliteStore, Store, Transaction};
use sqlx::{PgPool, SqlitePool};

use crate::domain::{Counter, CounterError, CounterEvent, add};

const TABLE: &str = "CREATE TABLE sums (counter TEXT PRIMARY KEY, sum BIGINT NOT NULL)";
const ADD: &str = "INSERT INTO sums VALUES ($1, $2) \
                   ON CONFLICT (counter) DO UPDATE SET sum = sums.sum + excluded.sum";
const SUM: &str = "SELECT sum FROM sums WHERE counter = $1";

#[derive(Projection)]
#[projection(name = "sums", model = SqliteModel, events(CounterEvent))]
struct SqliteSums;

impl Project<CounterEvent> for SqliteSums {
    async fn project(
        &self,
        event: CounterEvent,
        recorded: &RecordedEvent,
        transaction: &mut SqliteTransaction,
    ) -> Result<(), BoxError> {
        if let CounterEvent::Added { amount } = event {
            let add = sqlx::query(ADD).bind(recorded.stream.key()).bind(amount);
            add.execute(&mut **transaction).await?;
        }
        Ok(())
    }
}

#[derive(Projection)]
#[projection(name = "sums", model = PostgresModel, events(CounterEvent))]
struct PostgresSums;

impl Project<CounterEvent> for PostgresSums {
    async fn project(
        &self,
        event: CounterEvent,
        recorded: &RecordedEvent,
        transaction: &mut Transaction<Self>,
    ) -> Result<(), BoxError> {
        if let CounterEvent::Added { amount } = event {
            let add = sqlx::query(ADD).bind(recorded.stream.key()).bind(amount);
            add.execute(&mut **transaction).await?;
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Query)]
#[query(output = i64, error = sqlx::Error)]
struct Sum(&'static str);

async fn sqlite_sum(pool: SqlitePool, counter: &str) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(SUM).bind(counter).fetch_one(&pool).await
}

async fn postgres_sum(pool: PgPool, counter: &str) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(SUM).bind(counter).fetch_one(&pool).await
}

/// Sends commands and asks after each: the answer shows it.
async fn answers_show_what_was_sent(bus: Bus) {
    for sum in 1..=20 {
        let done = bus.send(add("a", 1)).await.unwrap();
        assert_eq!(bus.ask(Sum("a")).after(&done).await.unwrap(), sum);
    }
    let refused = bus.send(add("a", -21)).await.unwrap_err();
    assert_eq!(refused.rejection(), Some(&CounterError::Negative));
}

fn builder(store: impl Store) -> cqrs::BusBuilder {
    Bus::builder(store).aggregate::<Counter>()
}

#[tokio::test]
async fn g7_a_view_in_the_sqlite_file_of_the_events_shows_each_command() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path().join("app.db")).await.unwrap();
    let model = store.model();
    sqlx::query(TABLE).execute(model.writer()).await.unwrap();
    let pool = model.pool().clone();
    let sums = Projector::new(store.clone()).start(SqliteSums, model);
    let bus = builder(store)
        .view(sums.progress())
        .query_handler(move |Sum(counter)| sqlite_sum(pool.clone(), counter))
        .build()
        .unwrap();
    answers_show_what_was_sent(bus).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_a_view_in_the_postgres_database_of_the_events_shows_each_command() {
    let database = cqrs_test_harness::postgres().unwrap().database("views").await.unwrap();
    let store = PostgresStore::connect(&database.url()).await.unwrap();
    let model = store.model();
    let pool = model.pool().clone();
    sqlx::query(TABLE).execute(&pool).await.unwrap();
    let sums = Projector::new(store.clone()).start(PostgresSums, model);
    let bus = builder(store)
        .view(sums.progress())
        .query_handler(move |Sum(counter)| postgres_sum(pool.clone(), counter))
        .build()
        .unwrap();
    answers_show_what_was_sent(bus).await;
}

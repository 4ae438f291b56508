//! Views in SQL: rows that a projection writes and a query reads.

use cqrs::postgres::PostgresModel;
use cqrs::prelude::*;
use cqrs::sqlite::{SqliteModel, SqliteTransaction};
use cqrs::{BoxError, Projector, Received, Rows, Running, Store, Transaction};
use sqlx::{PgPool, SqlitePool};

use crate::domain::{Counter, CounterError, CounterEvent, add};
use crate::projections::LONG;

const ADD: &str = "INSERT INTO sums VALUES ($1, $2) \
                   ON CONFLICT (counter) DO UPDATE SET sum = sums.sum + excluded.sum";
const SUM: &str = "SELECT sum FROM sums WHERE counter = $1";

#[derive(Projection)]
#[projection(
    name = "sums",
    model = SqliteModel,
    events(CounterEvent),
    tables = "CREATE TABLE sums (counter TEXT PRIMARY KEY, sum BIGINT NOT NULL)"
)]
struct SqliteSums;

impl Project<CounterEvent> for SqliteSums {
    async fn project(
        &self,
        event: CounterEvent,
        received: &Received<'_>,
        transaction: &mut SqliteTransaction,
    ) -> Result<(), BoxError> {
        if let CounterEvent::Added { amount } = event {
            let add = sqlx::query(ADD).bind(received.stream.key()).bind(amount);
            add.execute(&mut **transaction).await?;
        }
        Ok(())
    }
}

#[derive(Projection)]
#[projection(
    name = "sums",
    model = PostgresModel,
    events(CounterEvent),
    tables = "CREATE TABLE sums (counter TEXT PRIMARY KEY, sum BIGINT NOT NULL)"
)]
struct PostgresSums;

impl Project<CounterEvent> for PostgresSums {
    async fn project(
        &self,
        event: CounterEvent,
        received: &Received<'_>,
        transaction: &mut Transaction<Self>,
    ) -> Result<(), BoxError> {
        if let CounterEvent::Added { amount } = event {
            let add = sqlx::query(ADD).bind(received.stream.key()).bind(amount);
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
        assert_eq!(bus.ask(Sum("a")).after(&done).patience(LONG).await.unwrap(), sum);
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
    let store = crate::stores::sqlite(directory.path().join("app.db")).await;
    let model = store.model();
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
    let store = crate::stores::postgres(&database.url()).await;
    let model = store.model();
    let pool = model.pool().clone();
    let sums = Projector::new(store.clone()).start(PostgresSums, model);
    let bus = builder(store)
        .view(sums.progress())
        .query_handler(move |Sum(counter)| postgres_sum(pool.clone(), counter))
        .build()
        .unwrap();
    answers_show_what_was_sent(bus).await;
}

/// The same as a view: a row that is folded.
#[derive(Debug, Clone, PartialEq, View)]
#[view(name = "folded", key(counter), events(CounterEvent))]
struct Folded {
    counter: String,
    sum: i64,
}

impl Fold<CounterEvent> for Folded {
    fn rows(_: &CounterEvent, received: &Received<'_>) -> impl IntoIterator<Item = String> {
        Some(received.stream.key().to_owned())
    }

    fn fold(
        row: &mut Option<Self>,
        counter: &String,
        event: &CounterEvent,
        _: &Received<'_>,
    ) -> Result<(), BoxError> {
        if let CounterEvent::Added { amount } = event {
            row.get_or_insert(Self { counter: counter.clone(), sum: 0 }).sum += amount;
        }
        Ok(())
    }
}

/// A bus that answers from the rows of the view, whatever database they are in.
fn bus_over(store: impl Store, model: impl Rows<Folded>, folded: &Running) -> Bus {
    builder(store)
        .view(folded.progress())
        .query_handler(move |Sum(counter)| {
            let model = model.clone();
            async move {
                let row = model.row(&counter.to_owned()).await.map_err(sqlx::Error::decode)?;
                row.map(|row| row.sum).ok_or(sqlx::Error::RowNotFound)
            }
        })
        .build()
        .unwrap()
}

#[tokio::test]
async fn g7_a_folded_view_on_sqlite_shows_each_command() {
    let directory = tempfile::tempdir().unwrap();
    let store = crate::stores::sqlite(directory.path().join("app.db")).await;
    let model = store.model();
    let folded = Projector::new(store.clone()).start_view::<Folded>(model.clone());
    answers_show_what_was_sent(bus_over(store, model.clone(), &folded)).await;
    let row = sqlx::query("SELECT * FROM folded").fetch_one(model.pool()).await.unwrap();
    let row: Folded = cqrs::sqlite::from_row(&row).unwrap();
    assert_eq!(row, Folded { counter: "a".into(), sum: 20 });
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_a_folded_view_on_postgres_shows_each_command() {
    let database = cqrs_test_harness::postgres().unwrap().database("folded").await.unwrap();
    let store = crate::stores::postgres(&database.url()).await;
    let model = store.model();
    let folded = Projector::new(store.clone()).start_view::<Folded>(model.clone());
    answers_show_what_was_sent(bus_over(store, model.clone(), &folded)).await;
    let row = sqlx::query("SELECT * FROM folded").fetch_one(model.pool()).await.unwrap();
    let row: Folded = cqrs::postgres::from_row(&row).unwrap();
    assert_eq!(row, Folded { counter: "a".into(), sum: 20 });
}

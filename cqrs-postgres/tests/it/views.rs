//! The tables and the rows of views, as far as the suite for read models does not ask for them.

use std::time::Duration;

use cqrs_core::{
    BoxError, Column, ColumnError, ColumnInfo, ColumnType, Commit, Lease, Member, Opened, Position,
    ProjectionId, ReadModel, Received, Rows, Setup, StoreError, StoreErrorKind, Table, Value, View,
};
use cqrs_postgres::{PostgresModel, from_row};
use cqrs_test_harness::{Database, postgres};
use sqlx::{AssertSqlSafe, query, query_scalar};
use uuid::Uuid;

use crate::projecting::Deposited;

const HOUR: Duration = Duration::from_hours(1);

/// A row with names that need quotes, and a key that is all there is beside a note.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) count: u64,
    pub(crate) user: Option<String>,
    pub(crate) at: std::time::SystemTime,
    pub(crate) note: Option<String>,
}

impl Order {
    fn new(id: &str) -> Self {
        let at = std::time::SystemTime::UNIX_EPOCH;
        Self { id: id.to_owned(), count: 1, user: None, at, note: None }
    }
}

const fn column(name: &'static str, column_type: ColumnType, nullable: bool) -> ColumnInfo {
    ColumnInfo { name, column_type, nullable }
}

impl View for Order {
    const NAME: &'static str = "orders";
    const VERSION: u32 = 1;
    const TABLE: Table = Table {
        name: "Order",
        columns: &[
            column("order", ColumnType::Text, false),
            column("count", ColumnType::Integer, false),
            column("user", ColumnType::Text, true),
            column("at", ColumnType::Time, false),
            column("the \"note\"", ColumnType::Json, true),
        ],
        key: &[0],
        indexes: &[&[2], &[3, 1]],
    };

    type Event = Deposited;
    type Key = String;

    fn key(&self) -> String {
        self.id.clone()
    }

    fn touched(_: &Deposited, received: &Received<'_>) -> Vec<String> {
        // All streams count in one row, too.
        vec![received.stream.key().to_owned(), "all".to_owned()]
    }

    fn fold(
        row: &mut Option<Self>,
        key: &String,
        _: &Deposited,
        received: &Received<'_>,
    ) -> Result<(), BoxError> {
        let count = row.as_ref().map_or(0, |row| row.count) + 1;
        *row = Some(Self { count, at: received.recorded_at, ..Self::new(key) });
        Ok(())
    }

    fn values(&self) -> Result<Vec<Value<'_>>, ColumnError> {
        let note = self.note.as_ref().map(|note| Value::Json(note.as_str().into()));
        Ok(vec![
            self.id.to_value()?,
            self.count.to_value()?,
            self.user.to_value()?,
            self.at.to_value()?,
            note.unwrap_or(Value::Null),
        ])
    }

    fn from_values(values: Vec<Value<'_>>) -> Result<Self, ColumnError> {
        let [order, count, user, at, note] = <[Value<'_>; 5]>::try_from(values).unwrap();
        Ok(Self {
            id: Column::from_value(order)?,
            count: Column::from_value(count).map_err(|error| error.of("count"))?,
            user: Column::from_value(user)?,
            at: Column::from_value(at)?,
            note: match note {
                Value::Json(note) => Some(note.into_owned()),
                _ => None,
            },
        })
    }

    fn key_values(key: &String) -> Result<Vec<Value<'_>>, ColumnError> {
        Ok(vec![key.to_value()?])
    }
}

/// A row that is its key.
#[derive(Debug, Clone, PartialEq)]
struct Tag(String, i64);

impl View for Tag {
    const NAME: &'static str = "tags";
    const VERSION: u32 = 1;
    const TABLE: Table = Table {
        name: "tags",
        columns: &[
            column("tag", ColumnType::Text, false),
            column("number", ColumnType::Integer, false),
        ],
        key: &[1, 0],
        indexes: &[],
    };

    type Event = Deposited;
    type Key = (i64, String);

    fn key(&self) -> Self::Key {
        (self.1, self.0.clone())
    }

    fn touched(_: &Deposited, _: &Received<'_>) -> Vec<Self::Key> {
        Vec::new()
    }

    fn fold(
        _: &mut Option<Self>,
        _: &Self::Key,
        _: &Deposited,
        _: &Received<'_>,
    ) -> Result<(), BoxError> {
        Ok(())
    }

    fn values(&self) -> Result<Vec<Value<'_>>, ColumnError> {
        Ok(vec![self.0.to_value()?, self.1.to_value()?])
    }

    fn from_values(values: Vec<Value<'_>>) -> Result<Self, ColumnError> {
        let [tag, number] = <[Value<'_>; 2]>::try_from(values).unwrap();
        Ok(Self(Column::from_value(tag)?, Column::from_value(number)?))
    }

    fn key_values(key: &Self::Key) -> Result<Vec<Value<'_>>, ColumnError> {
        Ok(vec![key.0.to_value()?, key.1.to_value()?])
    }
}

fn id<V: View>() -> ProjectionId {
    ProjectionId::of::<V::Event>(V::NAME, V::VERSION)
}

/// A model with the table of a view.
async fn model<V: View>(hint: &str, slots: u32) -> (PostgresModel, Database) {
    let database = postgres().unwrap().database(hint).await.unwrap();
    let model = PostgresModel::connect(&database.url()).await.unwrap();
    let tables = Rows::<V>::tables(&model);
    let setup = Setup { tables: &tables, slots, replays_to: Position::START, beside: true };
    assert_eq!(model.open(&id::<V>(), &setup).await.unwrap(), Opened::InService);
    (model, database)
}

async fn leases<V: View>(model: &PostgresModel) -> Vec<Lease> {
    let member = Member { id: Uuid::now_v7(), label: "", leases: &[], time: HOUR, error: None };
    model.share(&id::<V>(), &member).await.unwrap().unwrap().leases
}

/// Writes rows in a transaction of its own.
async fn write<V: View>(model: &PostgresModel, written: &[V], deleted: &[V::Key]) {
    let mut transaction = model.begin().await.unwrap();
    model.write(&mut transaction, written, deleted).await.unwrap();
    transaction.commit().await.unwrap();
}

async fn load<V: View>(model: &PostgresModel, keys: &[V::Key]) -> Result<Vec<V>, StoreError> {
    let mut transaction = model.begin().await.unwrap();
    model.load(&mut transaction, keys).await
}

fn order(order: &str, user: Option<&str>, note: Option<&str>) -> Order {
    let [user, note] = [user, note].map(|text| text.map(ToOwned::to_owned));
    Order { user, note, ..Order::new(order) }
}

#[tokio::test]
async fn rows_are_found_by_key_and_by_queries_of_the_application() {
    let (model, _database) = model::<Order>("orders", 1).await;
    let rows = [
        order("a", Some("Ada"), Some(r#"{"a": 1}"#)),
        order("Ä \"'\\", None, None),
        order("", Some(""), Some("null")),
    ];
    write(&model, &rows, &[]).await;
    let keys: Vec<String> = rows.iter().map(View::key).chain(["z".to_owned()]).collect();
    let mut loaded = load::<Order>(&model, &keys).await.unwrap();
    loaded.sort_by_key(|row| rows.iter().position(|other| other.id == row.id));
    assert_eq!(loaded, rows);
    assert_eq!(model.row(&"a".to_owned()).await.unwrap(), Some(rows[0].clone()));
    assert_eq!(Rows::<Order>::row(&model, &"z".to_owned()).await.unwrap(), None);
    let sql = "SELECT 5 AS other, * FROM \"Order\" WHERE \"user\" IS NOT NULL ORDER BY \"order\"";
    let found = query(sql).fetch_all(model.pool()).await.unwrap();
    let found: Vec<Order> = found.iter().map(from_row).collect::<Result<_, _>>().unwrap();
    assert_eq!(found, [rows[2].clone(), rows[0].clone()]);
    let indexes = "SELECT count(*) FROM pg_indexes WHERE schemaname = 'public'";
    let indexes: i64 = query_scalar(indexes).fetch_one(model.pool()).await.unwrap();
    assert_eq!(indexes, 3);
    write::<Order>(&model, &rows[..1], &keys[1..3]).await;
    assert_eq!(load::<Order>(&model, &keys).await.unwrap(), rows[..1]);
    // Nothing is sent for nothing: a transaction that has failed would refuse it.
    let mut transaction = model.begin().await.unwrap();
    query("SELECT 1 / 0").execute(&mut *transaction).await.unwrap_err();
    Rows::<Order>::write(&model, &mut transaction, &[], &[]).await.unwrap();
    assert_eq!(Rows::<Order>::load(&model, &mut transaction, &[]).await.unwrap(), []);
}

#[tokio::test]
async fn a_row_that_is_only_its_key_is_kept_and_deleted() {
    let (model, _database) = model::<Tag>("tags", 1).await;
    let tags: Vec<Tag> = (0..5).map(|number| Tag(format!("t{}", number % 2), number)).collect();
    write(&model, &tags, &[]).await;
    write(&model, &tags, &[]).await;
    let mut keys: Vec<(i64, String)> = tags.iter().map(View::key).collect();
    keys.push((1, "t0".to_owned()));
    assert_eq!(load::<Tag>(&model, &keys).await.unwrap().len(), 5);
    write::<Tag>(&model, &[], &keys[2..]).await;
    let mut left = load::<Tag>(&model, &keys).await.unwrap();
    left.sort_by_key(|tag| tag.1);
    assert_eq!(left, tags[..2]);
}

#[tokio::test]
async fn a_row_of_something_else_is_reported() {
    let (model, _database) = model::<Order>("not_rows", 1).await;
    write(&model, &[Order::new("a")], &[]).await;
    let cases = [
        ("UPDATE \"Order\" SET at = 'infinity'", "infinite"),
        ("UPDATE \"Order\" SET at = now(), count = -1", "`count`"),
    ];
    for (statement, part) in cases {
        query(AssertSqlSafe(statement)).execute(model.pool()).await.unwrap();
        let error = Rows::<Order>::row(&model, &"a".to_owned()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
        let text = error.to_string();
        assert!(text.contains(part) && text.contains("`orders`"), "{text}");
    }
    let queries = [
        ("SELECT \"order\", count FROM \"Order\"", "user"),
        (
            "SELECT \"order\", count::int, \"user\", at, NULL::json AS \"the \"\"note\"\"\" FROM \"Order\"",
            "INT4",
        ),
    ];
    for (sql, part) in queries {
        let row = query(sql).fetch_one(model.pool()).await.unwrap();
        let error = from_row::<Order>(&row).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
    let row = sqlx::raw_sql("SELECT * FROM \"Order\"").fetch_one(model.pool()).await.unwrap();
    let error = from_row::<Order>(&row).unwrap_err().to_string();
    assert!(error.contains("prepared"), "{error}");
}

/// A value that no row can have is the fault of an event, which the database says, or we do.
#[tokio::test]
async fn g8_a_value_that_can_not_be_stored_is_refused() {
    let (model, _database) = model::<Order>("values", 1).await;
    let refused = [
        Order { count: u64::MAX, ..Order::new("a") },
        order("a\0b", None, None),
        order("a", None, Some("{")),
        order("a", None, Some(r#""\u0000""#)),
        // Too long for an index, even compressed.
        order(
            &(0..2_000).map(|_| cqrs_core::EventId::random().to_string()).collect::<String>(),
            None,
            None,
        ),
    ];
    for row in refused {
        let mut transaction = model.begin().await.unwrap();
        let written = model.write(&mut transaction, &[Order::new("b"), row], &[]).await;
        let error = written.unwrap_err();
        assert!(!model.is_outage(&error), "{error}");
    }
    assert_eq!(Rows::<Order>::row(&model, &"b".to_owned()).await.unwrap(), None);
}

/// Two slots make the same row at the same time, or one changes it between another's reading and writing.
#[tokio::test(flavor = "multi_thread")]
async fn g7_slots_that_make_the_same_row_at_once_lose_nothing() {
    let (model, _database) = model::<Order>("same_row", 2).await;
    let leases = leases::<Order>(&model).await;
    let key = ["a".to_owned()];
    let mut one = model.begin().await.unwrap();
    let mut other = model.begin().await.unwrap();
    for transaction in [&mut one, &mut other] {
        assert_eq!(Rows::<Order>::load(&model, transaction, &key).await.unwrap(), []);
    }
    model.write(&mut one, &[Order::new("a")], &[]).await.unwrap();
    let writing = {
        let model = model.clone();
        tokio::spawn(async move { model.write(&mut other, &[Order::new("a")], &[]).await })
    };
    let commit = Commit { leases: &leases[..1], events: 1, time: HOUR };
    assert!(model.commit(one, &id::<Order>(), &commit).await.unwrap());
    let error = writing.await.unwrap().unwrap_err();
    assert!(model.is_outage(&error), "{error}");
    assert!(error.to_string().contains("`orders`"), "{error}");
    // Of a row that is there, each sees what the one before has left.
    let adding: Vec<_> = leases
        .into_iter()
        .map(|lease| {
            let model = model.clone();
            tokio::spawn(async move {
                for _ in 0..30 {
                    let mut transaction = model.begin().await.unwrap();
                    let key = ["a".to_owned()];
                    let mut rows: Vec<Order> = model.load(&mut transaction, &key).await.unwrap();
                    rows[0].count += 1;
                    model.write(&mut transaction, &rows, &[]).await.unwrap();
                    let commit = Commit { leases: &[lease], events: 1, time: HOUR };
                    assert!(model.commit(transaction, &id::<Order>(), &commit).await.unwrap());
                }
            })
        })
        .collect();
    for adding in adding {
        adding.await.unwrap();
    }
    let row: Order = model.row(&"a".to_owned()).await.unwrap().unwrap();
    assert_eq!(row.count, 61);
}

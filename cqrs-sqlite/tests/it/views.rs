//! The tables of views, and reading their rows with SQL.

use std::time::{Duration, SystemTime};

use cqrs_core::{
    BoxError, Column, ColumnError, ColumnInfo, ColumnType, DecodeError, Decoded, EncodeError,
    Event, EventType, Payload, ReadModel, Received, RecordedEvent, Rows, StoreErrorKind, Table,
    Value, View,
};
use cqrs_sqlite::{SqliteModel, from_row};
use sqlx::{AssertSqlSafe, Row, query, query_scalar, raw_sql};
use uuid::Uuid;

use crate::model::{at, end, lease};
use crate::support::assert_failure;

struct Nothing;

impl Event for Nothing {
    const TYPES: &'static [EventType] = &[];

    fn event_type(&self) -> EventType {
        unreachable!("nothing has happened")
    }

    fn encode(&self) -> Result<Payload, EncodeError> {
        Payload::of(&())
    }

    fn decode(_: &RecordedEvent) -> Result<Decoded<Self>, DecodeError> {
        Ok(Self.into())
    }
}

/// A row with columns of all types. Its key is two of them.
#[derive(Debug, Clone, PartialEq)]
struct Entry {
    amount: f64,
    account: String,
    number: i64,
    open: bool,
    id: Uuid,
    at: SystemTime,
    owner: Option<String>,
}

const fn column(name: &'static str, column_type: ColumnType, nullable: bool) -> ColumnInfo {
    ColumnInfo { name, column_type, nullable }
}

impl View for Entry {
    const NAME: &'static str = "entries";
    const VERSION: u32 = 1;
    const TABLE: Table = Table {
        name: "an \"entry\"",
        columns: &[
            column("amount", ColumnType::Real, false),
            column("account", ColumnType::Text, false),
            column("number", ColumnType::Integer, false),
            column("open", ColumnType::Boolean, false),
            column("id", ColumnType::Uuid, false),
            column("at", ColumnType::Time, false),
            column("owner", ColumnType::Text, true),
        ],
        key: &[1, 2],
        indexes: &[&[6, 0]],
    };
    type Event = Nothing;
    type Key = (String, i64);

    fn key(&self) -> (String, i64) {
        (self.account.clone(), self.number)
    }

    fn touched(_: &Nothing, _: &Received<'_>) -> Vec<(String, i64)> {
        Vec::new()
    }

    fn fold(
        _: &mut Option<Self>,
        _: &(String, i64),
        _: &Nothing,
        _: &Received<'_>,
    ) -> Result<(), BoxError> {
        Ok(())
    }

    fn values(&self) -> Result<Vec<Value<'_>>, ColumnError> {
        Ok(vec![
            Value::Real(self.amount),
            self.account.to_value()?,
            self.number.to_value()?,
            self.open.to_value()?,
            self.id.to_value()?,
            Value::Time(self.at),
            self.owner.to_value()?,
        ])
    }

    fn from_values(values: Vec<Value<'_>>) -> Result<Self, ColumnError> {
        let mut values = values.into_iter();
        let mut next = || values.next().ok_or_else(|| ColumnError::new("it is missing"));
        Ok(Self {
            amount: f64::from_value(next()?)?,
            account: String::from_value(next()?)?,
            number: i64::from_value(next()?)?,
            open: bool::from_value(next()?)?,
            id: Uuid::from_value(next()?)?,
            at: SystemTime::from_value(next()?)?,
            owner: Option::from_value(next()?)?,
        })
    }

    fn key_values(key: &(String, i64)) -> Result<Vec<Value<'_>>, ColumnError> {
        Ok(vec![key.0.to_value()?, key.1.to_value()?])
    }
}

fn entry(number: i64) -> Entry {
    Entry {
        amount: 0.1 + f64::from(u16::try_from(number % 1000).unwrap()),
        account: format!("it's \"{}\" 🦀 %", number % 7),
        number,
        open: number % 2 == 0,
        id: Uuid::from_u128(u128::MAX - u128::from(number.unsigned_abs())),
        at: SystemTime::UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_001),
        owner: (number % 3 == 0).then(|| "\u{1}\u{feff}\r\n".to_owned()),
    }
}

async fn model() -> SqliteModel {
    let model = SqliteModel::in_memory().await.unwrap();
    let tables = Rows::<Entry>::tables(&model);
    lease(&model, 1, &tables).await;
    model
}

#[tokio::test]
async fn tables_are_made_to_be_read() {
    let model = model().await;
    let expected = r#"CREATE TABLE "an ""entry""" (
    "amount" REAL NOT NULL,
    "account" TEXT NOT NULL,
    "number" INTEGER NOT NULL,
    "open" INTEGER NOT NULL,
    "id" TEXT NOT NULL,
    "at" INTEGER NOT NULL,
    "owner" TEXT,
    PRIMARY KEY ("account", "number")
) STRICT, WITHOUT ROWID;
CREATE INDEX "an ""entry""_owner_amount" ON "an ""entry""" ("owner", "amount");
"#;
    assert_eq!(Rows::<Entry>::tables(&model), expected);
}

/// Keys are looked up in the index, however many there are.
#[tokio::test]
async fn rows_are_found_by_their_keys() {
    let model = model().await;
    for keys in ["VALUES (?, ?)", "VALUES (?, ?), (?, ?)"] {
        let sql = format!(
            "EXPLAIN QUERY PLAN DELETE FROM \"an \"\"entry\"\"\" WHERE (\"account\", \"number\") IN ({keys})"
        );
        let plan = query(AssertSqlSafe(sql)).fetch_all(model.pool()).await.unwrap();
        let plan: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
        let plan = plan.join("\n");
        assert!(plan.contains("USING PRIMARY KEY (account=? AND number=?)"), "{plan}");
    }
}

#[tokio::test]
async fn any_number_of_rows_is_written_and_read() {
    let model = model().await;
    let mut transaction = model.begin().await.unwrap();
    let mut stored = 0;
    for count in [0, 1, 7, 8, 9, 63, 64, 65, 511, 512, 513, 1_111] {
        let rows: Vec<Entry> = (stored..stored + count).map(entry).collect();
        let keys: Vec<_> = rows.iter().map(View::key).collect();
        // The first time they are not there yet, the second time they are changed.
        for changed in [false, true] {
            let rows: Vec<Entry> =
                rows.iter().map(|row| Entry { open: row.open ^ changed, ..row.clone() }).collect();
            model.write(&mut transaction, &rows, &[]).await.unwrap();
            let mut loaded: Vec<Entry> = model.load(&mut transaction, &keys).await.unwrap();
            loaded.sort_by_key(|row| row.number);
            assert_eq!(loaded, rows);
        }
        stored += count;
    }
    let deleted = (0..stored).filter(|number| number % 2 == 0).map(|number| entry(number).key());
    let deleted: Vec<_> = deleted.collect();
    model.write(&mut transaction, &[] as &[Entry], &deleted).await.unwrap();
    let sql = "SELECT count(*) FROM \"an \"\"entry\"\"\" WHERE number % 2 = 0";
    let left: i64 = query_scalar(sql).fetch_one(&mut *transaction).await.unwrap();
    assert_eq!(left, 0);
    let none: Vec<Entry> = model.load(&mut transaction, &deleted).await.unwrap();
    assert!(none.is_empty());
}

#[tokio::test]
async fn queries_of_the_application_give_rows_by_the_names_of_columns() {
    let model = model().await;
    let held = crate::model::again(&model, 1).await;
    let mut transaction = model.begin().await.unwrap();
    model.write(&mut transaction, &[entry(3)], &[]).await.unwrap();
    assert!(end(&model, transaction, 1, at(held, 1)).await.unwrap());
    let sql = "SELECT 'more' AS more, owner, at, id, open, number, account, amount FROM \"an \"\"entry\"\"\"";
    let row = query(sql).fetch_one(model.pool()).await.unwrap();
    assert_eq!(from_row::<Entry>(&row).unwrap(), entry(3));

    let changed = "UPDATE \"an \"\"entry\"\"\" SET open = 2";
    raw_sql(changed).execute(model.writer()).await.unwrap();
    let row = query(sql).fetch_one(model.pool()).await.unwrap();
    let error = from_row::<Entry>(&row).unwrap_err();
    assert_failure(&error, StoreErrorKind::Corrupt, "2 is neither true nor false");
    let error = Rows::<Entry>::row(&model, &entry(3).key()).await.unwrap_err();
    assert_failure(&error, StoreErrorKind::Corrupt, "`entries`");
    let row = query("SELECT 1 AS open").fetch_one(model.pool()).await.unwrap();
    let error = from_row::<Entry>(&row).unwrap_err();
    assert_failure(&error, StoreErrorKind::Corrupt, "amount");
}

#[tokio::test]
async fn what_a_column_can_not_hold_is_refused() {
    let model = model().await;
    let mut transaction = model.begin().await.unwrap();
    let unfit = Entry { amount: f64::NAN, ..entry(1) };
    let error = model.write(&mut transaction, &[unfit], &[]).await.unwrap_err();
    assert!(error.to_string().contains("not a number"), "{error}");
    // By itself, a value of a column may be more than a `Column` makes of it.
    let before = SystemTime::UNIX_EPOCH - Duration::from_micros(1);
    let early = Entry { at: before, number: i64::MIN, ..entry(1) };
    model.write(&mut transaction, std::slice::from_ref(&early), &[]).await.unwrap();
    let loaded: Vec<Entry> = model.load(&mut transaction, &[early.key()]).await.unwrap();
    assert_eq!(loaded, [early]);
}

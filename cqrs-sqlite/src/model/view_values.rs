//! Between the values of views and those of SQLite.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use cqrs_core::{ColumnError, ColumnType, StoreError, StoreErrorKind, Value, View};
use sqlx::Row;
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteRow};
use uuid::Uuid;

use super::foreign;

/// The row of a view, from a row of a query of the application: it has the columns of the view, by their names, in any
/// order, and may have others.
///
/// # Errors
/// When a column is missing, or holds something that is not of its type: kind [`Corrupt`](StoreErrorKind::Corrupt).
pub fn from_row<V: View>(row: &SqliteRow) -> Result<V, StoreError> {
    read(row, |row, number| {
        let column = V::TABLE.columns.get(number).map_or("", |column| column.name);
        row.try_column(column).map(sqlx::Column::ordinal)
    })
}

/// The row of a view, from its columns in the order of the table.
pub(super) fn from_columns<V: View>(row: &SqliteRow) -> Result<V, StoreError> {
    read(row, |_, number| Ok(number))
}

fn read<V: View>(
    row: &SqliteRow,
    place: impl Fn(&SqliteRow, usize) -> Result<usize, sqlx::Error>,
) -> Result<V, StoreError> {
    let not_a_row = |why: sqlx::Error| {
        let context = format!("a row of table `{}` is none of view `{}`", V::TABLE.name, V::NAME);
        StoreError::new(StoreErrorKind::Corrupt, context).caused_by(why)
    };
    let mut values = Vec::with_capacity(V::TABLE.columns.len());
    for (number, column) in V::TABLE.columns.iter().enumerate() {
        let place = place(row, number).map_err(not_a_row)?;
        values.push(value(row, place, column.column_type).map_err(not_a_row)?);
    }
    V::from_values(values).map_err(|error| not_a_row(foreign(error)))
}

fn value(row: &SqliteRow, place: usize, column_type: ColumnType) -> Result<Value<'_>, sqlx::Error> {
    let text = || row.try_get::<Option<&str>, _>(place);
    let integer = || row.try_get::<Option<i64>, _>(place);
    let value = match column_type {
        ColumnType::Text => text()?.map(|text| Value::Text(Cow::Borrowed(text))),
        ColumnType::Json => text()?.map(|json| Value::Json(Cow::Borrowed(json))),
        ColumnType::Uuid => {
            text()?.map(Uuid::parse_str).transpose().map_err(foreign)?.map(Value::Uuid)
        }
        ColumnType::Integer => integer()?.map(Value::Integer),
        ColumnType::Real => row.try_get::<Option<f64>, _>(place)?.map(Value::Real),
        ColumnType::Boolean => match integer()? {
            None => None,
            Some(0) => Some(Value::Boolean(false)),
            Some(1) => Some(Value::Boolean(true)),
            Some(other) => return Err(foreign(format!("{other} is neither true nor false"))),
        },
        ColumnType::Time => integer()?
            .map(|since| time(since).ok_or_else(|| foreign("a time too far away")))
            .transpose()?
            .map(Value::Time),
    };
    Ok(value.unwrap_or(Value::Null))
}

/// A statement with the values bound.
pub(super) type Bound<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Binds a value to the next parameter.
pub(super) fn bind<'q>(query: Bound<'q>, value: Value<'_>) -> Result<Bound<'q>, ColumnError> {
    Ok(match value {
        Value::Null => query.bind(None::<i64>),
        Value::Text(text) | Value::Json(text) => query.bind(text.into_owned()),
        Value::Integer(integer) => query.bind(integer),
        // SQLite would store it as null.
        Value::Real(real) if real.is_nan() => {
            return Err(ColumnError::new("a column can't hold what is not a number"));
        }
        Value::Real(real) => query.bind(real),
        Value::Boolean(boolean) => query.bind(boolean),
        Value::Uuid(uuid) => query.bind(uuid.to_string()),
        Value::Time(time) => query.bind(microseconds(time)?),
    })
}

/// Microseconds since 1970; what is finer is cut off.
fn microseconds(time: SystemTime) -> Result<i64, ColumnError> {
    let since = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).ok(),
        Err(before) => i64::try_from(before.duration().as_micros()).ok().map(|micros| -micros),
    };
    since.ok_or_else(|| ColumnError::new("a time too far away can't be stored"))
}

fn time(micros: i64) -> Option<SystemTime> {
    let distance = Duration::from_micros(micros.unsigned_abs());
    if micros < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    }
}

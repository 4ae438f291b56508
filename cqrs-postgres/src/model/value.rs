//! Values of views from columns of rows.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use cqrs_core::{
    BoxError, ColumnError, ColumnInfo, ColumnType, StoreError, StoreErrorKind, Value, View,
};
use sqlx::postgres::{PgRow, PgValueFormat, PgValueRef};
use sqlx::{Row, TypeInfo, ValueRef};
use uuid::Uuid;

/// Between 1970, where `SystemTime` begins to count, and 2000, where Postgres does.
pub(super) const FROM_1970_TO_2000: Duration = Duration::from_hours(24 * 10_957);

/// The row of a view from one of a query of yours, which selects the columns of its table under their names; others may
/// be among them. The query has to be a prepared one, as by [`sqlx::query`](fn@sqlx::query).
///
/// ```
/// # use cqrs_core::{StoreError, View};
/// # use cqrs_postgres::{PostgresModel, from_row, sqlx};
/// async fn all<V: View>(model: &PostgresModel) -> Result<Vec<V>, Box<dyn std::error::Error>> {
///     let sql = "SELECT account, cents FROM balances WHERE cents > $1 ORDER BY cents";
///     let rows = sqlx::query(sql).bind(1_000_000_i64).fetch_all(model.pool()).await?;
///     Ok(rows.iter().map(from_row).collect::<Result<_, StoreError>>()?)
/// }
/// ```
///
/// # Errors
/// With kind [`Corrupt`](StoreErrorKind::Corrupt) when it is not a row of the view.
pub fn from_row<V: View>(row: &PgRow) -> Result<V, StoreError> {
    collect(|_, column| named(&row.try_get_raw(column.name)?, column.column_type))
}

/// The row of a view from one that has its columns in their order, JSON as text.
pub(super) fn row_of<V: View>(row: &PgRow) -> Result<V, StoreError> {
    collect(|index, column| value(&row.try_get_raw(index)?, column.column_type))
}

fn collect<'r, V: View>(
    value: impl Fn(usize, &ColumnInfo) -> Result<Value<'r>, BoxError>,
) -> Result<V, StoreError> {
    let mut values = Vec::with_capacity(V::TABLE.columns.len());
    for (index, column) in V::TABLE.columns.iter().enumerate() {
        values.push(
            value(index, column).map_err(|error| {
                not_of::<V>(ColumnError::new(error.to_string()).of(column.name))
            })?,
        );
    }
    V::from_values(values).map_err(not_of::<V>)
}

/// The value of a column of any query.
fn named<'r>(raw: &PgValueRef<'r>, column_type: ColumnType) -> Result<Value<'r>, BoxError> {
    if raw.format() == PgValueFormat::Text {
        return Err("the query has to be a prepared one".into());
    }
    let info = raw.type_info().into_owned();
    let wanted = match column_type {
        ColumnType::Text => &["TEXT", "VARCHAR", "CHAR", "NAME"][..],
        ColumnType::Integer => &["INT8"],
        ColumnType::Real => &["FLOAT8"],
        ColumnType::Boolean => &["BOOL"],
        ColumnType::Uuid => &["UUID"],
        ColumnType::Time => &["TIMESTAMPTZ"],
        ColumnType::Json => &["JSONB", "JSON", "TEXT"],
    };
    if !wanted.contains(&info.name()) {
        return Err(format!("{} is wanted, not {}", wanted[0], info.name()).into());
    }
    if info.name() == "JSONB" && !raw.is_null() {
        // Its version, 1, comes before the text.
        let json = raw.as_bytes()?.get(1..).unwrap_or_default();
        return Ok(Value::Json(Cow::Borrowed(std::str::from_utf8(json)?)));
    }
    value(raw, column_type)
}

/// The value of a column that is known to be of this type, JSON as text.
fn value<'r>(raw: &PgValueRef<'r>, column_type: ColumnType) -> Result<Value<'r>, BoxError> {
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let bytes = raw.as_bytes()?;
    Ok(match column_type {
        ColumnType::Text => Value::Text(Cow::Borrowed(raw.as_str()?)),
        ColumnType::Json => Value::Json(Cow::Borrowed(raw.as_str()?)),
        ColumnType::Integer => Value::Integer(i64::from_be_bytes(bytes.try_into()?)),
        ColumnType::Real => Value::Real(f64::from_be_bytes(bytes.try_into()?)),
        ColumnType::Boolean => Value::Boolean(bytes != [0]),
        ColumnType::Uuid => Value::Uuid(Uuid::from_slice(bytes)?),
        ColumnType::Time => Value::Time(time(bytes)?),
    })
}

/// A time is microseconds since 2000. Types of `sqlx` would panic on infinite times and on the far future.
pub(super) fn time(bytes: &[u8]) -> Result<SystemTime, BoxError> {
    let micros = i64::from_be_bytes(bytes.try_into()?);
    if micros == i64::MIN || micros == i64::MAX {
        return Err("the time is infinite".into());
    }
    let since_2000 = Duration::from_micros(micros.unsigned_abs());
    let start = SystemTime::UNIX_EPOCH + FROM_1970_TO_2000;
    let time =
        if micros < 0 { start.checked_sub(since_2000) } else { start.checked_add(since_2000) };
    time.ok_or_else(|| "the time is out of range".into())
}

fn not_of<V: View>(error: ColumnError) -> StoreError {
    let context = format!("a row of table `{}` is not one of view `{}`", V::TABLE.name, V::NAME);
    StoreError::new(StoreErrorKind::Corrupt, context).caused_by(error)
}

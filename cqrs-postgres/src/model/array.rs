//! Values of views as parameters of statements: an array for each column, in the binary form of Postgres.

use std::time::SystemTime;

use cqrs_core::{BoxError, ColumnError, ColumnInfo, ColumnType, Value};
use sqlx::encode::{Encode, IsNull};
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo};
use sqlx::{Postgres, Type};

use super::value::FROM_1970_TO_2000;
use crate::rows::saturate;

/// The values of a column, written as they come: no value is kept twice.
pub(super) struct Array {
    column: &'static ColumnInfo,
    count: i32,
    has_null: bool,
    elements: Vec<u8>,
}

/// The values of these columns, of so many rows: an array for each.
pub(super) fn arrays<'v, E: Into<BoxError>>(
    columns: impl Iterator<Item = &'static ColumnInfo>,
    rows: impl ExactSizeIterator<Item = Result<Vec<Value<'v>>, E>>,
) -> Result<Vec<Array>, BoxError> {
    let mut arrays: Vec<Array> = columns.map(|column| Array::new(column, rows.len())).collect();
    for row in rows {
        let values = row.map_err(Into::into)?;
        if values.len() != arrays.len() {
            let wrong = format!("there are {} values for {} columns", values.len(), arrays.len());
            return Err(wrong.into());
        }
        for (array, value) in arrays.iter_mut().zip(values) {
            array.push(&value)?;
        }
    }
    Ok(arrays)
}

impl Array {
    fn new(column: &'static ColumnInfo, rows: usize) -> Self {
        // The length of a value and, where it is not known, a guess at its size.
        let elements = Vec::with_capacity(rows.saturating_mul(20));
        Self { column, count: 0, has_null: false, elements }
    }

    fn push(&mut self, value: &Value<'_>) -> Result<(), ColumnError> {
        let ColumnInfo { name, column_type, .. } = *self.column;
        match (column_type, value) {
            (_, Value::Null) => {
                self.has_null = true;
                self.elements.extend((-1_i32).to_be_bytes());
            }
            (ColumnType::Text, Value::Text(text)) => self.element(text.as_bytes(), &[]),
            // Its version comes before the text.
            (ColumnType::Json, Value::Json(json)) => self.element(&[1], json.as_bytes()),
            (ColumnType::Integer, Value::Integer(integer)) => {
                self.element(&integer.to_be_bytes(), &[]);
            }
            (ColumnType::Real, Value::Real(real)) => self.element(&real.to_be_bytes(), &[]),
            (ColumnType::Boolean, Value::Boolean(boolean)) => {
                self.element(&[u8::from(*boolean)], &[]);
            }
            (ColumnType::Uuid, Value::Uuid(uuid)) => self.element(uuid.as_bytes(), &[]),
            (ColumnType::Time, Value::Time(time)) => {
                self.element(&Moment::of(*time).0.to_be_bytes(), &[]);
            }
            (wanted, other) => {
                let wrong = format!("it holds {wanted:?}, not {other:?}");
                return Err(ColumnError::new(wrong).of(name));
            }
        }
        self.count = self.count.saturating_add(1);
        Ok(())
    }

    fn element(&mut self, first: &[u8], second: &[u8]) {
        // Where it is longer, so is the whole, which is refused when it is sent.
        let length = i32::try_from(first.len() + second.len()).unwrap_or(i32::MAX);
        self.elements.extend(length.to_be_bytes());
        self.elements.extend_from_slice(first);
        self.elements.extend_from_slice(second);
    }

    /// The numbers that Postgres knows the type of its elements and its own by.
    const fn oids(&self) -> (u32, u32) {
        match self.column.column_type {
            ColumnType::Text => (25, 1009),
            ColumnType::Integer => (20, 1016),
            ColumnType::Real => (701, 1022),
            ColumnType::Boolean => (16, 1000),
            ColumnType::Uuid => (2950, 2951),
            ColumnType::Time => (1184, 1185),
            ColumnType::Json => (3802, 3807),
        }
    }
}

impl Type<Postgres> for Array {
    /// Told by each value in its place.
    fn type_info() -> PgTypeInfo {
        <Vec<String> as Type<Postgres>>::type_info()
    }
}

impl Encode<'_, Postgres> for Array {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxError> {
        let dimensions = 1_i32;
        let first = 1_i32;
        buffer.extend(dimensions.to_be_bytes());
        buffer.extend(i32::from(self.has_null).to_be_bytes());
        buffer.extend(self.oids().0.to_be_bytes());
        buffer.extend(self.count.to_be_bytes());
        buffer.extend(first.to_be_bytes());
        buffer.extend_from_slice(&self.elements);
        Ok(IsNull::No)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(PgTypeInfo::with_oid(Oid(self.oids().1)))
    }

    fn size_hint(&self) -> usize {
        self.elements.len() + 20
    }
}

/// A time as a parameter: microseconds since 2000. Types of `sqlx` would panic on the far future.
pub(super) struct Moment(i64);

impl Moment {
    /// What is beyond the range of Postgres is not met by the clock of any server; it is cut off.
    pub(super) fn of(time: SystemTime) -> Self {
        let start = SystemTime::UNIX_EPOCH + FROM_1970_TO_2000;
        Self(match time.duration_since(start) {
            Ok(since) => saturate(since.as_micros()),
            // Rounded down, as times after the start are.
            Err(before) => {
                let before = before.duration();
                let part = before.subsec_nanos() % 1_000 != 0;
                -saturate(before.as_micros()) - i64::from(part)
            }
        })
    }
}

impl Type<Postgres> for Moment {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1184))
    }
}

impl Encode<'_, Postgres> for Moment {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxError> {
        buffer.extend(self.0.to_be_bytes());
        Ok(IsNull::No)
    }
}

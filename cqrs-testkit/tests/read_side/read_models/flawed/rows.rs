//! A read model in memory with one flaw: what it makes of rows.

use std::borrow::Cow;
use std::fmt::Debug;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use cqrs_core::{BoxError, ColumnInfo, Rows, StoreError, Value, View};

use super::model::{Flaw, Flawed, FlawedTransaction};

impl<V: View> Flawed<V> {
    /// The row as it is kept where `row` is written.
    fn kept(&self, row: &V, before: Option<&V>) -> V {
        let Ok(values) = row.values() else { return row.clone() };
        let before = before.and_then(|before| before.values().ok());
        let columns = V::TABLE.columns.iter().enumerate();
        let values = columns.zip(values).map(|((number, column), value)| {
            let value = self.value(column, value);
            match (&value, &before) {
                (Value::Null, Some(before)) if self.flaw == Flaw::NullsAreNotWritten => {
                    before[number].clone()
                }
                _ => value,
            }
        });
        V::from_values(values.collect()).unwrap()
    }

    fn value<'v>(&self, column: &ColumnInfo, value: Value<'v>) -> Value<'v> {
        match (self.flaw, value) {
            (Flaw::EmptyTextsAreNull, Value::Text(text)) if text.is_empty() && column.nullable => {
                Value::Null
            }
            (Flaw::NullDocumentsAreNull, Value::Json(json))
                if json == "null" && column.nullable =>
            {
                Value::Null
            }
            (Flaw::TimesAreMilliseconds, Value::Time(time)) => {
                let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
                let since = Duration::from_millis(u64::try_from(since).unwrap());
                Value::Time(SystemTime::UNIX_EPOCH + since)
            }
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_precision_loss,
                reason = "the flaw"
            )]
            (Flaw::IntegersAreReals, Value::Integer(integer)) => {
                Value::Integer((integer as f64 * 1.0).min(9e18) as i64)
            }
            #[allow(clippy::cast_possible_truncation, reason = "the flaw")]
            (Flaw::RealsHave32Bits, Value::Real(real)) => Value::Real(f64::from(real as f32)),
            (Flaw::TextsAreTrimmed, Value::Text(text)) => {
                Value::Text(Cow::Owned(text.trim_end().to_owned()))
            }
            (_, value) => value,
        }
    }

    fn is_like(one: &V::Key, other: &V::Key) -> bool {
        let first = |key| V::key_values(key).map(|values| format!("{:?}", values.first())).ok();
        first(one) == first(other)
    }
}

#[async_trait]
impl<V: View + Debug> Rows<V> for Flawed<V> {
    fn tables(&self) -> String {
        self.inner.tables()
    }

    async fn load(
        &self,
        transaction: &mut FlawedTransaction<V>,
        keys: &[V::Key],
    ) -> Result<Vec<V>, StoreError> {
        let value = &transaction.inner.value;
        match self.flaw {
            Flaw::NoKeysAreAll if keys.is_empty() => Ok(value.values().cloned().collect()),
            Flaw::AThousandRowsAtMost => {
                let keys = &keys[..keys.len().min(1_000)];
                self.inner.load(&mut transaction.inner, keys).await
            }
            Flaw::RowsAreReadBeforeTheTransaction => {
                Ok(keys.iter().filter_map(|key| transaction.before.get(key).cloned()).collect())
            }
            _ => self.inner.load(&mut transaction.inner, keys).await,
        }
    }

    async fn write(
        &self,
        transaction: &mut FlawedTransaction<V>,
        written: &[V],
        deleted: &[V::Key],
    ) -> Result<(), BoxError> {
        let value = &transaction.inner.value;
        let kept: Vec<V> =
            written.iter().map(|row| self.kept(row, value.get(&row.key()))).collect();
        let deleted = match self.flaw {
            Flaw::RowsAreNotDeleted => &[],
            _ => deleted,
        };
        match self.flaw {
            Flaw::RowsAreWrittenAtOnce => {
                self.notes().rows.extend(kept.iter().map(|row| (row.key(), row.clone())));
            }
            Flaw::KeysAreTheirFirstColumn => {
                let value = &mut transaction.inner.value;
                value.retain(|key, _| !deleted.iter().any(|deleted| Self::is_like(key, deleted)));
            }
            Flaw::AnyValueIsKept => {
                let rows = written.iter().map(|row| (row.key(), row.clone()));
                transaction.inner.value.extend(rows);
                return Ok(());
            }
            _ => {}
        }
        self.inner.write(&mut transaction.inner, &kept, deleted).await
    }

    async fn row(&self, key: &V::Key) -> Result<Option<V>, StoreError> {
        if let Some(row) = self.notes().rows.get(key) {
            return Ok(Some(row.clone()));
        }
        self.inner.row(key).await
    }
}

//! What a column of a view holds.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use crate::event::Payload;

/// A type that is stored in a column of its own. Types that are not are stored as JSON: `#[view(json)]` on the field.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no column type",
    label = "not something a column holds",
    note = "write `#[view(json)]` on the field to store it as JSON, or implement `Column` for `{Self}` by means of a type \
            that has it, such as `String`"
)]
pub trait Column: Sized {
    /// What the column holds.
    const TYPE: ColumnType;

    /// Whether the column may be null: that of an `Option`.
    const NULLABLE: bool = false;

    /// The value to store.
    ///
    /// # Errors
    /// When the column can't hold it.
    fn to_value(&self) -> Result<Value<'_>, ColumnError>;

    /// The value that was stored.
    ///
    /// # Errors
    /// When it is not one of this type.
    fn from_value(value: Value<'_>) -> Result<Self, ColumnError>;
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// Text, without NUL characters.
    Text,
    /// A whole number of 64 bits, with a sign.
    Integer,
    /// A floating-point number of 64 bits.
    Real,
    /// True or false.
    Boolean,
    /// A UUID.
    Uuid,
    /// A moment, to the microsecond.
    Time,
    /// A JSON document.
    Json,
}

/// A value in a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Nothing.
    Null,
    /// See [`ColumnType::Text`].
    Text(Cow<'a, str>),
    /// See [`ColumnType::Integer`].
    Integer(i64),
    /// See [`ColumnType::Real`].
    Real(f64),
    /// See [`ColumnType::Boolean`].
    Boolean(bool),
    /// See [`ColumnType::Uuid`].
    Uuid(Uuid),
    /// See [`ColumnType::Time`].
    Time(SystemTime),
    /// See [`ColumnType::Json`]: the text of the document.
    Json(Cow<'a, str>),
}

/// A value that a column can't hold, or that is not one of the type it is read as.
#[derive(Debug, thiserror::Error)]
#[error("{}{reason}", of_column(column))]
pub struct ColumnError {
    /// The column; empty until it is known.
    pub column: &'static str,
    /// What is wrong.
    pub reason: String,
}

fn of_column(column: &str) -> String {
    match column {
        "" => String::new(),
        column => format!("column `{column}`: "),
    }
}

impl ColumnError {
    /// Something is wrong with a value.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { column: "", reason: reason.into() }
    }

    /// The value is that of this column.
    #[must_use]
    pub fn of(self, column: &'static str) -> Self {
        Self { column, ..self }
    }

    fn not_a(wanted: &str, value: &Value<'_>) -> Self {
        Self::new(format!("{wanted} is wanted, not {value:?}"))
    }
}

impl Column for String {
    const TYPE: ColumnType = ColumnType::Text;

    fn to_value(&self) -> Result<Value<'_>, ColumnError> {
        if self.contains('\0') {
            return Err(ColumnError::new("text with a NUL character can't be stored"));
        }
        Ok(Value::Text(Cow::Borrowed(self)))
    }

    fn from_value(value: Value<'_>) -> Result<Self, ColumnError> {
        match value {
            Value::Text(text) => Ok(text.into_owned()),
            other => Err(ColumnError::not_a("text", &other)),
        }
    }
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl Column for $type {
            const TYPE: ColumnType = ColumnType::Integer;

            fn to_value(&self) -> Result<Value<'_>, ColumnError> {
                let integer = i64::try_from(*self);
                integer.map(Value::Integer).map_err(|_| {
                    ColumnError::new(format!("{self} is more than a column of 64 bits with a sign holds"))
                })
            }

            fn from_value(value: Value<'_>) -> Result<Self, ColumnError> {
                let integer = match value {
                    Value::Integer(integer) => Self::try_from(integer).ok(),
                    _ => None,
                };
                integer.ok_or_else(|| ColumnError::not_a(stringify!($type), &value))
            }
        }
    )*};
}

integers!(i8, i16, i32, i64, u8, u16, u32, u64);

impl Column for f64 {
    const TYPE: ColumnType = ColumnType::Real;

    fn to_value(&self) -> Result<Value<'_>, ColumnError> {
        if self.is_finite() {
            return Ok(Value::Real(*self));
        }
        Err(ColumnError::new(format!("{self} is not a finite number")))
    }

    fn from_value(value: Value<'_>) -> Result<Self, ColumnError> {
        match value {
            Value::Real(real) => Ok(real),
            other => Err(ColumnError::not_a("a number", &other)),
        }
    }
}

impl Column for bool {
    const TYPE: ColumnType = ColumnType::Boolean;

    fn to_value(&self) -> Result<Value<'_>, ColumnError> {
        Ok(Value::Boolean(*self))
    }

    fn from_value(value: Value<'_>) -> Result<Self, ColumnError> {
        match value {
            Value::Boolean(boolean) => Ok(boolean),
            other => Err(ColumnError::not_a("true or false", &other)),
        }
    }
}

impl Column for Uuid {
    const TYPE: ColumnType = ColumnType::Uuid;

    fn to_value(&self) -> Result<Value<'_>, ColumnError> {
        Ok(Value::Uuid(*self))
    }

    fn from_value(value: Value<'_>) -> Result<Self, ColumnError> {
        match value {
            Value::Uuid(uuid) => Ok(uuid),
            other => Err(ColumnError::not_a("a UUID", &other)),
        }
    }
}

/// To the microsecond: what is finer is cut off. No earlier than 1970, no later than the year 9999.
impl Column for SystemTime {
    const TYPE: ColumnType = ColumnType::Time;

    fn to_value(&self) -> Result<Value<'_>, ColumnError> {
        // The beginning of the year 10 000.
        const END: Duration = Duration::from_hours(70_389_528);
        let since = self.duration_since(Self::UNIX_EPOCH).ok().filter(|since| *since < END);
        let Some(since) = since else {
            return Err(ColumnError::new("a time before 1970 or after 9999 can't be stored"));
        };
        let cut = Duration::new(since.as_secs(), since.subsec_micros() * 1_000);
        Ok(Value::Time(Self::UNIX_EPOCH + cut))
    }

    fn from_value(value: Value<'_>) -> Result<Self, ColumnError> {
        match value {
            Value::Time(time) => Ok(time),
            other => Err(ColumnError::not_a("a time", &other)),
        }
    }
}

impl<T: Column> Column for Option<T> {
    const TYPE: ColumnType = T::TYPE;
    const NULLABLE: bool = true;

    fn to_value(&self) -> Result<Value<'_>, ColumnError> {
        self.as_ref().map_or(Ok(Value::Null), Column::to_value)
    }

    fn from_value(value: Value<'_>) -> Result<Self, ColumnError> {
        match value {
            Value::Null => Ok(None),
            value => T::from_value(value).map(Some),
        }
    }
}

/// The value of a column of JSON.
///
/// # Errors
/// When it has no JSON form that is faithful, as for the payload of an event.
pub fn json_value<T: serde::Serialize>(value: &T) -> Result<Value<'_>, ColumnError> {
    let json = Payload::of(value).map_err(|error| ColumnError::new(error.to_string()))?;
    Ok(Value::Json(Cow::Owned(json.as_str().to_owned())))
}

/// What a column of JSON holds.
///
/// # Errors
/// When it is not a `T`.
pub fn from_json_value<T: serde::de::DeserializeOwned>(
    value: &Value<'_>,
) -> Result<T, ColumnError> {
    match value {
        Value::Json(json) => {
            serde_json::from_str(json).map_err(|error| ColumnError::new(error.to_string()))
        }
        other => Err(ColumnError::not_a("JSON", other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_column_holds_comes_back() {
        fn round<T: Column + PartialEq + std::fmt::Debug>(value: &T) {
            let stored = value.to_value().unwrap();
            assert_eq!(&T::from_value(stored).unwrap(), value);
        }
        round(&"text".to_owned());
        round(&i64::MIN);
        round(&u32::MAX);
        round(&1.5_f64);
        round(&true);
        round(&Uuid::from_u128(7));
        round(&(SystemTime::UNIX_EPOCH + Duration::from_micros(1_700_000_000_123_456)));
        round(&Some(3_u8));
        round(&None::<String>);
    }

    #[test]
    fn what_no_column_holds_is_refused() {
        assert!("a\0b".to_owned().to_value().is_err());
        assert!(u64::MAX.to_value().is_err());
        assert!(f64::NAN.to_value().is_err());
        assert!((SystemTime::UNIX_EPOCH - Duration::from_secs(1)).to_value().is_err());
        assert!(json_value(&"a\0b").is_err());
        assert!(u8::from_value(Value::Integer(256)).is_err());
        assert!(String::from_value(Value::Null).is_err());
        let error = String::from_value(Value::Integer(1)).unwrap_err();
        assert_eq!(error.to_string(), "text is wanted, not Integer(1)");
        let error = error.of("owner");
        assert_eq!(error.to_string(), "column `owner`: text is wanted, not Integer(1)");
    }
}

//! The views whose rows the suite keeps. Nothing is folded into them: cases write rows themselves.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use cqrs_core::__private::{from_json_value, json_value};
use cqrs_core::{
    BoxError, Column, ColumnError, ColumnInfo, ColumnType, DecodeError, Decoded, EncodeError,
    Event, EventType, Payload, Received, RecordedEvent, Table, Value, View,
};
use serde_json::Value as Json;
use uuid::Uuid;

/// The event type the views are said to be made from.
#[derive(Debug)]
pub struct Happened;

impl Event for Happened {
    const TYPES: &'static [EventType] = &[EventType::new("suite.happened", 1)];

    fn event_type(&self) -> EventType {
        Self::TYPES[0]
    }

    fn encode(&self) -> Result<Payload, EncodeError> {
        Payload::of(&BTreeMap::<String, String>::new())
    }

    fn decode(_: &RecordedEvent) -> Result<Decoded<Self>, DecodeError> {
        Ok(Self.into())
    }
}

/// A row with columns of all types, once as they are and once so that they may be null; its key is one of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub(super) text: String,
    pub(super) key: String,
    pub(super) integer: i64,
    pub(super) count: u64,
    pub(super) real: f64,
    pub(super) flag: bool,
    pub(super) id: Uuid,
    pub(super) time: SystemTime,
    pub(super) json: Json,
    pub(super) maybe_text: Option<String>,
    pub(super) maybe_integer: Option<i64>,
    pub(super) maybe_real: Option<f64>,
    pub(super) maybe_flag: Option<bool>,
    pub(super) maybe_id: Option<Uuid>,
    pub(super) maybe_time: Option<SystemTime>,
    pub(super) maybe_json: Option<Json>,
}

impl Sample {
    /// A row with this key; what else is in it does not matter.
    pub(super) fn new(key: impl Into<String>) -> Self {
        Self {
            text: "text".to_owned(),
            key: key.into(),
            integer: -7,
            count: 7,
            real: 0.1,
            flag: true,
            id: Uuid::from_u128(0x1234_5678_9abc_def0),
            time: SystemTime::UNIX_EPOCH + Duration::from_micros(1_700_000_000_123_456),
            json: serde_json::json!({ "list": [1, "two", null] }),
            maybe_text: None,
            maybe_integer: None,
            maybe_real: None,
            maybe_flag: None,
            maybe_id: None,
            maybe_time: None,
            maybe_json: None,
        }
    }
}

/// A row whose key is several columns, of all types that can be one, in another order than in the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Composite {
    pub(super) note: Option<String>,
    pub(super) time: SystemTime,
    pub(super) number: i64,
    pub(super) name: String,
    pub(super) count: u64,
    pub(super) flag: bool,
    pub(super) id: Uuid,
}

const fn column(name: &'static str, column_type: ColumnType) -> ColumnInfo {
    ColumnInfo { name, column_type, nullable: false }
}

const fn nullable(name: &'static str, column_type: ColumnType) -> ColumnInfo {
    ColumnInfo { name, column_type, nullable: true }
}

fn next<'v>(values: &mut std::vec::IntoIter<Value<'v>>) -> Result<Value<'v>, ColumnError> {
    values.next().ok_or_else(|| ColumnError::new("there are fewer values than columns"))
}

fn read<T: Column>(values: &mut std::vec::IntoIter<Value<'_>>) -> Result<T, ColumnError> {
    T::from_value(next(values)?)
}

impl View for Sample {
    const NAME: &'static str = "suite_samples";
    const VERSION: u32 = 1;
    const TABLE: Table = Table {
        name: "suite_samples",
        columns: &[
            column("text", ColumnType::Text),
            column("key", ColumnType::Text),
            column("integer", ColumnType::Integer),
            column("count", ColumnType::Integer),
            column("real", ColumnType::Real),
            column("flag", ColumnType::Boolean),
            column("id", ColumnType::Uuid),
            column("time", ColumnType::Time),
            column("json", ColumnType::Json),
            nullable("maybe_text", ColumnType::Text),
            nullable("maybe_integer", ColumnType::Integer),
            nullable("maybe_real", ColumnType::Real),
            nullable("maybe_flag", ColumnType::Boolean),
            nullable("maybe_id", ColumnType::Uuid),
            nullable("maybe_time", ColumnType::Time),
            nullable("maybe_json", ColumnType::Json),
        ],
        key: &[1],
        indexes: &[&[2], &[7, 5]],
    };

    type Event = Happened;
    type Key = String;

    fn key(&self) -> String {
        self.key.clone()
    }

    fn touched(_: &Happened, _: &Received<'_>) -> Vec<String> {
        Vec::new()
    }

    fn fold(
        _: &mut Option<Self>,
        _: &String,
        _: &Happened,
        _: &Received<'_>,
    ) -> Result<(), BoxError> {
        Ok(())
    }

    fn values(&self) -> Result<Vec<Value<'_>>, ColumnError> {
        Ok(vec![
            self.text.to_value().map_err(|error| error.of("text"))?,
            self.key.to_value().map_err(|error| error.of("key"))?,
            self.integer.to_value().map_err(|error| error.of("integer"))?,
            self.count.to_value().map_err(|error| error.of("count"))?,
            self.real.to_value().map_err(|error| error.of("real"))?,
            self.flag.to_value().map_err(|error| error.of("flag"))?,
            self.id.to_value().map_err(|error| error.of("id"))?,
            self.time.to_value().map_err(|error| error.of("time"))?,
            json_value(&self.json).map_err(|error| error.of("json"))?,
            self.maybe_text.to_value().map_err(|error| error.of("maybe_text"))?,
            self.maybe_integer.to_value().map_err(|error| error.of("maybe_integer"))?,
            self.maybe_real.to_value().map_err(|error| error.of("maybe_real"))?,
            self.maybe_flag.to_value().map_err(|error| error.of("maybe_flag"))?,
            self.maybe_id.to_value().map_err(|error| error.of("maybe_id"))?,
            self.maybe_time.to_value().map_err(|error| error.of("maybe_time"))?,
            match &self.maybe_json {
                Some(json) => json_value(json).map_err(|error| error.of("maybe_json"))?,
                None => Value::Null,
            },
        ])
    }

    fn from_values(values: Vec<Value<'_>>) -> Result<Self, ColumnError> {
        let values = &mut values.into_iter();
        Ok(Self {
            text: read(values).map_err(|error| error.of("text"))?,
            key: read(values).map_err(|error| error.of("key"))?,
            integer: read(values).map_err(|error| error.of("integer"))?,
            count: read(values).map_err(|error| error.of("count"))?,
            real: read(values).map_err(|error| error.of("real"))?,
            flag: read(values).map_err(|error| error.of("flag"))?,
            id: read(values).map_err(|error| error.of("id"))?,
            time: read(values).map_err(|error| error.of("time"))?,
            json: from_json_value(&next(values)?).map_err(|error| error.of("json"))?,
            maybe_text: read(values).map_err(|error| error.of("maybe_text"))?,
            maybe_integer: read(values).map_err(|error| error.of("maybe_integer"))?,
            maybe_real: read(values).map_err(|error| error.of("maybe_real"))?,
            maybe_flag: read(values).map_err(|error| error.of("maybe_flag"))?,
            maybe_id: read(values).map_err(|error| error.of("maybe_id"))?,
            maybe_time: read(values).map_err(|error| error.of("maybe_time"))?,
            maybe_json: match next(values)? {
                Value::Null => None,
                json => Some(from_json_value(&json).map_err(|error| error.of("maybe_json"))?),
            },
        })
    }

    fn key_values(key: &String) -> Result<Vec<Value<'_>>, ColumnError> {
        Ok(vec![key.to_value().map_err(|error| error.of("key"))?])
    }
}

impl View for Composite {
    const NAME: &'static str = "suite_composites";
    const VERSION: u32 = 1;
    const TABLE: Table = Table {
        name: "suite_composites",
        columns: &[
            nullable("note", ColumnType::Text),
            column("time", ColumnType::Time),
            column("number", ColumnType::Integer),
            column("name", ColumnType::Text),
            column("count", ColumnType::Integer),
            column("flag", ColumnType::Boolean),
            column("id", ColumnType::Uuid),
        ],
        key: &[3, 2, 6, 1, 5],
        indexes: &[],
    };

    type Event = Happened;
    type Key = (String, i64, Uuid, SystemTime, bool);

    fn key(&self) -> Self::Key {
        (self.name.clone(), self.number, self.id, self.time, self.flag)
    }

    fn touched(_: &Happened, _: &Received<'_>) -> Vec<Self::Key> {
        Vec::new()
    }

    fn fold(
        _: &mut Option<Self>,
        _: &Self::Key,
        _: &Happened,
        _: &Received<'_>,
    ) -> Result<(), BoxError> {
        Ok(())
    }

    fn values(&self) -> Result<Vec<Value<'_>>, ColumnError> {
        Ok(vec![
            self.note.to_value().map_err(|error| error.of("note"))?,
            self.time.to_value().map_err(|error| error.of("time"))?,
            self.number.to_value().map_err(|error| error.of("number"))?,
            self.name.to_value().map_err(|error| error.of("name"))?,
            self.count.to_value().map_err(|error| error.of("count"))?,
            self.flag.to_value().map_err(|error| error.of("flag"))?,
            self.id.to_value().map_err(|error| error.of("id"))?,
        ])
    }

    fn from_values(values: Vec<Value<'_>>) -> Result<Self, ColumnError> {
        let values = &mut values.into_iter();
        Ok(Self {
            note: read(values).map_err(|error| error.of("note"))?,
            time: read(values).map_err(|error| error.of("time"))?,
            number: read(values).map_err(|error| error.of("number"))?,
            name: read(values).map_err(|error| error.of("name"))?,
            count: read(values).map_err(|error| error.of("count"))?,
            flag: read(values).map_err(|error| error.of("flag"))?,
            id: read(values).map_err(|error| error.of("id"))?,
        })
    }

    fn key_values(key: &Self::Key) -> Result<Vec<Value<'_>>, ColumnError> {
        let (name, number, id, time, flag) = key;
        Ok(vec![
            name.to_value().map_err(|error| error.of("name"))?,
            number.to_value().map_err(|error| error.of("number"))?,
            id.to_value().map_err(|error| error.of("id"))?,
            time.to_value().map_err(|error| error.of("time"))?,
            flag.to_value().map_err(|error| error.of("flag"))?,
        ])
    }
}

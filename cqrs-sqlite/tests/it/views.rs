//! The rows of views.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use cqrs_core::{
    BoxError, Column, ColumnError, ColumnInfo, ColumnType, DecodeError, EncodeError, Event,
    EventType, Payload, Received, RecordedEvent, Rows, StoreErrorKind, Table, Value, View,
};
use cqrs_sqlite::{SqliteModel, from_row};
use sqlx::{AssertSqlSafe, Row, query, query_scalar, raw_sql};
use uuid::Uuid;

use crate::model::{at, end, lease};
use crate::support::{assert_failure, failure, place};


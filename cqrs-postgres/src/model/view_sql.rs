//! The statements of views, each written once.

use std::any::TypeId;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use cqrs_core::{ColumnInfo, ColumnType, Table, View};

use super::quoted;

/// The statements of a view. The types of parameters and of what comes back are written down, so that a statement means
/// the same, and stays prepared, whichever version of the table it finds.
pub(super) struct ViewSql {
    /// Rows by their keys. Parameters: an array for each column of the key.
    pub(super) load: Arc<str>,
    /// The same, with locks on the rows.
    pub(super) load_locked: Arc<str>,
    /// Inserts rows or puts them in the place of others, and tells how many it put so, and how many were loaded.
    /// Parameters: an array for each column.
    pub(super) upsert: Arc<str>,
    /// Deletes rows by their keys. Parameters: an array for each column of the key.
    pub(super) delete: Arc<str>,
}

impl ViewSql {
    pub(super) fn of<V: View>() -> Arc<Self> {
        static ALL: LazyLock<Mutex<HashMap<TypeId, Arc<ViewSql>>>> = LazyLock::new(Mutex::default);
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(TypeId::of::<V>()).or_insert_with(|| Arc::new(Self::new(&V::TABLE))))
    }

    fn new(table: &Table) -> Self {
        let name = quoted(table.name);
        let selected = list(table.columns, |column| {
            let as_type = if column.column_type == ColumnType::Json {
                "text"
            } else {
                type_of(column.column_type)
            };
            format!("t.{}::{as_type}", quoted(column.name))
        });
        let keys = unnest("wanted", table.key_columns());
        let numbered = table.key_columns().enumerate();
        let same_key: Vec<String> = numbered
            .map(|(index, column)| format!("t.{} = wanted.c{}", quoted(column.name), index + 1))
            .collect();
        let same_key = same_key.join(" AND ");
        let in_order = list(table.key_columns(), |column| format!("t.{}", quoted(column.name)));
        let load = format!("SELECT {selected} FROM {keys} JOIN {name} AS t ON {same_key}");
        let key = list(table.key_columns(), |column| quoted(column.name));
        let columns = list(table.columns, |column| quoted(column.name));
        let is_key = |column: &ColumnInfo| table.key_columns().any(|key| key.name == column.name);
        let others = table.columns.iter().filter(|column| !is_key(column));
        let replaced = list(others, |column| {
            let name = quoted(column.name);
            format!("{name} = excluded.{name}")
        });
        let action = if replaced.is_empty() {
            "NOTHING".to_owned()
        } else {
            format!("UPDATE SET {replaced}")
        };
        Self {
            load_locked: format!("{load} ORDER BY {in_order} FOR UPDATE OF t").into(),
            load: load.into(),
            // What comes in the place of another row has the lock on that one in `xmax`; a row that is new has none.
            upsert: format!(
                "WITH written AS (\
                 INSERT INTO {name} ({columns}) SELECT * FROM {} \
                 ON CONFLICT ({key}) DO {action} RETURNING xmax <> 0 AS in_place\
                 ) SELECT count(*) FILTER (WHERE in_place) AS in_place, \
                 nullif(current_setting('cqrs.loaded', true), '')::bigint AS loaded FROM written",
                unnest("given", table.columns)
            )
            .into(),
            delete: format!("DELETE FROM {name} AS t USING {keys} WHERE {same_key}").into(),
        }
    }
}

/// The SQL that makes the table of a view and its indexes.
pub(super) fn tables(table: &Table) -> String {
    let mut sql = format!("CREATE TABLE {} (\n", quoted(table.name));
    for column in table.columns {
        let is_key = table.key_columns().any(|key| key.name == column.name);
        let (name, column_type) = (quoted(column.name), type_of(column.column_type));
        // Compared byte by byte, whatever the language of the database: it is faster.
        let collation =
            if is_key && column.column_type == ColumnType::Text { " COLLATE \"C\"" } else { "" };
        let null = if column.nullable { "" } else { " NOT NULL" };
        // Writing to a string can't fail.
        let _ = writeln!(sql, "    {name} {column_type}{collation}{null},");
    }
    let key = list(table.key_columns(), |column| quoted(column.name));
    let _ = write!(sql, "    PRIMARY KEY ({key})\n)");
    for index in table.indexes {
        let columns = list(table.columns_at(index), |column| quoted(column.name));
        let _ = write!(sql, ";\nCREATE INDEX ON {} ({columns})", quoted(table.name));
    }
    sql
}

const fn type_of(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::Text => "text",
        ColumnType::Integer => "bigint",
        ColumnType::Real => "double precision",
        ColumnType::Boolean => "boolean",
        ColumnType::Uuid => "uuid",
        ColumnType::Time => "timestamptz",
        ColumnType::Json => "jsonb",
    }
}

/// The parameters of these columns, from the first on, as rows with columns `c1`, `c2` …
fn unnest<'c>(name: &str, columns: impl IntoIterator<Item = &'c ColumnInfo>) -> String {
    let (mut arrays, mut names) = (Vec::new(), Vec::new());
    for (number, column) in (1..).zip(columns) {
        arrays.push(format!("${number}::{}[]", type_of(column.column_type)));
        names.push(format!("c{number}"));
    }
    format!("unnest({}) AS {name} ({})", arrays.join(", "), names.join(", "))
}

fn list<'c>(
    columns: impl IntoIterator<Item = &'c ColumnInfo>,
    item: impl Fn(&ColumnInfo) -> String,
) -> String {
    let items: Vec<String> = columns.into_iter().map(item).collect();
    items.join(", ")
}

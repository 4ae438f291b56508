//! The SQL of a view: its table, and the statements that read and write its rows.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use cqrs_core::{ColumnInfo, ColumnType, Table, View};

use super::tables::quoted;

/// The statements of a view, each for several numbers of rows.
#[derive(Debug)]
pub(super) struct ViewSql {
    pub(super) load: Vec<Chunk>,
    pub(super) write: Vec<Chunk>,
    pub(super) delete: Vec<Chunk>,
}

/// A statement for so many rows.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) rows: usize,
    pub(super) sql: Arc<str>,
}

/// A number of rows is taken in parts of these sizes, so that a few prepared statements do for all numbers. Larger parts
/// than the first are hardly faster.
const SIZES: [usize; 4] = [512, 64, 8, 1];

/// The most parameters SQLite takes in a statement, as it is built.
const MOST_PARAMETERS: usize = 32_766;

impl ViewSql {
    /// The statements of a view, which are made once.
    pub(super) fn of<V: View>() -> Arc<Self> {
        static ALL: LazyLock<RwLock<HashMap<TypeId, Arc<ViewSql>>>> =
            LazyLock::new(RwLock::default);
        let id = TypeId::of::<V>();
        // Nobody panics while changing it, and what is in it is whole at any moment.
        if let Some(known) = ALL.read().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return known.clone();
        }
        let made = Arc::new(Self::new(&V::TABLE));
        ALL.write().unwrap_or_else(PoisonError::into_inner).entry(id).or_insert(made).clone()
    }

    fn new(table: &Table) -> Self {
        let name = quoted(table.name);
        let columns = names(table.columns);
        let key: Vec<&ColumnInfo> = table.key_columns().collect();
        let key_names = names(key.iter().copied());
        let is_key = |rows| match key.len() {
            1 => format!("{key_names} IN ({})", repeated("?", rows)),
            width => format!("({key_names}) IN (VALUES {})", repeated(&tuple(width), rows)),
        };
        let others: Vec<String> = table
            .columns
            .iter()
            .filter(|column| !key.iter().any(|key| key.name == column.name))
            .map(|column| format!("{0} = excluded.{0}", quoted(column.name)))
            .collect();
        let on_conflict = if others.is_empty() {
            "NOTHING".to_owned()
        } else {
            format!("UPDATE SET {}", others.join(", "))
        };
        let width = table.columns.len();
        Self {
            load: chunks(key.len(), |rows| {
                format!("SELECT {columns} FROM {name} WHERE {}", is_key(rows))
            }),
            delete: chunks(key.len(), |rows| format!("DELETE FROM {name} WHERE {}", is_key(rows))),
            write: chunks(width, |rows| {
                format!(
                    "INSERT INTO {name} ({columns}) VALUES {} ON CONFLICT ({key_names}) DO {on_conflict}",
                    repeated(&tuple(width), rows)
                )
            }),
        }
    }
}

/// The statements for all sizes that have no more parameters than a statement may have.
fn chunks(parameters: usize, sql: impl Fn(usize) -> String) -> Vec<Chunk> {
    let sizes = SIZES.into_iter().filter(|rows| rows * parameters <= MOST_PARAMETERS);
    sizes.map(|rows| Chunk { rows, sql: sql(rows).into() }).collect()
}

/// The SQL that makes the table of a view and its indexes.
pub(super) fn tables(table: &Table) -> String {
    let name = quoted(table.name);
    let key: Vec<&ColumnInfo> = table.key_columns().collect();
    let mut parts = Vec::with_capacity(table.columns.len() + 1);
    for column in table.columns {
        let is_key = key.iter().any(|key| key.name == column.name);
        let null = if column.nullable && !is_key { "" } else { " NOT NULL" };
        parts.push(format!("{} {}{null}", quoted(column.name), type_of(column)));
    }
    parts.push(format!("PRIMARY KEY ({})", names(key.iter().copied())));
    // Without numbers, the rows are in the index of the key itself.
    let options = if has_number(table, &key) { "STRICT" } else { "STRICT, WITHOUT ROWID" };
    let made = format!("CREATE TABLE {name} (\n    {}\n) {options};\n", parts.join(",\n    "));
    let indexes = table.indexes.iter().map(|numbers| {
        let columns: Vec<&ColumnInfo> = table.columns_at(numbers).collect();
        let parts = columns.iter().map(|column| column.name);
        let index: Vec<&str> = std::iter::once(table.name).chain(parts).collect();
        let (index, columns) = (quoted(&index.join("_")), names(columns.iter().copied()));
        format!("CREATE INDEX {index} ON {name} ({columns});\n")
    });
    std::iter::once(made).chain(indexes).collect()
}

/// Whether rows are best kept by number: the key is the number, or they are so long that a tree of them is a deep one.
fn has_number(table: &Table, key: &[&ColumnInfo]) -> bool {
    let is_number = matches!(key, [only] if type_of(only) == "INTEGER");
    is_number || table.columns.iter().any(|column| column.column_type == ColumnType::Json)
}

fn type_of(column: &ColumnInfo) -> &'static str {
    match column.column_type {
        ColumnType::Text | ColumnType::Uuid | ColumnType::Json => "TEXT",
        ColumnType::Integer | ColumnType::Boolean | ColumnType::Time => "INTEGER",
        ColumnType::Real => "REAL",
    }
}

fn names<'c>(columns: impl IntoIterator<Item = &'c ColumnInfo>) -> String {
    let names: Vec<String> = columns.into_iter().map(|column| quoted(column.name)).collect();
    names.join(", ")
}

fn tuple(width: usize) -> String {
    format!("({})", repeated("?", width))
}

fn repeated(what: &str, times: usize) -> String {
    vec![what; times].join(", ")
}

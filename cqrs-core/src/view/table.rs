//! The table of a view.

use super::ColumnType;

/// The table in which the rows of a view are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns, in the order of [`View::values`](super::View::values).
    pub columns: &'static [ColumnInfo],
    /// Which of the columns are the primary key, in its order.
    pub key: &'static [usize],
    /// Which columns have an index, in the order of each.
    pub indexes: &'static [&'static [usize]],
}

impl Table {
    /// The columns of the primary key, in its order.
    pub fn key_columns(&self) -> impl Iterator<Item = &'static ColumnInfo> {
        self.columns_at(self.key)
    }

    /// The columns with these numbers.
    pub fn columns_at(
        &self,
        numbers: &'static [usize],
    ) -> impl Iterator<Item = &'static ColumnInfo> {
        let columns = self.columns;
        numbers.iter().filter_map(move |number| columns.get(*number))
    }
}

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnInfo {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub column_type: ColumnType,
    /// Whether it may be null.
    pub nullable: bool,
}

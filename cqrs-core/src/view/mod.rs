//! Views: read models whose rows are folded from events, without SQL of the application.

mod column;
mod table;

use std::fmt;
use std::hash::Hash;

pub use self::column::{Column, ColumnError, ColumnType, Value};
#[doc(hidden)]
pub use self::column::{from_json_value, json_value};
pub use self::table::{ColumnInfo, Table};
use crate::event::Event;
use crate::projection::Received;
use crate::store::BoxError;

/// A row of a read model that is folded from events. Derive it.
///
/// The framework reads the rows that a batch of events touches in one query, folds the events, and writes what has
/// changed together with the checkpoint. The rows are in an ordinary table, to be queried with SQL.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a view",
    label = "not a view",
    note = "add `#[derive(Clone, View)]` and `#[view(key(…), events(…))]` to `{Self}`"
)]
pub trait View: Clone + Send + Sync + 'static {
    /// The name under which its checkpoint is kept. It never changes once there is one.
    const NAME: &'static str;

    /// Changes with the columns and with what is folded into them.
    const VERSION: u32;

    /// The table of its rows.
    const TABLE: Table;

    /// All events it wants: the one type listed in `events(…)`, or an enum generated over several.
    type Event: Event;

    /// What tells its rows apart.
    type Key: Clone + Ord + Hash + fmt::Debug + Send + Sync + 'static;

    /// The key of this row.
    fn key(&self) -> Self::Key;

    /// The rows an event touches, through the [`Fold`] implementation of its type.
    fn touched(event: &Self::Event, received: &Received<'_>) -> Vec<Self::Key>;

    /// Folds an event into a row, through the [`Fold`] implementation of its type.
    ///
    /// # Errors
    /// See [`Fold::fold`].
    fn fold(
        row: &mut Option<Self>,
        key: &Self::Key,
        event: &Self::Event,
        received: &Received<'_>,
    ) -> Result<(), BoxError>;

    /// The values of all columns, in the order of the table.
    ///
    /// # Errors
    /// When one can't be stored.
    fn values(&self) -> Result<Vec<Value<'_>>, ColumnError>;

    /// The row with these values, which are those of all columns, in the order of the table.
    ///
    /// # Errors
    /// When one is not what its column holds.
    fn from_values(values: Vec<Value<'_>>) -> Result<Self, ColumnError>;

    /// The values of the columns of the key, in its order.
    ///
    /// # Errors
    /// When one can't be stored.
    fn key_values(key: &Self::Key) -> Result<Vec<Value<'_>>, ColumnError>;
}

/// Folds events of a type into the rows of a view: pure functions of the row and the event.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not fold `{E}`",
    label = "`impl Fold<{E}> for {Self}` is missing",
    note = "`events(…)` lists `{E}`: write `impl Fold<{E}> for {Self}`, with the keys of the rows the event touches and \
            what it does to each"
)]
pub trait Fold<E>: View {
    /// The keys of the rows the event touches: one in an array, several, or `None`. A key that is named twice counts
    /// once.
    fn rows(event: &E, received: &Received<'_>) -> impl IntoIterator<Item = Self::Key>;

    /// Changes the row with this key by the event. It is `None` where there is no such row yet, and made `None` to delete
    /// it. A row keeps its key.
    ///
    /// # Errors
    /// What is returned here is tried again, and parks the stream of the event if it does not pass (G8).
    fn fold(
        row: &mut Option<Self>,
        key: &Self::Key,
        event: &E,
        received: &Received<'_>,
    ) -> Result<(), BoxError>;
}

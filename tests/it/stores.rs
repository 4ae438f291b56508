//! Stores whose calls wait for long before they give up, as a machine that has much else to do may stand still for seconds.

use std::path::Path;
use std::time::Duration;

use cqrs::{PostgresStore, SqliteStore};

/// Beyond anything that a call waits for where nothing is wrong.
const PATIENCE: Duration = Duration::from_mins(2);

/// The store in a file.
pub(crate) async fn sqlite(path: impl AsRef<Path>) -> SqliteStore {
    SqliteStore::options(path).busy_timeout(PATIENCE).open().await.unwrap()
}

/// The store in a database.
pub(crate) async fn postgres(url: &str) -> PostgresStore {
    let options = PostgresStore::options(url).acquire_timeout(PATIENCE).call_timeout(PATIENCE);
    options.connect().await.unwrap()
}

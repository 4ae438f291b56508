//! How much memory a process takes that does nothing but catch up.

use cqrs::BoxError;

use super::results::Memory;
use crate::bank::{Content, Log};
use crate::child::{self, Task};
use crate::console::Console;
use crate::database::Database;

#[expect(clippy::cast_precision_loss, reason = "there are not so many")]
pub(super) async fn measure<D: Database>(
    events: usize,
    payload_bytes: usize,
    console: &Console,
) -> Result<Memory, BoxError> {
    let log = Log { events, content: Content::Notes(payload_bytes) };
    console.says(format!("{}: storing {events} events of {payload_bytes} bytes", D::KIND));
    let database = D::create(log).await?;
    console.says(format!("{}: memory for {events} events of {payload_bytes} bytes", D::KIND));
    let (mut child, told) = child::start(&database, Task::CatchUp).await?;
    child.wait().await?;
    if database.balances("balances").await? != log.balances() {
        return Err("the rows of the other process are wrong".into());
    }
    Ok(Memory {
        store: D::KIND,
        events,
        payload_bytes,
        before_mib: told.before_kib as f64 / 1024.0,
        peak_mib: told.peak_kib as f64 / 1024.0,
        events_per_second: events as f64 / told.seconds,
    })
}

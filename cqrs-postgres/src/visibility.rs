//! How far the log is complete: the reader's half of the append fence (G5).
//!
//! # The problem
//! A transaction draws positions from a sequence when it inserts, and its events become visible when it commits.
//! Transactions commit in another order than they draw, so a reader that goes on after the highest position it has
//! seen skips the events of a transaction that drew earlier and commits later.
//!
//! # The protocol
//! Before a statement inserts, a trigger (`cqrs.before_append()`, see the first migration) takes the *fence*: an
//! advisory lock, shared and held until the transaction ends, whose key is the last position drawn at that time. Only
//! then does the statement draw positions.
//!
//! A reader does three things one after the other:
//!  1. it reads the position of the last event, `end`;
//!  2. it reads the lowest key among the fences held, `lowest`;
//!  3. it reads events up to `min(end, lowest)`, in a statement of its own that begins after 2.
//!
//! # Why nothing is skipped
//! Let `p <= min(end, lowest)` be a position, drawn by transaction T.
//!  * Since `p <= end` and the sequence only rises, T drew `p` before `end` was drawn, and so before 1. It took its
//!    fence, with a key `k`, before it drew, and the sequence stood at `k` or higher when `p` was drawn: `k < p`.
//!  * If T still held its fence at 2, `lowest <= k < p` would contradict `p <= lowest`. So T let go of the fence
//!    between taking it, which was before 1, and 2.
//!  * A transaction lets go of its locks only after its outcome shows: Postgres takes it off the list of running
//!    transactions first, then releases locks. A snapshot taken after 2 therefore sees the events of T, or T rolled
//!    back and there will never be any.
//!
//! So at 3 every position up to the bound is decided for good, which is what
//! [`LogPage::through`](cqrs_core::LogPage::through) promises; and what is decided stays decided, so that the bound
//! may be kept and used again.
//!
//! It stays decided also when the server crashes. The sequence writes a record to the log of the server once for 32
//! numbers, and nothing flushes that but a commit. So after a crash, positions that were rolled back may be drawn
//! again: but only those behind the last event, because its commit has flushed all records before it. That is why `end`
//! is that of the last event, and not what the sequence has given out: a reader that outlives a crash has passed nothing
//! that may still come.
//!
//! # What the proof rests on
//!  * 1 comes before 2, and 2 before the snapshot of 3. In one statement they would share a snapshot taken before
//!    either. 2 reads no snapshot but the state of the server, so it may share a transaction with 1.
//!  * An event is visible only after its commit is flushed. The trigger sees to that, whatever the session asks for.
//!  * The sequence gives single numbers to each session (`CACHE 1`), so that they are drawn in rising order.
//!  * The fence comes before the draw, for every way to insert: a trigger before the statement runs before the first
//!    row of the statement is made, the `nextval` in it included.
//!  * A prepared transaction keeps its locks, listed, until it is committed or rolled back, across a restart as well.
//!    Rolling back to a savepoint releases the fence together with the positions drawn since.
//!  * Locks are those of one server: a replica has none of the primary's. The log is read from the primary.
//!
//! Fences say nothing about transactions that don't insert events: those never hold a reader back. Fences are shared,
//! so writers never wait for each other. No transaction id is stored or compared, so positions keep their meaning in
//! a dump.

use std::time::Duration;

use cqrs_core::{Head, OpenAppend, Position};
use sqlx::Row;
use sqlx::postgres::PgRow;

/// Steps 1 and 2, sent as one message of two statements that run in this order.
pub(crate) const END_AND_FENCE: &str =
    concat!(include_str!("../sql/end_of_log.sql"), ";\n", include_str!("../sql/fence.sql"),);

/// The same with all fences, each with who holds it.
pub(crate) const END_AND_HOLDERS: &str = concat!(
    include_str!("../sql/ends_of_log.sql"),
    ";\n",
    include_str!("../sql/open_appends.sql"),
);

/// How far the log is complete, on the server that answers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    /// Every event up to here is visible to statements that begin from now on, and no further one will ever be.
    pub(crate) position: Position,
    /// Whether appends are under way: some end without a hint to readers.
    pub(crate) unsettled: bool,
    /// Whether the server is one where fences are taken; elsewhere the position means nothing.
    pub(crate) on_primary: bool,
}

impl Bound {
    /// The outcome of [`END_AND_FENCE`].
    pub(crate) fn of(rows: &[PgRow]) -> Result<Self, sqlx::Error> {
        let [end, fence] = rows else {
            return Err(sqlx::Error::RowNotFound);
        };
        let last: i64 = end.try_get::<Option<i64>, _>("last")?.unwrap_or(0);
        let lowest: Option<i64> = fence.try_get("lowest")?;
        let bound = lowest.map_or(last, |lowest| lowest.min(last));
        let bound = u64::try_from(bound).map_err(|error| sqlx::Error::Decode(error.into()))?;
        Ok(Self {
            position: Position::new(bound),
            unsettled: lowest.is_some(),
            on_primary: !end.try_get::<bool, _>("follows")?,
        })
    }
}

/// Where the log ends, on the server that answers.
pub(crate) struct Ends {
    pub(crate) head: Head,
    /// Whether the server is one where fences are taken; elsewhere the head means nothing.
    pub(crate) on_primary: bool,
}

impl Ends {
    /// The outcome of [`END_AND_HOLDERS`].
    pub(crate) fn of(rows: &[PgRow]) -> Result<Self, sqlx::Error> {
        let (end, fences) = rows.split_first().ok_or(sqlx::Error::RowNotFound)?;
        // As long as nothing is open, positions behind the last event are those of appends that were given up.
        let column = if fences.is_empty() { "last" } else { "drawn" };
        let last = position(end.try_get::<Option<i64>, _>(column)?.unwrap_or(0))?;
        let mut head = Head::decided(last);
        for fence in fences {
            let after = position(fence.try_get("after")?)?;
            // Others took their fence after the last position was drawn: nothing waits for them yet.
            if after < last {
                head.visible = head.visible.min(after);
                head.open_appends.push(open_append(fence, after)?);
            }
        }
        Ok(Self { head, on_primary: !end.try_get::<bool, _>("follows")? })
    }
}

fn position(number: i64) -> Result<Position, sqlx::Error> {
    let number = u64::try_from(number).map_err(|error| sqlx::Error::Decode(error.into()))?;
    Ok(Position::new(number))
}

/// Who holds a fence, as far as the server tells.
fn open_append(fence: &PgRow, after: Position) -> Result<OpenAppend, sqlx::Error> {
    let text = |column| fence.try_get::<Option<String>, _>(column);
    let mut session = match (text("gid")?, fence.try_get::<Option<i32>, _>("pid")?) {
        (Some(gid), _) => format!("prepared transaction `{gid}`"),
        (None, Some(pid)) => format!("process {pid}"),
        (None, None) => "a prepared transaction".to_owned(),
    };
    for (before, column) in [
        ("application", "application"),
        ("from", "address"),
        ("state", "state"),
        ("since", "since"),
    ] {
        if let Some(text) = text(column)? {
            session.extend([", ", before, " ", &text]);
        }
    }
    let seconds = fence.try_get::<Option<f64>, _>("seconds")?;
    let open_for = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    Ok(OpenAppend { after, session, open_for })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The proof needs the steps in this order and apart, and an end that a crash can't take back.
    #[test]
    fn g5_the_end_is_that_of_the_events_and_read_before_the_fences() {
        let statements: Vec<&str> = END_AND_FENCE.split(";\n").collect();
        let [end, fence] = statements[..] else { panic!("{END_AND_FENCE}") };
        assert!(end.contains("max(position)") && !end.contains("pg_locks"));
        assert!(fence.contains("pg_locks") && !fence.contains("position"));
        let statements: Vec<&str> = END_AND_HOLDERS.split(";\n").collect();
        assert!(statements.len() == 2 && !statements[1].contains("max(position)"));
        let trigger = include_str!("../migrations/0001_events_and_snapshots.sql");
        assert!(!trigger.contains("FROM cqrs.events_position_seq"));
    }
}

//! How far the log is complete (G5), and its order within a stream (G6), on PostgreSQL.
//!
//! | here | there |
//! |--|--|
//! | [`Act::Snapshot`] | the statement in `append.sql` or `append_many.sql` begins, and sees where its stream stands |
//! | [`Act::ReadSequence`], [`Act::TakeFence`] | the trigger `cqrs.before_append()` in the first migration |
//! | [`Act::Insert`] | a row draws its position, and then meets the unique constraint `events_stream_key` |
//! | [`Act::End`] | the outcome shows; a commit has flushed the log of the server before |
//! | [`Act::Release`] | locks are released, which the server does after the outcome shows |
//! | [`Look::End`], [`Look::Fences`] | `visibility.rs`, `END_AND_FENCE`: `end_of_log.sql`, then `fence.sql` |
//! | [`Look::Rows`] | `log.rs`, `Page::take`: `read_log.sql` up to the bound, in a snapshot of its own |
//! | [`Step::ReadsKnown`] | `log.rs`, `page`: `PostgresStore::complete_through` is read to before anything is asked |
//! | [`Step::ReaderRestarts`] | the process of the reader goes on from its checkpoint, and knows no bound |
//! | [`Step::ServerCrashes`] | what is not committed is gone, with its locks |
//!
//! The sequence is as `nextval` has it: it writes a record to the log of the server some numbers ahead, and a crash
//! lets it begin behind the last record that was flushed. A commit flushes the record; a rollback does not.

use crate::search::{Model, fails, holds};

/// How many numbers a record of the sequence is ahead; 32 on a server.
const AHEAD: u8 = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Snapshot,
    ReadSequence,
    TakeFence,
    /// Once for each event.
    Insert,
    End,
    Release,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// The position of the last event.
    End,
    /// The last position drawn.
    Sequence,
    Fences,
    /// The snapshot of the rows, where it is taken before they are read.
    Snapshot,
    Rows,
}

/// What a crash of the server makes of positions that were drawn, and not committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Crash {
    Never,
    /// They are not drawn again.
    KeepsSequence,
    /// They may be drawn again.
    MayLoseSequence,
}

#[derive(Debug, Clone, Copy)]
struct Protocol {
    /// The stream and the number of events of each append.
    writers: &'static [(u8, u8)],
    writer: &'static [Act],
    reader: &'static [Look],
    /// Whether what is read of the sequence is its record, ahead of the last number drawn, as its row shows for a moment.
    reads_record: bool,
    /// The events of a page.
    limit: usize,
    rollbacks: u8,
    restarts: u8,
    crash: Crash,
}

const WRITER: &[Act] =
    &[Act::Snapshot, Act::ReadSequence, Act::TakeFence, Act::Insert, Act::End, Act::Release];

const READER: &[Look] = &[Look::End, Look::Fences, Look::Rows];

const PROTOCOL: Protocol = Protocol {
    writers: &[(0, 2), (1, 1)],
    writer: WRITER,
    reader: READER,
    reads_record: false,
    limit: 10,
    rollbacks: 1,
    restarts: 0,
    crash: Crash::Never,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Row {
    position: u8,
    stream: u8,
    version: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Writer {
    next: usize,
    /// The version its stream had.
    version: u8,
    read: u8,
    fence: Option<u8>,
    rows: Vec<Row>,
    /// The last of its rows has yet to meet the constraint.
    is_checking: bool,
    has_ended: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Reader {
    next: usize,
    end: Option<u8>,
    lowest: Option<u8>,
    snapshot: Option<Vec<Row>>,
    /// The bound, kept in memory.
    known: u8,
    /// Its checkpoint.
    after: u8,
    seen: Vec<Row>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    /// The sequence, up to where the log of the server tells of it, and up to where that is flushed.
    drawn: u8,
    logged: u8,
    flushed: u8,
    /// The committed events.
    events: Vec<Row>,
    writers: Vec<Writer>,
    reader: Reader,
    rollbacks: u8,
    restarts: u8,
    crashes: u8,
}

#[derive(Debug, Clone, Copy)]
#[expect(dead_code, reason = "what is in a step is printed")]
enum Step {
    Writes(usize, Act),
    MeetsConstraint(usize),
    RollsBack(usize),
    Reads(Look),
    ReadsKnown,
    ReaderRestarts,
    ServerCrashes { drawn: u8 },
}

impl Writer {
    fn roll_back(&mut self) {
        self.rows.clear();
        (self.is_checking, self.has_ended) = (false, true);
    }
}

impl Protocol {
    fn sequence(&self, state: &State) -> u8 {
        if self.reads_record { state.logged } else { state.drawn }
    }

    fn write(&self, state: &State, index: usize) -> Option<(Step, State)> {
        let (stream, count) = self.writers[index];
        let mut next = state.clone();
        let writer = &mut next.writers[index];
        if writer.has_ended {
            // Only the fence is left of it.
            writer.fence.take()?;
            return Some((Step::Writes(index, Act::Release), next));
        }
        let act = *self.writer.get(writer.next)?;
        match act {
            Act::Snapshot => {
                let own = state.events.iter().filter(|row| row.stream == stream);
                writer.version = own.map(|row| row.version).max().unwrap_or(0);
            }
            Act::ReadSequence => writer.read = self.sequence(state),
            Act::TakeFence => writer.fence = Some(writer.read),
            Act::Insert if writer.is_checking => return self.check(state, index),
            Act::Insert => {
                next.drawn += 1;
                if next.drawn > next.logged {
                    next.logged = next.drawn + AHEAD;
                }
                let version = writer.version + 1 + u8::try_from(writer.rows.len()).unwrap();
                writer.rows.push(Row { position: next.drawn, stream, version });
                writer.is_checking = true;
            }
            Act::End => {
                next.events.append(&mut writer.rows);
                next.events.sort_by_key(|row| row.position);
                next.flushed = next.logged;
                writer.has_ended = true;
            }
            Act::Release => writer.fence = None,
        }
        let writer = &mut next.writers[index];
        if act != Act::Insert {
            writer.next += 1;
        }
        debug_assert!(writer.rows.len() <= usize::from(count));
        Some((Step::Writes(index, act), next))
    }

    /// A row meets the unique constraint: it waits for one that is not decided, and gives way to one that is committed.
    fn check(&self, state: &State, index: usize) -> Option<(Step, State)> {
        let own = *state.writers[index].rows.last()?;
        let same = |row: &Row| (row.stream, row.version) == (own.stream, own.version);
        let mut others = state.writers.iter().enumerate().filter(|(other, _)| *other != index);
        let in_the_way = |writer: &Writer| {
            let checked = writer.rows.len() - usize::from(writer.is_checking);
            writer.rows[..checked].iter().any(same)
        };
        if others.any(|(_, writer)| in_the_way(writer)) {
            return None;
        }
        let mut next = state.clone();
        let writer = &mut next.writers[index];
        if state.events.iter().any(same) {
            writer.roll_back();
        } else {
            writer.is_checking = false;
            if writer.rows.len() == usize::from(self.writers[index].1) {
                writer.next += 1;
            }
        }
        Some((Step::MeetsConstraint(index), next))
    }

    fn look(&self, state: &State) -> (Step, State) {
        let mut next = state.clone();
        let look = self.reader[state.reader.next];
        let reader = &mut next.reader;
        reader.next += 1;
        match look {
            Look::End => {
                let seen = reader.snapshot.as_ref().unwrap_or(&state.events);
                reader.end = Some(seen.iter().map(|row| row.position).max().unwrap_or(0));
            }
            Look::Sequence => reader.end = Some(self.sequence(state)),
            Look::Fences => {
                reader.lowest = state.writers.iter().filter_map(|writer| writer.fence).min();
            }
            Look::Snapshot => reader.snapshot = Some(state.events.clone()),
            Look::Rows => {
                let rows = reader.snapshot.take().unwrap_or_else(|| state.events.clone());
                let last = rows.iter().map(|row| row.position).max().unwrap_or(0);
                let bound = match (reader.end, reader.lowest) {
                    (Some(end), Some(lowest)) => end.min(lowest),
                    (Some(end), None) => end,
                    (None, _) => last,
                };
                reader.known = reader.known.max(bound);
                (reader.next, reader.end, reader.lowest) = (0, None, None);
                reader.take(rows, bound, self.limit);
            }
        }
        (Step::Reads(look), next)
    }

    fn faults(&self, state: &State) -> Vec<(Step, State)> {
        let mut faults = Vec::new();
        for index in 0..state.writers.len() {
            let writer = &state.writers[index];
            if state.rollbacks < self.rollbacks && writer.next > 0 && !writer.has_ended {
                let mut next = state.clone();
                next.rollbacks += 1;
                next.writers[index].roll_back();
                faults.push((Step::RollsBack(index), next));
            }
        }
        if state.restarts < self.restarts {
            let mut next = state.clone();
            next.restarts += 1;
            let Reader { after, seen, .. } = std::mem::take(&mut next.reader);
            next.reader = Reader { after, seen, ..Reader::default() };
            faults.push((Step::ReaderRestarts, next));
        }
        if self.crash != Crash::Never && state.crashes == 0 {
            let mut drawn = vec![state.logged];
            if self.crash == Crash::MayLoseSequence && state.flushed < state.logged {
                drawn.push(state.flushed);
            }
            for drawn in drawn {
                let mut next = state.clone();
                next.crashes += 1;
                (next.drawn, next.logged, next.flushed) = (drawn, drawn, drawn);
                for writer in next.writers.iter_mut().filter(|writer| writer.next > 0) {
                    writer.roll_back();
                    writer.fence = None;
                }
                // A statement that got no answer is sent again.
                (next.reader.next, next.reader.end, next.reader.lowest) = (0, None, None);
                next.reader.snapshot = None;
                faults.push((Step::ServerCrashes { drawn }, next));
            }
        }
        faults
    }
}

impl Reader {
    fn take(&mut self, mut rows: Vec<Row>, bound: u8, limit: usize) {
        rows.retain(|row| (self.after + 1..=bound).contains(&row.position));
        rows.truncate(limit);
        self.after = match rows.last() {
            Some(last) if rows.len() == limit => last.position,
            _ => self.after.max(bound),
        };
        self.seen.extend(rows);
    }
}

impl Model for Protocol {
    type State = State;
    type Step = Step;

    fn begin(&self) -> State {
        State {
            drawn: 0,
            logged: 0,
            flushed: 0,
            events: Vec::new(),
            writers: vec![Writer::default(); self.writers.len()],
            reader: Reader::default(),
            rollbacks: 0,
            restarts: 0,
            crashes: 0,
        }
    }

    fn next(&self, state: &State) -> Vec<(Step, State)> {
        let mut next = self.faults(state);
        next.extend((0..self.writers.len()).filter_map(|index| self.write(state, index)));
        if state.reader.next == 0 && state.reader.known > state.reader.after {
            let mut known = state.clone();
            known.reader.take(state.events.clone(), state.reader.known, self.limit);
            next.push((Step::ReadsKnown, known));
        }
        next.push(self.look(state));
        next
    }

    fn wrong(&self, state: &State) -> Option<String> {
        let Reader { after, seen, .. } = &state.reader;
        let passed: Vec<Row> =
            state.events.iter().filter(|row| row.position <= *after).copied().collect();
        if let Some(row) = passed.iter().find(|row| !seen.contains(row)) {
            return Some(format!("{row:?} is skipped"));
        }
        if *seen != passed {
            return Some("an event is seen twice, or out of order".to_owned());
        }
        for (stream, _) in self.writers {
            let own = state.events.iter().filter(|row| row.stream == *stream);
            if own.zip(1..).any(|(row, version)| row.version != version) {
                return Some(format!("stream {stream} is out of order in the log"));
            }
        }
        None
    }

    fn is_settled(&self, state: &State) -> bool {
        let is_over =
            |writer: &Writer| writer.has_ended && writer.fence.is_none() && writer.next > 0;
        let last = state.events.last().map_or(0, |row| row.position);
        let ends_at_events = self.reader.contains(&Look::End);
        let end = if ends_at_events { last } else { state.drawn };
        state.writers.iter().all(is_over)
            && state.reader.next == 0
            && state.reader.after >= end
            && state.reader.seen == state.events
    }
}

#[test]
fn g5_g6_no_event_is_skipped_repeated_or_out_of_order() {
    let short = Protocol { limit: 1, restarts: 1, ..PROTOCOL };
    holds("log, pages of one event, a reader that restarts", &short, 10_000);
    let same = Protocol { writers: &[(0, 2), (0, 1)], restarts: 1, ..PROTOCOL };
    holds("log, two appends to one stream", &same, 5_000);
    let three = Protocol { writers: &[(0, 2), (1, 1), (0, 1)], rollbacks: 0, ..PROTOCOL };
    holds("log, three appends", &three, 50_000);
    let crash = Protocol { crash: Crash::KeepsSequence, ..PROTOCOL };
    holds("log, a crash of the server", &crash, 10_000);
}

#[test]
fn g5_every_part_of_the_protocol_is_needed() {
    use Act::{End, Insert, ReadSequence, Release, TakeFence};
    let is_skipped = "is skipped";
    let writer = |writer| Protocol { writer, ..PROTOCOL };
    let reader = |reader| Protocol { reader, ..PROTOCOL };
    let no_fence: &[Act] = &[Act::Snapshot, Insert, End];
    fails("a bare sequence", &Protocol { reader: &[Look::Rows], ..writer(no_fence) }, is_skipped);
    fails("no fence", &writer(no_fence), is_skipped);
    let after: &[Act] = &[Act::Snapshot, Insert, ReadSequence, TakeFence, End, Release];
    fails("the fence after the positions", &writer(after), is_skipped);
    let early: &[Act] = &[Act::Snapshot, ReadSequence, TakeFence, Insert, Release, End];
    fails("the fence released before the outcome shows", &writer(early), is_skipped);
    let one_snapshot: &[Look] = &[Look::Snapshot, Look::End, Look::Fences, Look::Rows];
    fails("bound and rows in one statement", &reader(one_snapshot), is_skipped);
    let fences_first: &[Look] = &[Look::Fences, Look::End, Look::Rows];
    fails("fences before the end", &reader(fences_first), is_skipped);
    let drawn: &[Look] = &[Look::Sequence, Look::Fences, Look::Rows];
    fails(
        "a sequence that runs ahead",
        &Protocol { reads_record: true, ..reader(drawn) },
        is_skipped,
    );
    fails("no look at the fences", &reader(&[Look::End, Look::Rows]), is_skipped);
}

/// A reader that outlives the server has passed positions that nobody was to have any more.
#[test]
fn g5_a_bound_beyond_the_last_event_does_not_outlive_a_crash() {
    let safe = Protocol { crash: Crash::MayLoseSequence, ..PROTOCOL };
    let drawn: &[Look] = &[Look::Sequence, Look::Fences, Look::Rows];
    let lost = Protocol { reader: drawn, ..safe };
    fails("a bound at positions that were rolled back", &lost, "is skipped");
    holds("log, a crash of the server that takes back positions", &safe, 10_000);
}

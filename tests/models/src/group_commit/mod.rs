//! Appends that share commits, and connections that are lost (G2, G3, G4, G14).
//!
//! | here | there |
//! |--|--|
//! | [`Step::Arrives`] | `store/gather/mod.rs`, `carry_out`: by itself if nothing is under way, else queued |
//! | [`State::pass_on`] | the same, `Turn::drop` and `Shared::next`: the next batch, one append to a stream |
//! | [`Task::Together`] | `group.rs`, `together`: `append_many.sql` |
//! | [`Task::Each`] | `group.rs`, `alone`, and `one`: `append.rs`, `append`, again and again until it knows |
//! | [`Step::Looks`], [`Step::Stores`] | the statement takes its snapshot; it meets the unique constraints and commits |
//! | [`Reply`] | `append.rs`, `judge` and `explain` |
//! | [`Step::LosesConnection`] | `Failure::Lost`: the statement may still be under way, see [`Ghost`] |
//! | [`Step::GivesUp`] | `append.rs`, `reconnect`: the outcome stays unknown |
//! | [`Step::Cancels`] | the caller drops its future |
//!
//! Statements that race at a constraint are in [`versions`](crate::versions): here, a statement whose stream has moved
//! since its snapshot is refused by the constraint. On SQLite nothing is between snapshot and commit, and no connection
//! is lost.

mod server;
mod tests;
mod work;

use crate::search::Model;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Expected {
    Any,
    Exact(u8),
}

/// An append of one event, whose id is the number of the append.
#[derive(Debug, Clone, Copy)]
struct Append {
    stream: usize,
    expected: Expected,
    /// The database refuses every statement it is in.
    is_refused: bool,
}

const fn append(stream: usize, expected: Expected) -> Append {
    Append { stream, expected, is_refused: false }
}

/// What is wrong with a variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    /// Events have no ids that are looked for and unique.
    NoIds,
    /// Where a batch fails, all of it does.
    OneFailsAll,
    /// An append whose connection is lost has failed.
    LostIsFailed,
    /// Whoever is dropped takes the turn with it.
    DropsTurn,
    /// What nobody waits for any more is stored all the same.
    StoresTheGone,
    /// Those that are passed over in favour of other streams go to the end of the queue.
    PassedGoLast,
    /// A commit does not wait for the disk.
    DoesNotFlush,
}

#[derive(Debug, Clone, Copy)]
struct Protocol {
    appends: &'static [Append],
    /// Round trips under way at the same time.
    in_flight: usize,
    flaw: Flaw,
    /// Whether a conflict that others may still end is an unknown outcome, after a statement was lost.
    doubts_conflicts: bool,
    /// Appends of another program to stream 0.
    rivals: u8,
    losses: u8,
    cancels: u8,
    crashes: u8,
}

const STREAMS: usize = 2;

/// Where the streams stand.
type Versions = [u8; STREAMS];

const PROTOCOL: Protocol = Protocol {
    appends: &[
        append(0, Expected::Exact(0)),
        append(1, Expected::Any),
        Append { stream: 1, expected: Expected::Any, is_refused: true },
    ],
    in_flight: 1,
    flaw: Flaw::None,
    doubts_conflicts: false,
    rivals: 0,
    losses: 0,
    cancels: 0,
    crashes: 0,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Row {
    stream: usize,
    version: u8,
    /// Nobody's, if it is of another program.
    id: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Told {
    Stored(u8),
    Conflict,
    Failed,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Caller {
    ToCome,
    Waits,
    Knows(Told),
    /// Went away while its append was in the queue, or later.
    GoneEarly,
    Gone,
}

/// What a statement has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Wire<R> {
    Sent,
    Looked(Versions),
    Answered(R),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Reply {
    Stored(u8),
    /// The stream is at this version.
    Conflict(u8),
    Raced,
    Failed,
}

/// The version of each append that was stored, or nothing of the batch at all.
type BatchReply = Option<Vec<Option<u8>>>;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Try {
    append: usize,
    /// An attempt was sent whose outcome is not known.
    is_lost: bool,
    wire: Wire<Reply>,
}

/// Who has a turn.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Task {
    /// A batch in one statement.
    Together(Vec<usize>, Wire<BatchReply>),
    /// Each by itself; by itself in the future of its caller, if it is one that found nothing under way.
    Each { tries: Vec<Try>, is_callers: bool },
}

/// A statement on a connection that was given up. The server may still carry it out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Ghost {
    appends: Vec<usize>,
    is_batch: bool,
    looked: Option<Versions>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    log: Vec<Row>,
    /// So much of it survives a crash.
    flushed: usize,
    callers: Vec<Caller>,
    /// In order of arrival.
    arrived: Vec<usize>,
    queue: Vec<usize>,
    tasks: Vec<Task>,
    /// Turns that nobody will ever pass on.
    forgotten: usize,
    ghosts: Vec<Ghost>,
    rivals: u8,
    losses: u8,
    cancels: u8,
    crashes: u8,
}

#[derive(Debug, Clone, Copy)]
#[expect(dead_code, reason = "what is in a step is printed")]
enum Step {
    Arrives(usize),
    Cancels(usize),
    RivalAppends,
    Looks { task: usize },
    Stores { task: usize },
    Hears { task: usize },
    LosesConnection { task: usize },
    GivesUp { append: usize },
    GhostGoesOn(usize),
    GhostVanishes(usize),
    ServerCrashes,
}

impl Try {
    fn first(append: usize) -> Self {
        Self { append, is_lost: false, wire: Wire::Sent }
    }
}

impl State {
    fn version(&self, stream: usize) -> u8 {
        u8::try_from(self.log.iter().filter(|row| row.stream == stream).count()).unwrap()
    }

    fn versions(&self) -> Versions {
        std::array::from_fn(|stream| self.version(stream))
    }

    fn row(&self, append: usize) -> Option<&Row> {
        self.log.iter().find(|row| row.id == Some(append))
    }

    fn push(&mut self, stream: usize, id: Option<usize>, flaw: Flaw) -> u8 {
        let version = self.version(stream) + 1;
        self.log.push(Row { stream, version, id });
        if flaw != Flaw::DoesNotFlush {
            self.flushed = self.log.len();
        }
        version
    }

    fn tell(&mut self, append: usize, told: Told) {
        if self.callers[append] == Caller::Waits {
            self.callers[append] = Caller::Knows(told);
        }
    }

    /// Whoever has a turn is done: the next batch.
    fn pass_on(&mut self, protocol: &Protocol) {
        let (mut batch, mut passed) = (Vec::new(), Vec::new());
        for append in std::mem::take(&mut self.queue) {
            let stream = protocol.appends[append].stream;
            let is_gone = self.callers[append] != Caller::Waits;
            if is_gone && protocol.flaw != Flaw::StoresTheGone {
                continue;
            }
            if batch.iter().any(|other: &usize| protocol.appends[*other].stream == stream) {
                passed.push(append);
            } else {
                batch.push(append);
            }
        }
        if protocol.flaw == Flaw::PassedGoLast {
            passed.reverse();
        }
        self.queue = passed;
        match batch[..] {
            [] => {}
            [append] => {
                self.tasks.push(Task::Each { tries: vec![Try::first(append)], is_callers: false });
            }
            _ => {
                batch.sort_by_key(|append| protocol.appends[*append].stream);
                self.tasks.push(Task::Together(batch, Wire::Sent));
            }
        }
    }

    /// A task goes on with other tries; with none left, it is over.
    fn go_on(&mut self, protocol: &Protocol, task: usize, tries: Vec<Try>, is_callers: bool) {
        if tries.is_empty() {
            self.tasks.remove(task);
            self.pass_on(protocol);
        } else {
            self.tasks[task] = Task::Each { tries, is_callers };
        }
    }
}

impl Model for Protocol {
    type State = State;
    type Step = Step;

    fn begin(&self) -> State {
        State {
            log: Vec::new(),
            flushed: 0,
            callers: vec![Caller::ToCome; self.appends.len()],
            arrived: Vec::new(),
            queue: Vec::new(),
            tasks: Vec::new(),
            forgotten: 0,
            ghosts: Vec::new(),
            rivals: 0,
            losses: 0,
            cancels: 0,
            crashes: 0,
        }
    }

    fn next(&self, state: &State) -> Vec<(Step, State)> {
        let mut steps = self.faults(state);
        for append in 0..self.appends.len() {
            if state.callers[append] == Caller::ToCome {
                let mut next = state.clone();
                next.callers[append] = Caller::Waits;
                next.arrived.push(append);
                let is_free = state.tasks.len() + state.forgotten < self.in_flight;
                if is_free && state.queue.is_empty() {
                    let tries = vec![Try::first(append)];
                    next.tasks.push(Task::Each { tries, is_callers: true });
                } else {
                    next.queue.push(append);
                    if is_free {
                        next.pass_on(self);
                    }
                }
                steps.push((Step::Arrives(append), next));
            }
        }
        if state.rivals < self.rivals {
            let mut next = state.clone();
            next.rivals += 1;
            next.push(0, None, self.flaw);
            steps.push((Step::RivalAppends, next));
        }
        steps.extend((0..state.tasks.len()).flat_map(|task| self.work(state, task)));
        steps
    }

    fn wrong(&self, state: &State) -> Option<String> {
        for (append, caller) in state.callers.iter().enumerate() {
            let Append { expected, is_refused, .. } = self.appends[append];
            let mut rows = state.log.iter().filter(|row| row.id == Some(append));
            let (stored, again) = (rows.next(), rows.next());
            let wrong = match caller {
                _ if again.is_some() => "is stored twice",
                Caller::GoneEarly if stored.is_some() => "is stored after nobody waited for it",
                Caller::Knows(Told::Stored(version))
                    if stored.is_none_or(|row| row.version != *version) =>
                {
                    "is not where it was said to be stored"
                }
                Caller::Knows(Told::Conflict | Told::Failed) if stored.is_some() => {
                    "is stored, and it was said not to be"
                }
                Caller::Knows(Told::Conflict) if expected == Expected::Any => "met no conflict",
                Caller::Knows(Told::Failed) if !is_refused && self.flaw != Flaw::LostIsFailed => {
                    "failed because of another"
                }
                Caller::Knows(Told::Unknown) if state.losses == 0 => "is unknown for no reason",
                _ => continue,
            };
            return Some(format!("append {append} {wrong}"));
        }
        let in_order = |one: usize, other: usize| match (state.row(one), state.row(other)) {
            (Some(one), Some(other)) => one.stream != other.stream || one.version < other.version,
            _ => true,
        };
        let mut pairs = state.arrived.iter().zip(1..).flat_map(|(one, behind)| {
            state.arrived[behind..].iter().map(move |other| (*one, *other))
        });
        let has_order = self.in_flight == 1 && state.losses + state.cancels == 0;
        if has_order && pairs.any(|(one, other)| !in_order(one, other)) {
            return Some("appends to one stream are out of order".to_owned());
        }
        None
    }

    fn is_settled(&self, state: &State) -> bool {
        let is_over = |caller: &Caller| !matches!(caller, Caller::ToCome | Caller::Waits);
        state.callers.iter().all(is_over) && state.queue.is_empty() && state.tasks.is_empty()
    }
}

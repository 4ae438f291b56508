//! Workers who share a projection (G7): leases, checkpoints, and the rows that belong to them.
//!
//! One slot, two workers. An event counts in a row; the rows are right when each event up to the checkpoint has counted
//! once, and none beyond it.
//!
//! | here | there |
//! |--|--|
//! | [`Step::Settles`] | `runner/share.rs`, `settle`: `cqrs.share` in the second migration, `model/share.rs` on SQLite |
//! | [`Step::Reads`] | `runner/worker.rs`, `turn`; an event that is not wanted only moves the position in memory |
//! | [`Step::Writes`] | `runner/batch.rs`, `in_transaction`: begins, and writes rows nobody else sees |
//! | [`Step::Prolongs`] | `runner/batch.rs`, `keep`: `prolong.sql` |
//! | [`Step::MovesCheckpoint`] | `model/transaction.rs`, `commit`: `move_checkpoints.sql` compares the lease and locks the checkpoint |
//! | [`Step::Commits`] | the same, `transaction.commit()`, which does not wait for the disk |
//! | [`Step::Hears`], [`Step::HearsNothing`] | its answer arrives, or the outcome is unknown and the leases are forgotten |
//! | [`Step::Leaves`] | `leave.sql` |
//! | [`Step::RunsOut`] | `until <= moment`: at any moment, as a worker may be frozen for any time |
//! | [`Step::WorkerCrashes`] | its transaction is rolled back; it comes back as another member |
//! | [`Step::ServerCrashes`] | transactions are rolled back, and the last commits may be lost |

mod work;

use crate::search::{Model, fails, holds};

/// Which events are wanted, by position.
const WANTED: [bool; 3] = [true, false, true];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fence {
    /// By the statement that moves the checkpoint, which locks it.
    InTheCommit,
    /// In a statement before the rows are written.
    BeforeTheRows,
    Nowhere,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    /// Higher than any before: the clock is in it.
    New,
    /// One more than the one that is stored.
    Next,
    /// The same for every owner.
    Same,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Together {
    RowsAndCheckpoint,
    RowsFirst,
    CheckpointFirst,
}

#[derive(Debug, Clone, Copy)]
struct Protocol {
    fence: Fence,
    token: Token,
    together: Together,
    /// Whether a lease counts the commits that its owner knows of.
    counts_commits: bool,
    /// How often the lease of a worker at work may run out, and how many answers may be lost.
    run_outs: u8,
    lost_answers: u8,
    worker_crashes: u8,
    server_crashes: u8,
    leaves: u8,
}

const PROTOCOL: Protocol = Protocol {
    fence: Fence::InTheCommit,
    token: Token::New,
    together: Together::RowsAndCheckpoint,
    counts_commits: true,
    run_outs: 2,
    lost_answers: 0,
    worker_crashes: 0,
    server_crashes: 0,
    leaves: 0,
};

/// A worker, and which of its processes, from 0.
type Member = (usize, u8);

/// What is in the database.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Database {
    /// How often each event has counted.
    rows: [u8; WANTED.len()],
    position: usize,
    token: u8,
    commits: u8,
    owner: Option<Member>,
    /// The time of the owner is over.
    has_run_out: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Lease {
    token: u8,
    commits: u8,
    position: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Phase {
    Idle,
    Holds(Lease),
    /// The next event.
    Read(Lease),
    /// In a transaction, with rows.
    Written(Lease),
    /// The same, with a lock on the checkpoint.
    Moved(Lease),
    /// The first of two transactions is committed, where rows and checkpoint are not together.
    Half(Lease),
    /// Committed; it has not heard of it.
    Committed(Lease),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Used {
    run_outs: u8,
    lost_answers: u8,
    worker_crashes: u8,
    server_crashes: u8,
    leaves: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    database: Database,
    /// As it was before its last commits, which a crash may undo.
    before: Vec<Database>,
    /// The highest token that was ever given.
    given: u8,
    phases: [Phase; 2],
    lives: [u8; 2],
    used: Used,
}

#[derive(Debug, Clone, Copy)]
#[expect(dead_code, reason = "what is in a step is printed")]
enum Step {
    Settles(usize),
    Reads(usize),
    Writes(usize),
    Prolongs(usize),
    MovesCheckpoint(usize),
    Commits(usize),
    Hears(usize),
    HearsNothing(usize),
    Leaves(usize),
    RunsOut,
    WorkerCrashes(usize),
    ServerCrashes { lost_commits: usize },
}

impl State {
    fn member(&self, worker: usize) -> Member {
        (worker, self.lives[worker])
    }

    /// Commits that a crash may still undo.
    fn commit(&mut self, change: impl FnOnce(&mut Database)) {
        const UNDONE: usize = 2;
        let before = self.database.clone();
        change(&mut self.database);
        if self.database != before {
            self.before.push(before);
            if self.before.len() > UNDONE {
                self.before.remove(0);
            }
        }
    }

    /// Whether the owner still works under the lease of the database.
    fn is_at_work(&self) -> bool {
        self.database.owner.is_some_and(|(worker, life)| {
            self.lives[worker] == life && self.phases[worker] != Phase::Idle
        })
    }
}

impl Protocol {
    fn faults(&self, state: &State) -> Vec<(Step, State)> {
        let mut faults = Vec::new();
        let Database { owner, has_run_out, .. } = state.database;
        let is_at_work = state.is_at_work();
        if owner.is_some() && !has_run_out && (!is_at_work || state.used.run_outs < self.run_outs) {
            let mut next = state.clone();
            next.used.run_outs += u8::from(is_at_work);
            next.database.has_run_out = true;
            faults.push((Step::RunsOut, next));
        }
        if state.used.worker_crashes < self.worker_crashes {
            for worker in 0..state.phases.len() {
                let mut next = state.clone();
                next.used.worker_crashes += 1;
                next.lives[worker] += 1;
                next.phases[worker] = Phase::Idle;
                faults.push((Step::WorkerCrashes(worker), next));
            }
        }
        if state.used.server_crashes < self.server_crashes {
            for lost_commits in 0..=state.before.len() {
                let mut next = state.clone();
                next.used.server_crashes += 1;
                for _ in 0..lost_commits {
                    next.database = next.before.pop().unwrap();
                }
                next.before.clear();
                for phase in &mut next.phases {
                    if matches!(phase, Phase::Written(_) | Phase::Moved(_) | Phase::Half(_)) {
                        *phase = Phase::Idle;
                    }
                }
                faults.push((Step::ServerCrashes { lost_commits }, next));
            }
        }
        faults
    }
}

impl Model for Protocol {
    type State = State;
    type Step = Step;

    fn begin(&self) -> State {
        State {
            database: Database::default(),
            before: Vec::new(),
            given: 0,
            phases: [Phase::Idle; 2],
            lives: [0; 2],
            used: Used::default(),
        }
    }

    fn next(&self, state: &State) -> Vec<(Step, State)> {
        let mut next = self.faults(state);
        next.extend((0..state.phases.len()).flat_map(|worker| self.work(state, worker)));
        if self.server_crashes == state.used.server_crashes {
            // Nothing looks back any more.
            for (_, state) in &mut next {
                state.before.clear();
            }
        }
        next
    }

    fn wrong(&self, state: &State) -> Option<String> {
        let Database { rows, position, .. } = &state.database;
        for (at, (count, wanted)) in rows.iter().zip(WANTED).enumerate() {
            let right = u8::from(wanted && at < *position);
            let may_come = match self.together {
                Together::RowsAndCheckpoint => false,
                // Counted, and not passed yet; or the other way round, by one who is at it.
                Together::RowsFirst => *count == 1,
                Together::CheckpointFirst => {
                    *count == 0 && state.phases.iter().any(|phase| matches!(phase, Phase::Half(_)))
                }
            };
            if *count != right && !may_come {
                return Some(format!("event {} has counted {count} times, not {right}", at + 1));
            }
        }
        None
    }

    fn is_settled(&self, state: &State) -> bool {
        state.database.position == WANTED.len()
    }
}

#[test]
fn g7_every_event_counts_once_whoever_is_frozen_or_crashes() {
    let frozen = Protocol { run_outs: 3, leaves: 1, ..PROTOCOL };
    holds("leases that run out at any moment", &frozen, 1_000);
    let crashes = Protocol { run_outs: 1, worker_crashes: 2, lost_answers: 1, ..PROTOCOL };
    holds("leases, workers that crash", &crashes, 1_000);
    let server = Protocol { run_outs: 1, lost_answers: 1, server_crashes: 1, ..PROTOCOL };
    holds("leases, a server that loses its last commits", &server, 1_000);
    let all = Protocol { run_outs: 1, worker_crashes: 1, leaves: 1, ..server };
    holds("leases, all of that", &all, 10_000);
}

#[test]
fn g7_every_part_of_a_lease_is_needed() {
    let fence = |fence| Protocol { fence, ..PROTOCOL };
    fails("no fencing token", &fence(Fence::Nowhere), "counted 2 times");
    fails("a fencing token before the rows", &fence(Fence::BeforeTheRows), "counted 2 times");
    let same = Protocol { token: Token::Same, ..PROTOCOL };
    fails("the same token for every owner", &same, "counted 2 times");
    let apart = |together| Protocol { together, worker_crashes: 1, ..PROTOCOL };
    fails("rows, then the checkpoint", &apart(Together::RowsFirst), "counted 2 times");
    fails("the checkpoint, then rows", &apart(Together::CheckpointFirst), "counted 0 times");
    let server = Protocol { server_crashes: 1, ..PROTOCOL };
    let uncounted = Protocol { counts_commits: false, ..server };
    fails("no count of commits", &uncounted, "counted 0 times");
    let next = Protocol { token: Token::Next, ..server };
    fails("a token that is given again after a crash", &next, "counted");
}

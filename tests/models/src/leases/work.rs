//! What the workers do.

use super::{Database, Fence, Lease, Phase, Protocol, State, Step, Together, Token, WANTED};

impl Protocol {
    fn is_in_force(&self, database: &Database, lease: &Lease) -> bool {
        database.token == lease.token
            && (!self.counts_commits || database.commits >= lease.commits)
            && database.owner.is_some()
    }

    fn settle(&self, state: &State, worker: usize, held: Option<Lease>) -> Option<State> {
        let me = state.member(worker);
        let database = &state.database;
        let is_locked = state.phases.iter().any(|phase| matches!(phase, Phase::Moved(_)));
        let may_change = database.owner.is_none_or(|owner| owner == me) || database.has_run_out;
        if is_locked && may_change {
            return None;
        }
        let mut next = state.clone();
        let mut given = state.given;
        next.commit(|database| {
            if database.owner == Some(me) {
                let known = held.filter(|held| {
                    held.token == database.token
                        && (!self.counts_commits || held.commits <= database.commits)
                });
                match known {
                    Some(held) => {
                        database.has_run_out = false;
                        database.position = database.position.max(held.position);
                    }
                    None => database.owner = None,
                }
            }
            if database.owner.is_none() || database.has_run_out {
                database.token = match self.token {
                    Token::New => given + 1,
                    Token::Next => database.token + 1,
                    Token::Same => 1,
                };
                given = given.max(database.token);
                (database.owner, database.has_run_out) = (Some(me), false);
            }
        });
        next.given = given;
        let Database { token, commits, position, owner, .. } = next.database;
        next.phases[worker] = if owner == Some(me) {
            Phase::Holds(Lease { token, commits, position })
        } else {
            Phase::Idle
        };
        Some(next)
    }

    /// What a worker does.
    pub(super) fn work(&self, state: &State, worker: usize) -> Vec<(Step, State)> {
        let mut steps = Vec::new();
        let to = |phase: Phase| {
            let mut next = state.clone();
            next.phases[worker] = phase;
            next
        };
        match state.phases[worker] {
            Phase::Idle => {
                let settled = self.settle(state, worker, None);
                steps.extend(settled.map(|next| (Step::Settles(worker), next)));
            }
            Phase::Holds(lease) => {
                let settled = self.settle(state, worker, Some(lease));
                steps.extend(settled.map(|next| (Step::Settles(worker), next)));
                match WANTED.get(lease.position) {
                    Some(true) => steps.push((Step::Reads(worker), to(Phase::Read(lease)))),
                    Some(false) => {
                        let passed = Lease { position: lease.position + 1, ..lease };
                        steps.push((Step::Reads(worker), to(Phase::Holds(passed))));
                    }
                    None => {}
                }
                if state.used.leaves < self.leaves {
                    steps.extend(self.leave(state, worker, lease));
                }
            }
            Phase::Read(lease) => {
                let may =
                    self.fence != Fence::BeforeTheRows || self.is_in_force(&state.database, &lease);
                let phase = if may { Phase::Written(lease) } else { Phase::Idle };
                steps.push((Step::Writes(worker), to(phase)));
            }
            Phase::Written(lease) => {
                steps.extend(self.prolong(state, worker, lease));
                steps.extend(self.move_checkpoint(state, worker, lease));
            }
            Phase::Moved(lease) | Phase::Half(lease) => {
                steps.push((Step::Commits(worker), self.commit(state, worker, lease)));
            }
            Phase::Committed(lease) => {
                let commits = lease.commits + 1;
                let lease = Lease { commits, position: lease.position + 1, ..lease };
                steps.push((Step::Hears(worker), to(Phase::Holds(lease))));
                if state.used.lost_answers < self.lost_answers {
                    let mut next = to(Phase::Idle);
                    next.used.lost_answers += 1;
                    steps.push((Step::HearsNothing(worker), next));
                }
            }
        }
        steps
    }

    fn leave(&self, state: &State, worker: usize, held: Lease) -> Option<(Step, State)> {
        let me = state.member(worker);
        if state.database.owner == Some(me)
            && state.phases.iter().any(|phase| matches!(phase, Phase::Moved(_)))
        {
            return None;
        }
        let mut next = state.clone();
        next.used.leaves += 1;
        next.phases[worker] = Phase::Idle;
        next.commit(|database| {
            if database.owner != Some(me) {
                return;
            }
            let knows = !self.counts_commits || held.commits <= database.commits;
            if held.token == database.token && knows {
                database.position = database.position.max(held.position);
            }
            (database.owner, database.has_run_out) = (None, false);
        });
        Some((Step::Leaves(worker), next))
    }

    fn prolong(&self, state: &State, worker: usize, lease: Lease) -> Option<(Step, State)> {
        if state.phases.iter().any(|phase| matches!(phase, Phase::Moved(_))) {
            return None;
        }
        let mut next = state.clone();
        if self.is_in_force(&state.database, &lease) {
            next.commit(|database| database.has_run_out = false);
        } else if self.fence == Fence::InTheCommit {
            next.phases[worker] = Phase::Idle;
        }
        Some((Step::Prolongs(worker), next))
    }

    fn move_checkpoint(&self, state: &State, worker: usize, lease: Lease) -> Option<(Step, State)> {
        // Two of them wait for each other at the row of the checkpoint.
        if state.phases.iter().any(|phase| matches!(phase, Phase::Moved(_))) {
            return None;
        }
        let is_in_force =
            self.fence != Fence::InTheCommit || self.is_in_force(&state.database, &lease);
        let mut next = state.clone();
        next.phases[worker] = if is_in_force { Phase::Moved(lease) } else { Phase::Idle };
        Some((Step::MovesCheckpoint(worker), next))
    }

    fn commit(&self, state: &State, worker: usize, lease: Lease) -> State {
        let mut next = state.clone();
        let is_first = matches!(state.phases[worker], Phase::Moved(_));
        let (rows, checkpoint) = match self.together {
            Together::RowsAndCheckpoint => (true, true),
            Together::RowsFirst => (is_first, !is_first),
            Together::CheckpointFirst => (!is_first, is_first),
        };
        next.commit(|database| {
            if rows {
                database.rows[lease.position] += 1;
            }
            if checkpoint {
                database.position = database.position.max(lease.position + 1);
                database.commits += 1;
                database.has_run_out = false;
            }
        });
        next.phases[worker] = if rows && checkpoint || !is_first {
            Phase::Committed(lease)
        } else {
            Phase::Half(lease)
        };
        next
    }
}

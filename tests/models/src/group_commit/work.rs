//! What comes of the statements of those who have a turn.

use super::{
    BatchReply, Caller, Expected, Flaw, Ghost, Protocol, Reply, State, Step, Task, Told, Try, Wire,
};

impl Protocol {
    fn hear_one(&self, state: &mut State, task: usize, at: usize, reply: Reply) {
        let Task::Each { mut tries, is_callers } = state.tasks[task].clone() else { return };
        let Try { append, is_lost, .. } = tries[at];
        let may_still_be_met = |actual: u8| match self.appends[append].expected {
            Expected::Any => true,
            Expected::Exact(version) => actual < version,
        };
        let told = match reply {
            Reply::Stored(version) => Told::Stored(version),
            Reply::Conflict(actual)
                if is_lost && self.doubts_conflicts && may_still_be_met(actual) =>
            {
                Told::Unknown
            }
            Reply::Conflict(_) => Told::Conflict,
            Reply::Failed if is_lost => Told::Unknown,
            Reply::Failed => Told::Failed,
            Reply::Raced => {
                tries[at].wire = Wire::Sent;
                state.tasks[task] = Task::Each { tries, is_callers };
                return;
            }
        };
        state.tell(append, told);
        tries.remove(at);
        state.go_on(self, task, tries, is_callers);
    }

    fn hear_many(&self, state: &mut State, task: usize, appends: &[usize], reply: BatchReply) {
        let stored = match reply {
            Some(stored) => stored,
            None if self.flaw == Flaw::OneFailsAll => {
                for append in appends {
                    state.tell(*append, Told::Failed);
                }
                return state.go_on(self, task, Vec::new(), false);
            }
            None => vec![None; appends.len()],
        };
        let mut refused = Vec::new();
        for (append, stored) in appends.iter().zip(stored) {
            match stored {
                Some(version) => state.tell(*append, Told::Stored(version)),
                None => refused.push(Try::first(*append)),
            }
        }
        state.go_on(self, task, refused, false);
    }

    /// What comes of the statements of a task.
    pub(super) fn work(&self, state: &State, task: usize) -> Vec<(Step, State)> {
        let mut steps = Vec::new();
        match &state.tasks[task] {
            Task::Together(appends, wire) => {
                let mut next = state.clone();
                match wire {
                    Wire::Sent => {
                        next.tasks[task] =
                            Task::Together(appends.clone(), Wire::Looked(state.versions()));
                        steps.push((Step::Looks { task }, next));
                    }
                    Wire::Looked(looked) => {
                        let reply = self.store_many(&mut next, appends, *looked);
                        next.tasks[task] = Task::Together(appends.clone(), Wire::Answered(reply));
                        steps.push((Step::Stores { task }, next));
                    }
                    Wire::Answered(reply) => {
                        self.hear_many(&mut next, task, appends, reply.clone());
                        steps.push((Step::Hears { task }, next));
                    }
                }
            }
            Task::Each { tries, is_callers } => {
                for (at, now) in tries.iter().enumerate() {
                    let mut next = state.clone();
                    let mut tries = tries.clone();
                    let step = match &now.wire {
                        Wire::Sent => {
                            tries[at].wire = Wire::Looked(state.versions());
                            next.tasks[task] = Task::Each { tries, is_callers: *is_callers };
                            Step::Looks { task }
                        }
                        Wire::Looked(looked) => {
                            let reply = self.store_one(&mut next, now.append, *looked);
                            tries[at].wire = Wire::Answered(reply);
                            next.tasks[task] = Task::Each { tries, is_callers: *is_callers };
                            Step::Stores { task }
                        }
                        Wire::Answered(reply) => {
                            self.hear_one(&mut next, task, at, *reply);
                            Step::Hears { task }
                        }
                    };
                    steps.push((step, next));
                    if now.is_lost && now.wire == Wire::Sent {
                        let mut next = state.clone();
                        next.tell(now.append, Told::Unknown);
                        let mut tries = tries_without(&state.tasks[task], at);
                        next.go_on(self, task, std::mem::take(&mut tries), *is_callers);
                        steps.push((Step::GivesUp { append: now.append }, next));
                    }
                }
            }
        }
        steps
    }

    /// A connection of a task is lost, at any moment until its answer is heard.
    fn lose(&self, state: &State, task: usize) -> Vec<State> {
        let mut states = Vec::new();
        match &state.tasks[task] {
            Task::Together(appends, wire) => {
                let mut next = state.clone();
                next.leave_behind(appends, true, wire);
                if self.flaw == Flaw::LostIsFailed {
                    for append in appends {
                        next.tell(*append, Told::Failed);
                    }
                    next.go_on(self, task, Vec::new(), false);
                } else {
                    let lost = |append: &usize| Try { is_lost: true, ..Try::first(*append) };
                    next.go_on(self, task, appends.iter().map(lost).collect(), false);
                }
                states.push(next);
            }
            Task::Each { tries, is_callers } => {
                for (at, now) in tries.iter().enumerate() {
                    let mut next = state.clone();
                    next.leave_behind(&[now.append], false, &now.wire);
                    if self.flaw == Flaw::LostIsFailed {
                        next.tell(now.append, Told::Failed);
                        next.go_on(self, task, tries_without(&state.tasks[task], at), *is_callers);
                    } else {
                        let mut tries = tries.clone();
                        tries[at] = Try { is_lost: true, ..Try::first(now.append) };
                        next.go_on(self, task, tries, *is_callers);
                    }
                    states.push(next);
                }
            }
        }
        states
    }

    fn cancel(&self, state: &State, append: usize) -> State {
        let mut next = state.clone();
        next.cancels += 1;
        let is_early = state.queue.contains(&append);
        next.callers[append] = if is_early { Caller::GoneEarly } else { Caller::Gone };
        let own = state.tasks.iter().position(|task| {
            matches!(task, Task::Each { tries, is_callers: true } if tries[0].append == append)
        });
        if let Some(task) = own {
            // Its future ends here, and the connection with it.
            let Task::Each { tries, .. } = next.tasks.remove(task) else { return next };
            next.leave_behind(&[append], false, &tries[0].wire);
            if self.flaw == Flaw::DropsTurn {
                next.forgotten += 1;
            } else {
                next.pass_on(self);
            }
        }
        next
    }

    pub(super) fn faults(&self, state: &State) -> Vec<(Step, State)> {
        let mut faults = Vec::new();
        if state.losses < self.losses {
            for task in 0..state.tasks.len() {
                for mut next in self.lose(state, task) {
                    next.losses += 1;
                    faults.push((Step::LosesConnection { task }, next));
                }
            }
        }
        for (at, ghost) in state.ghosts.iter().enumerate() {
            let mut vanishes = state.clone();
            vanishes.ghosts.remove(at);
            let mut next = state.clone();
            match &ghost.looked {
                None => next.ghosts[at].looked = Some(state.versions()),
                Some(looked) => {
                    next.ghosts.remove(at);
                    if ghost.is_batch {
                        self.store_many(&mut next, &ghost.appends, *looked);
                    } else {
                        self.store_one(&mut next, ghost.appends[0], *looked);
                    }
                }
            }
            faults.push((Step::GhostGoesOn(at), next));
            faults.push((Step::GhostVanishes(at), vanishes));
        }
        for append in 0..self.appends.len() {
            if state.cancels < self.cancels && state.callers[append] == Caller::Waits {
                faults.push((Step::Cancels(append), self.cancel(state, append)));
            }
        }
        if state.crashes < self.crashes {
            let mut next = state.clone();
            next.crashes += 1;
            next.log.truncate(next.flushed);
            next.ghosts.clear();
            faults.push((Step::ServerCrashes, next));
        }
        faults
    }
}

impl State {
    /// What is on its way is not called back.
    fn leave_behind<R>(&mut self, appends: &[usize], is_batch: bool, wire: &Wire<R>) {
        let looked = match wire {
            Wire::Sent => None,
            Wire::Looked(looked) => Some(*looked),
            Wire::Answered(_) => return,
        };
        self.ghosts.push(Ghost { appends: appends.to_vec(), is_batch, looked });
    }
}

fn tries_without(task: &Task, at: usize) -> Vec<Try> {
    let Task::Each { tries, .. } = task else { return Vec::new() };
    let mut tries = tries.clone();
    tries.remove(at);
    tries
}

//! What those do who have the turn of the lane.

use super::{Caller, Entry, Event, Flaw, Loaded, Phase, Protocol, Serving, State, Step};

impl Protocol {
    /// Decides on commands in this state, up to where the store is needed.
    pub(super) fn decide(&self, state: &mut State, base: Loaded) {
        let Some(mut serving) = state.serving.take() else { return };
        let (mut working, mut entries, mut stored) = (base, Vec::new(), 0);
        let mut left = serving.commands.clone();
        while !left.is_empty() && stored < self.events {
            let command = left.remove(0);
            let decided_on = if self.flaw == Flaw::DecidesApart { base } else { working };
            let is_stored = decided_on.seats > 0;
            if is_stored {
                working = working.apply(Event::TakenBy(command));
                stored += 1;
            }
            entries.push(Entry { command, is_stored, state: working });
        }
        if entries.is_empty() {
            return state.pass_on(self, Some(base));
        }
        serving.commands = left;
        if stored > 0 {
            serving.phase = Phase::Appending(entries, base);
        } else if serving.may_be_stale && self.flaw != Flaw::RefusesFromMemory {
            serving.phase = Phase::Comparing(entries, base);
        } else {
            state.serving = Some(serving);
            for Entry { command, state: at, .. } in entries {
                state.tell(command, |since| Caller::Refused { since, at });
            }
            return self.decide(state, base);
        }
        state.serving = Some(serving);
    }

    /// All of them again, in this state or in one that is loaded.
    fn again(&self, state: &mut State, entries: &[Entry], base: Option<Loaded>) {
        let Some(serving) = &mut state.serving else { return };
        let again: Vec<usize> = entries.iter().map(|entry| entry.command).collect();
        serving.commands.splice(0..0, again);
        serving.phase = base.map_or(Phase::Loading, Phase::CatchingUp);
        if serving.commands.is_empty() {
            let left = base;
            state.pass_on(self, left);
        }
    }

    fn hear(&self, state: &mut State, entries: &[Entry], before: Loaded, is_stored: bool) {
        let Some(serving) = &mut state.serving else { return };
        let was_stale = std::mem::take(&mut serving.may_be_stale);
        if is_stored {
            for Entry { command, is_stored, state: at } in entries.iter().copied() {
                state.tell(command, |since| {
                    if is_stored {
                        Caller::Stored { version: at.version }
                    } else {
                        Caller::Refused { since, at }
                    }
                });
            }
            let working = entries.last().map_or(before, |entry| entry.state);
            return self.decide(state, working);
        }
        let kept = self.is_cached.then_some(before);
        if was_stale {
            return self.again(state, entries, kept);
        }
        let mut rest = Vec::new();
        for entry in entries {
            state.attempts[entry.command] += 1;
            if state.attempts[entry.command] < self.attempts {
                rest.push(*entry);
            } else {
                state.tell(entry.command, |_| Caller::Conflict);
            }
        }
        self.again(state, &rest, kept);
    }

    pub(super) fn work(&self, state: &State, serving: &Serving) -> Vec<(Step, State)> {
        let mut steps = Vec::new();
        let mut next = state.clone();
        match serving.phase.clone() {
            Phase::Loading => {
                self.decide(&mut next, state.loaded());
                steps.push((Step::Loads, next));
            }
            Phase::CatchingUp(base) => {
                self.decide(&mut next, base.read_on(&state.stream));
                steps.push((Step::CatchesUp, next));
            }
            Phase::Comparing(entries, base) => {
                let now = base.read_on(&state.stream);
                if let Some(serving) = &mut next.serving {
                    serving.may_be_stale = false;
                    if now.version == base.version {
                        for Entry { command, state: at, .. } in entries {
                            next.tell(command, |since| Caller::Refused { since, at });
                        }
                    } else {
                        let again = entries.iter().map(|entry| entry.command);
                        serving.commands.splice(0..0, again);
                    }
                }
                self.decide(&mut next, now);
                steps.push((Step::CatchesUp, next));
            }
            Phase::Appending(entries, before) => {
                let stored: Vec<usize> = stored(&entries);
                let is_stored = next.append(before.version, &stored, self.flaw);
                if let Some(serving) = &mut next.serving {
                    let entries = entries.clone();
                    serving.phase = Phase::Answered { entries, before, is_stored };
                }
                steps.push((Step::Stores, next));
                if state.unknown < self.unknown {
                    let mut next = state.clone();
                    next.ghosts.push((before.version, stored));
                    self.hear_nothing(&mut next, &entries);
                    steps.push((Step::HearsNothing, next));
                }
            }
            Phase::Answered { entries, before, is_stored } => {
                self.hear(&mut next, &entries, before, is_stored);
                steps.push((Step::Hears, next));
                if state.unknown < self.unknown {
                    let mut next = state.clone();
                    self.hear_nothing(&mut next, &entries);
                    steps.push((Step::HearsNothing, next));
                }
            }
        }
        steps
    }

    fn hear_nothing(&self, state: &mut State, entries: &[Entry]) {
        state.unknown += 1;
        for entry in entries {
            state.tell(entry.command, |_| Caller::Unknown);
        }
        let Some(serving) = &mut state.serving else { return };
        serving.may_be_stale = false;
        let working = entries.last().map(|entry| entry.state);
        if serving.commands.is_empty() {
            let left = working.filter(|_| self.flaw == Flaw::KeepsAfterUnknown);
            state.pass_on(self, left);
        } else {
            serving.phase = Phase::Loading;
        }
    }

    /// The command of a caller who goes away; where it is being served there, the turn is passed on.
    pub(super) fn cancel(&self, state: &State, command: usize) -> State {
        let mut next = state.clone();
        next.cancels += 1;
        next.callers[command] = Caller::Gone;
        let own = state.serving.as_ref().filter(|serving| {
            serving.is_callers
                && match &serving.phase {
                    Phase::Loading | Phase::CatchingUp(_) => serving.commands == [command],
                    Phase::Comparing(entries, _)
                    | Phase::Appending(entries, _)
                    | Phase::Answered { entries, .. } => entries[0].command == command,
                }
        });
        if let Some(serving) = own {
            if let Phase::Appending(entries, before) = &serving.phase {
                next.ghosts.push((before.version, stored(entries)));
            }
            next.pass_on(self, None);
        }
        next
    }
}

fn stored(entries: &[Entry]) -> Vec<usize> {
    entries.iter().filter(|entry| entry.is_stored).map(|entry| entry.command).collect()
}

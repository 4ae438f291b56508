//! Looks at every state that a model can get into.

use std::collections::{HashMap, VecDeque};
use std::fmt::{self, Debug};
use std::hash::Hash;
use std::rc::Rc;

/// A protocol and those who follow it.
pub(crate) trait Model {
    /// Where everybody stands.
    type State: Clone + Eq + Hash + Debug;

    /// What somebody does, or what happens to them.
    type Step: Clone + Debug;

    /// Where it begins.
    fn begin(&self) -> Self::State;

    /// Everything that may happen next, and where it leads.
    fn next(&self, state: &Self::State) -> Vec<(Self::Step, Self::State)>;

    /// What must never be.
    fn wrong(&self, state: &Self::State) -> Option<String>;

    /// Whether everybody has come to an end, and to the right one. From every state there must be a way to one like
    /// this, so that nobody waits for ever.
    fn is_settled(&self, state: &Self::State) -> bool;
}

/// What was looked at where nothing was wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Explored {
    pub(crate) states: usize,
    pub(crate) settled: usize,
}

/// The shortest way to something wrong.
pub(crate) struct Counterexample {
    what: String,
    steps: Vec<String>,
    state: String,
}

impl Debug for Counterexample {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}, after", self.what)?;
        for (number, step) in (1..).zip(&self.steps) {
            writeln!(formatter, "  {number}. {step}")?;
        }
        write!(formatter, "  in the state {}", self.state)
    }
}

/// A state, and how it was come to first.
struct Known<M: Model> {
    state: Rc<M::State>,
    from: Option<(usize, M::Step)>,
}

/// Looks at every state, in order of the number of steps that lead there.
pub(crate) fn explore<M: Model>(model: &M) -> Result<Explored, Counterexample> {
    let begin = Rc::new(model.begin());
    let mut numbers = HashMap::from([(begin.clone(), 0)]);
    let mut known: Vec<Known<M>> = vec![Known { state: begin, from: None }];
    // Who leads to each state.
    let mut before: Vec<Vec<usize>> = vec![Vec::new()];
    let mut settled = VecDeque::new();
    let mut number = 0;
    while number < known.len() {
        let state = known[number].state.clone();
        if let Some(what) = model.wrong(&state) {
            return Err(counterexample(&known, number, what));
        }
        if model.is_settled(&state) {
            settled.push_back(number);
        }
        for (step, next) in model.next(&state) {
            let next = Rc::new(next);
            let to = *numbers.entry(next.clone()).or_insert(known.len());
            if to == known.len() {
                known.push(Known { state: next, from: Some((number, step)) });
                before.push(Vec::new());
            }
            before[to].push(number);
        }
        number += 1;
    }
    let explored = Explored { states: known.len(), settled: settled.len() };
    let mut can_settle = vec![false; known.len()];
    for number in &settled {
        can_settle[*number] = true;
    }
    while let Some(number) = settled.pop_front() {
        for from in std::mem::take(&mut before[number]) {
            if !std::mem::replace(&mut can_settle[from], true) {
                settled.push_back(from);
            }
        }
    }
    // Best told by the first step that leads to where there is no way on; or by the longest way, where there never was
    // one.
    let mut stuck = (0..known.len()).filter(|number| !can_settle[*number]);
    let leads =
        |number: &usize| known[*number].from.as_ref().is_some_and(|from| can_settle[from.0]);
    match stuck.clone().find(leads).or_else(|| stuck.next_back()) {
        Some(stuck) => Err(counterexample(&known, stuck, "there is no way to the end".to_owned())),
        None => Ok(explored),
    }
}

fn counterexample<M: Model>(known: &[Known<M>], number: usize, what: String) -> Counterexample {
    let mut steps = Vec::new();
    let mut at = number;
    while let Some((from, step)) = &known[at].from {
        steps.push(format!("{step:?}"));
        at = *from;
    }
    steps.reverse();
    Counterexample { what, steps, state: format!("{:?}", known[number].state) }
}

/// The protocol as it is: nothing is wrong, in at least so many states.
pub(crate) fn holds<M: Model>(name: &str, model: &M, at_least: usize) {
    let explored = explore(model).unwrap_or_else(|found| panic!("{name}: {found:?}"));
    let Explored { states, settled } = explored;
    println!("{name}: {states} states, {settled} of them settled");
    assert!(states >= at_least, "{name}: {states} states are not all there are");
}

/// A protocol that is known to be wrong, and in which way.
pub(crate) fn fails<M: Model>(name: &str, model: &M, because: &str) {
    match explore(model) {
        Ok(Explored { states, .. }) => panic!("{name}: nothing is wrong in {states} states"),
        Err(found) => {
            println!("{name}: {found:?}");
            assert!(found.what.contains(because), "{name}: fails in another way: {found:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts to three, and may stop before that.
    struct Counting {
        never: Option<u8>,
        stops_at: Option<u8>,
    }

    impl Model for Counting {
        type State = u8;
        type Step = &'static str;

        fn begin(&self) -> u8 {
            0
        }

        fn next(&self, state: &u8) -> Vec<(&'static str, u8)> {
            match *state {
                3 => Vec::new(),
                state if self.stops_at == Some(state) => vec![("stays", state)],
                state => vec![("counts", state + 1), ("stays", state)],
            }
        }

        fn wrong(&self, state: &u8) -> Option<String> {
            (self.never == Some(*state)).then(|| format!("it is {state}"))
        }

        fn is_settled(&self, state: &u8) -> bool {
            *state == 3
        }
    }

    #[test]
    fn every_state_is_looked_at_once() {
        let explored = explore(&Counting { never: None, stops_at: None }).unwrap();
        assert_eq!((explored.states, explored.settled), (4, 1));
    }

    #[test]
    fn what_is_wrong_is_told_with_the_way_there() {
        let found = explore(&Counting { never: Some(2), stops_at: None }).unwrap_err();
        assert_eq!((found.what.as_str(), found.steps.len()), ("it is 2", 2));
    }

    #[test]
    fn a_state_from_where_nothing_leads_to_the_end_is_wrong() {
        let found = explore(&Counting { never: None, stops_at: Some(1) }).unwrap_err();
        assert_eq!(found.what, "there is no way to the end");
        assert_eq!(found.steps, [r#""counts""#]);
    }
}

//! Commands to one aggregate that share appends, and aggregates that are kept in memory (G2, G9, G14).
//!
//! The aggregate is a number of seats; each command takes one, or is refused where none is left. Another program gives
//! seats back. A command must be stored only where there was a seat in exactly the state it is stored on, and refused
//! only in a state the stream had after the command came.
//!
//! | here | there |
//! |--|--|
//! | [`Step::Arrives`] | `repository/lane.rs`, `execute`: served in its own future, or queued |
//! | [`State::pass_on`] | the same, `Turn::drop`, then `serve` |
//! | [`State::serve`] | `repository/batch.rs`, `new` and `loaded` |
//! | [`Step::Loads`], [`Step::CatchesUp`] | `repository/load.rs` |
//! | [`Protocol::decide`] | `repository/batch.rs`, `round`, up to the append |
//! | [`Step::Stores`] | the store carries out the append, which expects the version of the state |
//! | [`Step::Hears`] | `round`, from the append on |
//! | [`Step::HearsNothing`] | the outcome is unknown: the append may still be under way |
//! | [`Step::Cancels`] | the caller drops its future |

mod serving;

use crate::search::{Model, fails, holds};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    /// What is refused in a kept state is refused.
    RefusesFromMemory,
    /// An append expects nothing.
    ExpectsNothing,
    /// After an unknown outcome, the state is kept as if the events were stored.
    KeepsAfterUnknown,
    /// The commands of a batch are all decided on in the state before it.
    DecidesApart,
}

#[derive(Debug, Clone, Copy)]
struct Protocol {
    commands: usize,
    /// No further command is decided on in a batch with so many events.
    events: usize,
    /// Whether the aggregate is kept in memory.
    is_cached: bool,
    /// Whether an aggregate that is not known is taken to be without events.
    is_taken_to_be_new: bool,
    flaw: Flaw,
    attempts: u8,
    seats_given_back: u8,
    unknown: u8,
    cancels: u8,
}

const PROTOCOL: Protocol = Protocol {
    commands: 3,
    events: 256,
    is_cached: true,
    is_taken_to_be_new: false,
    flaw: Flaw::None,
    attempts: 2,
    seats_given_back: 2,
    unknown: 0,
    cancels: 0,
};

/// Seats at the beginning.
const SEATS: i8 = 1;

/// The aggregate at a version of its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Loaded {
    version: usize,
    seats: i8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Event {
    TakenBy(usize),
    GivenBack,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Caller {
    ToCome,
    /// Since the stream had this version.
    Waits(usize),
    Stored {
        version: usize,
    },
    Refused {
        since: usize,
        at: Loaded,
    },
    Conflict,
    Unknown,
    Gone,
}

/// A command that was decided on: the state it has led to, or the one it was refused in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Entry {
    command: usize,
    is_stored: bool,
    state: Loaded,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Phase {
    Loading,
    /// What is refused in this state is compared with the stream.
    Comparing(Vec<Entry>, Loaded),
    /// The stream is read on from this state.
    CatchingUp(Loaded),
    Appending(Vec<Entry>, Loaded),
    Answered {
        entries: Vec<Entry>,
        before: Loaded,
        is_stored: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Serving {
    /// Those that are still to be decided on.
    commands: Vec<usize>,
    phase: Phase,
    may_be_stale: bool,
    /// In the future of its caller.
    is_callers: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    stream: Vec<Event>,
    callers: Vec<Caller>,
    attempts: Vec<u8>,
    waiting: Vec<usize>,
    kept: Option<Loaded>,
    serving: Option<Serving>,
    /// Appends that nobody waits for and the store may still carry out: the version expected, and the commands.
    ghosts: Vec<(usize, Vec<usize>)>,
    given_back: u8,
    unknown: u8,
    cancels: u8,
}

#[derive(Debug, Clone, Copy)]
#[expect(dead_code, reason = "what is in a step is printed")]
enum Step {
    Arrives(usize),
    Loads,
    CatchesUp,
    Stores,
    Hears,
    HearsNothing,
    Cancels(usize),
    SeatIsGivenBack,
    GhostStores,
    GhostVanishes,
}

impl Loaded {
    fn apply(self, event: Event) -> Self {
        let change = if event == Event::GivenBack { 1 } else { -1 };
        Self { version: self.version + 1, seats: self.seats + change }
    }

    fn read_on(self, stream: &[Event]) -> Self {
        stream.iter().skip(self.version).fold(self, |loaded, event| loaded.apply(*event))
    }
}

const EMPTY: Loaded = Loaded { version: 0, seats: SEATS };

impl State {
    fn loaded(&self) -> Loaded {
        EMPTY.read_on(&self.stream)
    }

    fn append(&mut self, expected: usize, commands: &[usize], flaw: Flaw) -> bool {
        let is_met = self.stream.len() == expected || flaw == Flaw::ExpectsNothing;
        if is_met {
            self.stream.extend(commands.iter().map(|command| Event::TakenBy(*command)));
        }
        is_met
    }

    fn tell(&mut self, command: usize, told: impl FnOnce(usize) -> Caller) {
        if let Caller::Waits(since) = self.callers[command] {
            self.callers[command] = told(since);
        }
    }

    /// Whoever has served passes the turn on.
    fn pass_on(&mut self, protocol: &Protocol, left: Option<Loaded>) {
        (self.serving, self.kept) = (None, left);
        let callers = &self.callers;
        let mut commands = std::mem::take(&mut self.waiting);
        commands.retain(|command| matches!(callers[*command], Caller::Waits(_)));
        if !commands.is_empty() {
            self.serve(protocol, commands, false);
        } else if !protocol.is_cached {
            self.kept = None;
        }
    }

    fn serve(&mut self, protocol: &Protocol, commands: Vec<usize>, is_callers: bool) {
        let new = protocol.is_taken_to_be_new.then_some(EMPTY);
        let kept = self.kept.take().or(new);
        let serving =
            Serving { commands, phase: Phase::Loading, may_be_stale: kept.is_some(), is_callers };
        self.serving = Some(serving);
        if let Some(base) = kept {
            protocol.decide(self, base);
        }
    }
}

impl Model for Protocol {
    type State = State;
    type Step = Step;

    fn begin(&self) -> State {
        State {
            stream: Vec::new(),
            callers: vec![Caller::ToCome; self.commands],
            attempts: vec![0; self.commands],
            waiting: Vec::new(),
            kept: None,
            serving: None,
            ghosts: Vec::new(),
            given_back: 0,
            unknown: 0,
            cancels: 0,
        }
    }

    fn next(&self, state: &State) -> Vec<(Step, State)> {
        let mut steps = Vec::new();
        for command in 0..self.commands {
            let mut next = state.clone();
            match state.callers[command] {
                Caller::ToCome => {
                    next.callers[command] = Caller::Waits(state.stream.len());
                    if state.serving.is_some() {
                        next.waiting.push(command);
                    } else {
                        next.serve(self, vec![command], true);
                    }
                    steps.push((Step::Arrives(command), next));
                }
                Caller::Waits(_) if state.cancels < self.cancels => {
                    steps.push((Step::Cancels(command), self.cancel(state, command)));
                }
                _ => {}
            }
        }
        if state.given_back < self.seats_given_back {
            let mut next = state.clone();
            next.given_back += 1;
            next.stream.push(Event::GivenBack);
            steps.push((Step::SeatIsGivenBack, next));
        }
        for (at, (expected, commands)) in state.ghosts.iter().enumerate() {
            let mut vanishes = state.clone();
            vanishes.ghosts.remove(at);
            let mut stores = vanishes.clone();
            if stores.append(*expected, commands, self.flaw) {
                steps.push((Step::GhostStores, stores));
            }
            steps.push((Step::GhostVanishes, vanishes));
        }
        if let Some(serving) = &state.serving {
            steps.extend(self.work(state, serving));
        }
        steps
    }

    fn wrong(&self, state: &State) -> Option<String> {
        let mut loaded = EMPTY;
        for event in &state.stream {
            loaded = loaded.apply(*event);
            if loaded.seats < 0 {
                return Some(format!("{event:?} takes a seat that is not there"));
            }
        }
        for (command, caller) in state.callers.iter().enumerate() {
            let own = Event::TakenBy(command);
            let mut places = (1..).zip(&state.stream).filter(|(_, event)| **event == own);
            let (place, again) = (places.next().map(|(version, _)| version), places.next());
            let wrong = match *caller {
                _ if again.is_some() => "is stored twice",
                Caller::Stored { version } if place != Some(version) => {
                    "is not stored where it was decided on"
                }
                Caller::Refused { .. } | Caller::Conflict if place.is_some() => {
                    "is stored, and it was said not to be"
                }
                Caller::Refused { since, at } => {
                    let then = EMPTY.read_on(&state.stream[..at.version.min(state.stream.len())]);
                    if at.version < since {
                        "is refused in a state from before it came"
                    } else if then != at {
                        "is refused in a state that never was"
                    } else {
                        continue;
                    }
                }
                _ => continue,
            };
            return Some(format!("command {command} {wrong}"));
        }
        None
    }

    fn is_settled(&self, state: &State) -> bool {
        let is_over = |caller: &Caller| !matches!(caller, Caller::ToCome | Caller::Waits(_));
        state.callers.iter().all(is_over) && state.serving.is_none() && state.waiting.is_empty()
    }
}

#[test]
fn g2_g9_g14_commands_are_decided_on_in_the_state_they_are_stored_on() {
    holds("lanes, an aggregate that is kept", &PROTOCOL, 1_000);
    let loaded = Protocol { is_cached: false, ..PROTOCOL };
    holds("lanes, an aggregate that is loaded", &loaded, 1_000);
    let new = Protocol { is_taken_to_be_new: true, ..PROTOCOL };
    holds("lanes, an aggregate that is taken to be new, and kept", &new, 1_000);
    let new = Protocol { is_taken_to_be_new: true, ..loaded };
    holds("lanes, an aggregate that is taken to be new each time", &new, 1_000);
    let small = Protocol { events: 1, seats_given_back: 3, ..PROTOCOL };
    holds("lanes, small batches", &small, 1_000);
    let unknown = Protocol { unknown: 1, ..PROTOCOL };
    holds("lanes, unknown outcomes", &unknown, 5_000);
    let cancelled = Protocol { cancels: 2, ..PROTOCOL };
    holds("lanes, callers that go away", &cancelled, 5_000);
}

#[test]
fn g2_g9_every_part_of_a_lane_is_needed() {
    let flaw = |flaw| Protocol { flaw, ..PROTOCOL };
    let memory = flaw(Flaw::RefusesFromMemory);
    fails("a refusal in a kept state", &memory, "from before it came");
    let new = Protocol { is_cached: false, is_taken_to_be_new: true, ..memory };
    fails("a refusal in a state that was taken for the stream's", &new, "from before it came");
    let nothing = Protocol { seats_given_back: 1, ..flaw(Flaw::ExpectsNothing) };
    fails("a kept state, and an append that expects nothing", &nothing, "not stored where");
    let unknown = Protocol { unknown: 1, ..flaw(Flaw::KeepsAfterUnknown) };
    fails("a state that is kept after an unknown outcome", &unknown, "that never was");
    fails("commands decided on apart", &flaw(Flaw::DecidesApart), "not there");
}

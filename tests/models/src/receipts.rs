//! A command that is sent several times with one idempotency key (G2, G4).
//!
//! Each sender is `repository/execute.rs`, `execute`, with a key: [`At::Looks`] is `receipt`, [`At::Loads`] is `load`,
//! [`At::Decides`] is `decide`, and [`At::Appends`] the append of events whose id is made from the key, with what the
//! store makes of an id that is there (`append.rs`, `explain`; `append.rs` of SQLite likewise). After a conflict all of
//! it begins anew. As in [`lanes`](crate::lanes), the command takes one of some seats, and another program gives seats
//! back.

use crate::search::{Model, fails, holds};

#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a part that can be left out")]
struct Protocol {
    seats: usize,
    /// Whether the id of the event is made from the key.
    has_key: bool,
    /// Whether an id is unique.
    is_unique: bool,
    /// Whether a refusal looks once more, before it is told, whether the command was carried out.
    looks_again: bool,
    /// Whether a sender may be refused because the command was carried out for another.
    may_refuse_itself: bool,
}

const PROTOCOL: Protocol = Protocol {
    seats: 1,
    has_key: true,
    is_unique: true,
    looks_again: false,
    may_refuse_itself: true,
};

const SENDERS: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum At {
    Looks,
    Loads,
    /// In the state of this version.
    Decides(usize),
    Appends(usize),
    LooksAgain(usize),
    /// With its event at this version.
    Stored(usize),
    /// In the state of this version.
    Refused(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Event {
    Taken,
    GivenBack,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    stream: Vec<Event>,
    senders: [At; SENDERS],
    given_back: usize,
}

#[derive(Debug, Clone, Copy)]
#[expect(dead_code, reason = "what is in a step is printed")]
enum Step {
    Sender(usize, At),
    SeatIsGivenBack,
}

impl State {
    /// Where the event of the command is.
    fn place(&self) -> Option<usize> {
        self.stream.iter().position(|event| *event == Event::Taken).map(|index| index + 1)
    }
}

impl Protocol {
    fn has_seat(&self, stream: &[Event]) -> bool {
        let taken = stream.iter().filter(|event| **event == Event::Taken).count();
        self.seats + stream.len() - taken > taken
    }

    fn go_on(&self, state: &State, sender: usize) -> Option<State> {
        let mut next = state.clone();
        let place = state.place().filter(|_| self.has_key);
        next.senders[sender] = match state.senders[sender] {
            At::Looks => place.map_or(At::Loads, At::Stored),
            At::Loads => At::Decides(state.stream.len()),
            At::Decides(version) if self.has_seat(&state.stream[..version]) => At::Appends(version),
            At::Decides(version) if self.looks_again => At::LooksAgain(version),
            At::Decides(version) => At::Refused(version),
            At::LooksAgain(version) => place.map_or(At::Refused(version), At::Stored),
            At::Appends(version) => match place.filter(|_| self.is_unique) {
                Some(place) => At::Stored(place),
                None if version == state.stream.len() => {
                    next.stream.push(Event::Taken);
                    At::Stored(version + 1)
                }
                None => At::Looks,
            },
            At::Stored(_) | At::Refused(_) => return None,
        };
        Some(next)
    }
}

impl Model for Protocol {
    type State = State;
    type Step = Step;

    fn begin(&self) -> State {
        State { stream: Vec::new(), senders: [At::Looks; SENDERS], given_back: 0 }
    }

    fn next(&self, state: &State) -> Vec<(Step, State)> {
        let mut steps: Vec<_> = (0..SENDERS)
            .filter_map(|sender| {
                let step = Step::Sender(sender, state.senders[sender]);
                Some((step, self.go_on(state, sender)?))
            })
            .collect();
        if state.given_back < 2 {
            let mut next = state.clone();
            next.given_back += 1;
            next.stream.push(Event::GivenBack);
            steps.push((Step::SeatIsGivenBack, next));
        }
        steps
    }

    fn wrong(&self, state: &State) -> Option<String> {
        let taken = state.stream.iter().filter(|event| **event == Event::Taken).count();
        if taken > 1 {
            return Some("the command is carried out twice".to_owned());
        }
        let place = state.place();
        state.senders.iter().enumerate().find_map(|(sender, at)| match *at {
            At::Stored(version) if place != Some(version) => {
                Some(format!("sender {sender} is told of a place where nothing is"))
            }
            At::Refused(version)
                if !self.may_refuse_itself && place.is_some_and(|place| place <= version) =>
            {
                Some(format!("sender {sender} is refused because the command was carried out"))
            }
            _ => None,
        })
    }

    fn is_settled(&self, state: &State) -> bool {
        state.senders.iter().all(|at| matches!(at, At::Stored(_) | At::Refused(_)))
    }
}

#[test]
fn g2_g4_a_command_with_a_key_is_carried_out_once() {
    holds("receipts, one seat", &PROTOCOL, 500);
    holds("receipts, two seats", &Protocol { seats: 2, ..PROTOCOL }, 500);
}

#[test]
fn g2_g4_every_part_of_a_receipt_is_needed() {
    let two = Protocol { seats: 2, ..PROTOCOL };
    fails("no key", &Protocol { has_key: false, ..two }, "carried out twice");
    fails("a key that is not unique", &Protocol { is_unique: false, ..two }, "carried out twice");
}

/// The command may be carried out for another sender after this one has looked, and before it loads.
#[test]
fn g4_a_refusal_may_be_the_work_of_the_command_itself() {
    let refused = Protocol { may_refuse_itself: false, ..PROTOCOL };
    fails("a refusal that does not look again", &refused, "because the command was carried out");
    holds("receipts, a refusal that looks again", &Protocol { looks_again: true, ..refused }, 500);
}

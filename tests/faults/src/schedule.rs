//! Which faults are injected when: determined by a seed.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::faults::{
    Against, Crash, Cut, Fault, Jump, Kind, Lane, Late, Of, Processes, Then, When, Who,
};
use crate::random::Random;

/// A fault and when it is injected: so long after the end of the one before it in its lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// When it is injected after the beginning, if those before take as long as planned.
    pub at: Duration,
    /// The lane.
    pub lane: Lane,
    /// How long after the end of the one before.
    pub pause: Duration,
    /// The fault.
    pub fault: Fault,
}

/// All faults of a round, by the time they are planned for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// What determines it.
    pub seed: u64,
    /// The faults.
    pub steps: Vec<Step>,
}

/// What there is to be disturbed.
#[derive(Debug, Clone)]
pub struct Targets {
    /// The kinds of faults that can be injected.
    pub kinds: BTreeSet<Kind>,
    /// How many writers there are.
    pub writers: usize,
    /// How many workers there are.
    pub workers: usize,
}

/// A fault of this kind.
fn fault(kind: Kind, random: &mut Random, targets: &Targets) -> Fault {
    // Workers have leases of a second.
    let hold = random.millis(300, 3500);
    let writer = |random: &mut Random| Who::Writer(index(random, targets.writers));
    let who = |random: &mut Random| {
        if random.percent(50) {
            Who::Writer(index(random, targets.writers))
        } else {
            Who::Worker(index(random, targets.workers))
        }
    };
    let then = |random: &mut Random| random.one_of(&[Then::Commit, Then::Rollback]);
    match kind {
        Kind::Kill => Fault::Kill(who(random), random.millis(0, 800)),
        Kind::Freeze => Fault::Freeze(who(random), random.millis(400, 4000)),
        Kind::Limit => Fault::Limit(writer(random), random.millis(1000, 3000)),
        Kind::Cut => Fault::Cut(Cut {
            of: random.one_of(&[Of::Statement, Of::Append, Of::Commit]),
            when: random.one_of(&[
                When::BeforeRequest,
                When::MidRequest,
                When::BeforeAnswer,
                When::BeforeAnswer,
                When::MidAnswer,
            ]),
            count: u32::try_from(random.between(1, 30)).unwrap_or(1),
        }),
        Kind::CutAll => Fault::CutAll,
        Kind::Refuse => Fault::Refuse(random.millis(200, 4000)),
        Kind::Silence => {
            Fault::Silence(random.millis(500, 4500), random.one_of(&[Late::Arrives, Late::IsLost]))
        }
        Kind::Delay => Fault::Delay(random.millis(1, 60), hold),
        // Long enough for another worker to take over; a call may take three seconds.
        Kind::Stall => Fault::Stall(random.millis(1600, 2800)),
        Kind::KillServer => {
            let processes = random.one_of(&[Processes::All, Processes::First]);
            Fault::KillServer(processes, random.millis(0, 1500))
        }
        Kind::StopServer => Fault::StopServer(random.millis(0, 1500)),
        Kind::FreezeServer => Fault::FreezeServer(hold),
        Kind::EndSessions => Fault::EndSessions,
        Kind::TakeConnections => Fault::TakeConnections(hold),
        Kind::FillDisk => Fault::FillDisk(hold),
        Kind::LockEvents => {
            Fault::LockEvents(random.one_of(&[Against::Writers, Against::All]), hold)
        }
        Kind::LockViews => Fault::LockViews(hold),
        Kind::Idle => Fault::Idle(hold),
        Kind::Hold => Fault::Hold(hold, then(random)),
        Kind::Prepare => {
            Fault::Prepare(hold, then(random), random.one_of(&[Crash::Yes, Crash::No, Crash::No]))
        }
        Kind::JumpLeases => Fault::JumpLeases(random.one_of(&[Jump::Ahead, Jump::Back])),
        Kind::Rescale => Fault::Rescale(random.one_of(&[1, 2, 3, 4, 7])),
        Kind::Checkpoint => Fault::Checkpoint,
        Kind::HoldRead => Fault::HoldRead(hold),
    }
}

fn index(random: &mut Random, count: usize) -> usize {
    usize::try_from(random.below(count as u64)).unwrap_or_default()
}

impl Schedule {
    /// The faults of a round of this length.
    pub fn new(seed: u64, length: Duration, targets: &Targets) -> Self {
        let mut steps = Vec::new();
        for lane in Lane::ALL {
            let kinds: Vec<Kind> =
                targets.kinds.iter().copied().filter(|kind| kind.lane() == lane).collect();
            if kinds.is_empty() {
                continue;
            }
            let mut random = Random::of(seed, &format!("{lane:?}"));
            let mut deck = Vec::new();
            let mut at = Duration::ZERO;
            loop {
                let pause = random.millis(150, 1500);
                // Each kind once before one comes a second time, so that short rounds have as many as possible.
                if deck.is_empty() {
                    deck.clone_from(&kinds);
                }
                let kind = deck.swap_remove(index(&mut random, deck.len()));
                let fault = fault(kind, &mut random, targets);
                at += pause;
                if at >= length {
                    break;
                }
                steps.push(Step { at, lane, pause, fault });
                at += fault.time();
            }
        }
        steps.sort_by_key(|step| (step.at, step.lane));
        Self { seed, steps }
    }

    /// The faults of a lane, in order.
    pub fn lane(&self, lane: Lane) -> Vec<Step> {
        self.steps.iter().copied().filter(|step| step.lane == lane).collect()
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "schedule of seed {}:", self.seed)?;
        for Step { at, fault, .. } in &self.steps {
            write!(formatter, "\n  {:>8.3} s  {fault:?}", at.as_secs_f64())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets() -> Targets {
        Targets { kinds: Kind::of_postgres(), writers: 2, workers: 2 }
    }

    #[test]
    fn a_seed_determines_the_schedule_and_another_seed_gives_another() {
        let minute = Duration::from_mins(1);
        let schedule = Schedule::new(7, minute, &targets());
        assert_eq!(schedule, Schedule::new(7, minute, &targets()));
        assert_ne!(schedule.steps, Schedule::new(8, minute, &targets()).steps);
    }

    #[test]
    fn a_longer_round_begins_like_a_shorter_one() {
        let short = Schedule::new(7, Duration::from_secs(20), &targets());
        let long = Schedule::new(7, Duration::from_mins(1), &targets());
        for lane in Lane::ALL {
            assert!(long.lane(lane).starts_with(&short.lane(lane)), "{lane:?}");
        }
    }

    #[test]
    fn every_kind_comes_in_a_long_round_and_only_those_there_are() {
        for kinds in [Kind::of_postgres(), Kind::of_sqlite()] {
            let targets = Targets { kinds: kinds.clone(), ..targets() };
            let schedule = Schedule::new(7, Duration::from_mins(5), &targets);
            let came: BTreeSet<Kind> =
                schedule.steps.iter().map(|step| step.fault.kind()).collect();
            assert_eq!(came, kinds);
        }
    }
}

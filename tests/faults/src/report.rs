//! What a round comes to, for people.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::checker::{Evidence, Stored, Violation};
use crate::history::{Action, Entry, History, Line, Outcome};
use crate::inject::Counts;
use crate::schedule::Schedule;

/// Violations that are explained; all are counted.
const EXPLAINED: usize = 10;

/// Lines about one violation.
const LINES: usize = 40;

/// What a round comes to.
#[derive(Debug)]
pub struct Report {
    /// The faults that were planned.
    pub schedule: Schedule,
    /// What was looked at.
    pub evidence: Evidence,
    /// What does not hold.
    pub violations: Vec<Violation>,
    /// The faults that were injected.
    pub counts: Counts,
    /// Kinds of faults that this machine does not allow.
    pub missing: Vec<String>,
    /// Where the files of the round are, if they were kept.
    pub kept: Option<PathBuf>,
}

impl Report {
    /// The same, with the place where its files are.
    #[must_use]
    pub fn kept(self, kept: PathBuf) -> Self {
        Self { kept: Some(kept), ..self }
    }

    /// How many calls ended how, by kind of action.
    fn outcomes(&self) -> BTreeMap<&'static str, u64> {
        let mut outcomes = BTreeMap::new();
        for history in &self.evidence.histories {
            let mut calls = 0;
            for line in &history.lines {
                match &line.entry {
                    Entry::Call { .. } => calls += 1,
                    Entry::End(outcome) => {
                        calls -= 1;
                        *outcomes.entry(outcome.word()).or_default() += 1;
                    }
                }
            }
            *outcomes.entry("killed halfway").or_default() += calls;
        }
        outcomes
    }

    /// The kinds of failures, and how often they came.
    fn failures(&self) -> BTreeMap<&str, u64> {
        let mut failures = BTreeMap::new();
        for line in self.evidence.histories.iter().flat_map(|history| &history.lines) {
            if let Entry::End(Outcome::Failed { kind, .. }) = &line.entry {
                *failures.entry(&**kind).or_default() += 1;
            }
        }
        failures
    }

    /// The longest time in which no command was acknowledged, in milliseconds.
    fn longest_stall(&self) -> u64 {
        let lines = self.evidence.histories.iter().flat_map(|history| &history.lines);
        let is_done =
            |line: &&Line| matches!(&line.entry, Entry::End(outcome) if outcome.is_done());
        let mut times: Vec<u64> = lines.filter(is_done).map(|line| line.at).collect();
        times.sort_unstable();
        times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }

    /// What the histories and the log say about a violation, and nothing else.
    fn explain(&self, violation: &Violation, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation { stream, version, op, .. } = violation;
        let mut left = LINES;
        // The steps of a transfer have names that begin with its own.
        let is_meant = |line: &Line| op.as_ref().is_some_and(|op| is_part_of(op, &line.op));
        for History { name, lines } in &self.evidence.histories {
            for line in lines.iter().filter(|line| is_meant(line)).take(left) {
                left -= 1;
                write!(formatter, "\n      {name} at {}: {} ", line.at, line.op)?;
                match &line.entry {
                    Entry::Call { action, keyed } => {
                        let key = if *keyed { ", with a key" } else { "" };
                        write!(formatter, "asks for {}{key}", describe(action))?;
                    }
                    Entry::End(outcome) => write!(formatter, "ends: {outcome:?}")?,
                }
            }
        }
        let about = |event: &&Stored| {
            let near = |version: &u64| event.version.abs_diff(*version) <= 2;
            let is_near = match (version, op) {
                (Some(version), _) => near(version),
                (None, op) => op.is_none(),
            };
            stream.as_ref().is_some_and(|stream| event.stream == *stream && is_near)
                || op.as_ref().is_some_and(|op| is_part_of(&event.mark.op, op))
        };
        for event in self.evidence.log.iter().filter(about).take(left) {
            let Stored { position, stream, version, mark, left, right, .. } = event;
            write!(
                formatter,
                "\n      stored: {stream} v{version} at {position}: {left:+} {right:+}, part {} of {} of {}, \
                 decided in {:?}",
                mark.part + 1,
                mark.parts,
                mark.op,
                mark.seen
            )?;
        }
        Ok(())
    }
}

fn is_part_of(part: &str, op: &str) -> bool {
    part.strip_prefix(op).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn describe(action: &Action) -> String {
    match action {
        Action::Order { place, order } => format!("{order:?} at {}", place.stream()),
        Action::Transfer { from, to, cents } => {
            format!("a transfer of {cents} from {} to {}", from.stream(), to.stream())
        }
        Action::Look { place } => format!("a look at {}", place.stream()),
    }
}

fn list<K: fmt::Display>(counts: impl IntoIterator<Item = (K, u64)>) -> String {
    let counts: Vec<String> =
        counts.into_iter().map(|(what, count)| format!("{what} {count}")).collect();
    if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { schedule, evidence, violations, counts, missing, kept } = self;
        writeln!(formatter, "seed {}", schedule.seed)?;
        writeln!(formatter, "  calls: {}", list(self.outcomes()))?;
        writeln!(formatter, "  failures: {}", list(self.failures()))?;
        let injected = counts.injected.iter().map(|(kind, count)| (format!("{kind:?}"), *count));
        writeln!(formatter, "  faults injected: {}", list(injected))?;
        for (kind, reason) in &counts.failed {
            writeln!(formatter, "  fault not injected: {kind:?}: {reason}")?;
        }
        for missing in missing {
            writeln!(formatter, "  NOT POSSIBLE ON THIS MACHINE: {missing}")?;
        }
        let streams = evidence.loaded.len();
        writeln!(
            formatter,
            "  events: {} in {streams} streams, parked streams: {}, longest stall: {} ms",
            evidence.log.len(),
            evidence.parked.parked.len(),
            self.longest_stall()
        )?;
        write!(formatter, "  violations: {}", violations.len())?;
        if violations.is_empty() {
            return Ok(());
        }
        for violation in violations.iter().take(EXPLAINED) {
            write!(formatter, "\n    {violation}")?;
            self.explain(violation, formatter)?;
        }
        if violations.len() > EXPLAINED {
            write!(formatter, "\n    and {} more", violations.len() - EXPLAINED)?;
        }
        write!(formatter, "\n  {schedule}")?;
        if let Some(kept) = kept {
            write!(formatter, "\n  the files of the round are in {}", kept.display())?;
        }
        Ok(())
    }
}

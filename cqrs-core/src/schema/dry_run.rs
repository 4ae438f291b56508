//! Reads a whole store as the program would, and tells what it can't read.

use std::collections::BTreeMap;
use std::fmt;

use super::catalogue::Catalogue;
use crate::event::{EventTypeName, RecordedEvent};
use crate::store::{EventStore, LogFilter, StoreError};
use crate::version::Position;

/// Events read at once.
const PAGE: usize = 1_000;

/// What a dry run has found so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DryRun {
    /// The log is read up to here.
    pub position: Position,
    /// Where it ended when the run began; it is read no further.
    pub end: Position,
    /// Stored events that were read.
    pub stored: u64,
    /// How many events they are to the program.
    pub events: u64,
    /// The same of each event type and version that is stored.
    pub kinds: BTreeMap<(EventTypeName, u32), Kind>,
}

/// What a dry run has found of an event type, at one version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Kind {
    /// Stored events of it.
    pub stored: u64,
    /// How many events they are to the program.
    pub events: u64,
    /// Those that the aggregate of their stream passes over.
    pub ignored: u64,
    /// Those that can't be read.
    pub failures: u64,
    /// Why: the first few.
    pub examples: Vec<String>,
}

impl Catalogue {
    /// Reads all events of a store as a program with this catalogue would, and tells of those it can't read, with the
    /// first few `examples` of each event type and version. Nothing is written.
    ///
    /// An event must be known to what is registered here; in a stream of an aggregate that is registered, to that. What
    /// has come so far is told after each page.
    ///
    /// Cancellation: the run may be given up at any time.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn dry_run(
        &self,
        store: &dyn EventStore,
        examples: usize,
        mut so_far: impl FnMut(&DryRun),
    ) -> Result<DryRun, StoreError> {
        let end = store.head().await?.last;
        let mut run = DryRun { end, ..DryRun::default() };
        while run.position < end {
            let page = store.read_log(&LogFilter::all(), run.position, PAGE).await?;
            // What is still being appended is none of the events there were.
            if page.events.is_empty() {
                break;
            }
            for event in page.events.iter().take_while(|event| event.position <= end) {
                run.take(event, self.try_read(event), examples);
            }
            run.position = page.through.min(end);
            so_far(&run);
        }
        Ok(run)
    }

    /// How many events a stored one becomes; `None` if it is passed over.
    fn try_read(&self, event: &RecordedEvent) -> Result<Option<usize>, String> {
        let (category, name) = (event.stream.category(), &*event.event_type);
        let mut own = self.ignored.iter().filter(|ignored| ignored.category == category);
        if own.clone().any(|ignored| ignored.names.contains(&name)) {
            return Ok(None);
        }
        let is_aggregates = own.next().is_some();
        let mut events = None;
        for reader in self.readers_of(name) {
            let read = reader.decode(event).map_err(|error| error.to_string())?;
            events = events.max(Some(read));
        }
        let is_known_there = || {
            let mut types = self.events.iter().filter(|known| known.event_type.is_read_from(name));
            types.any(|known| known.categories.contains(&category))
        };
        match events {
            Some(events) if !is_aggregates || is_known_there() => Ok(Some(events)),
            Some(_) => Err(format!(
                "event `{name}` at version {} of stream `{}` (position {}): the aggregate with category `{category}` does \
                 not know it; list it in `events`, or pass it over with `ignore`",
                event.version, event.stream, event.position
            )),
            None => Err(format!(
                "event `{name}` v{} at version {} of stream `{}` (position {}): nothing in the catalogue knows it",
                event.schema_version, event.version, event.stream, event.position
            )),
        }
    }
}

impl DryRun {
    /// How many stored events can't be read.
    pub fn failures(&self) -> u64 {
        self.kinds.values().map(|kind| kind.failures).sum()
    }

    fn take(
        &mut self,
        event: &RecordedEvent,
        read: Result<Option<usize>, String>,
        examples: usize,
    ) {
        let key = (event.event_type.clone(), event.schema_version);
        let kind = self.kinds.entry(key).or_default();
        kind.stored += 1;
        self.stored += 1;
        match read {
            Ok(Some(events)) => {
                kind.events += events as u64;
                self.events += events as u64;
            }
            Ok(None) => kind.ignored += 1,
            Err(error) => {
                kind.failures += 1;
                if kind.examples.len() < examples {
                    kind.examples.push(error);
                }
            }
        }
    }
}

/// A table, with the examples below it.
impl fmt::Display for DryRun {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let longest = self.kinds.keys().map(|(name, _)| name.len()).max().unwrap_or(0).max(10);
        writeln!(
            formatter,
            "{:longest$}  version      stored      become     ignored  unreadable",
            "event type"
        )?;
        for ((name, version), kind) in &self.kinds {
            let Kind { stored, events, ignored, failures, .. } = kind;
            writeln!(
                formatter,
                "{name:longest$}  {version:>7}  {stored:>10}  {events:>10}  {ignored:>10}  {failures:>10}"
            )?;
        }
        let Self { stored, events, .. } = self;
        match self.failures() {
            0 => {
                write!(formatter, "All {stored} stored events can be read; they become {events}.")?;
            }
            failures => write!(formatter, "{failures} of {stored} stored events can't be read.")?,
        }
        for kind in self.kinds.values().filter(|kind| kind.failures > 0) {
            for example in &kind.examples {
                write!(formatter, "\n  {example}")?;
            }
            let more = kind.failures - kind.examples.len() as u64;
            if more > 0 {
                write!(formatter, "\n  and {more} more of the same type and version")?;
            }
        }
        Ok(())
    }
}

//! Commands to one aggregate, decided on one after the other and stored in one append.

use std::time::{Duration, Instant};

use super::Repository;
use super::job::{Decided, Done, Job};
use super::load::{Loaded, catch_up, load};
use crate::aggregate::Aggregate;
use crate::command::Committed;
use crate::error::{DispatchError, InvalidCommand, LoadError, UnknownOutcome};
use crate::event::NewEvent;
use crate::store::{Append, AppendError, Appended, StoreErrorKind};
use crate::stream::StreamId;
use crate::version::ExpectedVersion;

/// No further command is decided on once there are so many events to be stored.
const EVENTS: usize = 256;

pub(super) struct Batch<'a, A: Aggregate> {
    repository: &'a Repository,
    stream: &'a StreamId,
    /// The aggregate, if it is known.
    base: Option<Loaded<A>>,
    /// Whether it was kept from before, or taken to be new, so that it may not be what the stream holds.
    may_be_stale: bool,
    /// Whether its stream has been looked at, or an aggregate without events was taken for it.
    is_known: bool,
    /// How many commands are decided on together.
    most: usize,
    /// Whether another writer was faster.
    pub(super) met_rivals: bool,
    /// How long the last append took.
    pub(super) append_took: Duration,
}

type Jobs<A> = Vec<Box<dyn Job<A>>>;

/// A command that was decided on.
struct Entry<A> {
    job: Box<dyn Job<A>>,
    /// What it comes to once the events are stored; `None` if it is refused.
    outcome: Option<Committed>,
}

/// Commands that were decided on, and what is to be stored.
struct Decision<A> {
    entries: Vec<Entry<A>>,
    events: Vec<NewEvent>,
    /// The state has to be had anew.
    is_spoiled: bool,
}

impl<'a, A: Aggregate> Batch<'a, A> {
    pub(super) fn new(
        repository: &'a Repository,
        stream: &'a StreamId,
        kept: Option<Loaded<A>>,
    ) -> Self {
        let may_be_stale = kept.is_some();
        Self {
            repository,
            stream,
            base: kept,
            may_be_stale,
            is_known: may_be_stale,
            most: usize::MAX,
            met_rivals: false,
            append_took: Duration::ZERO,
        }
    }

    /// Carries out the commands.
    pub(super) async fn carry_out(&mut self, mut jobs: Jobs<A>) {
        while !jobs.is_empty() {
            jobs = self.round(jobs).await;
        }
    }

    /// The aggregate as it stands now, if that is known.
    pub(super) fn into_kept(self) -> Option<Loaded<A>> {
        self.base
    }

    /// Decides on commands and stores what comes of them. Returns those that are still to be carried out.
    async fn round(&mut self, mut jobs: Jobs<A>) -> Jobs<A> {
        let is_likely_new = jobs.first().is_some_and(|job| job.is_likely_new());
        let mut working = match self.loaded(is_likely_new).await {
            Ok(loaded) => loaded,
            Err(error) => {
                // It is the first one's; the others find out for themselves.
                if !jobs.is_empty() {
                    jobs.remove(0).finish(Done::Failed(error.into_dispatch()));
                }
                return jobs;
            }
        };
        let before = A::cache().map(|cached| working.copied(cached.copy(&working.state)));
        let expected = working.version;
        let Decision { entries, events, is_spoiled } = self.decide(&mut working, &mut jobs);
        if is_spoiled {
            if std::mem::take(&mut self.may_be_stale) {
                // It may be so in a state of before only.
                return self.once_more(before, entries, jobs).await;
            }
            self.base = before;
            // Its caller gets an answer, the others another chance.
            return finish_spoiled(entries).into_iter().chain(jobs).collect();
        }
        if events.is_empty() {
            let before = working.version;
            self.base = Some(working);
            // No append tells whether the state was still that of the stream.
            if std::mem::take(&mut self.may_be_stale) {
                self.catch_up().await;
                if self.base.as_ref().is_none_or(|base| base.version != before) {
                    return all(entries).chain(jobs).collect();
                }
            }
            for Entry { job, outcome } in entries {
                job.finish(outcome.map_or(Done::Refused, Done::Committed));
            }
            return jobs;
        }
        let append =
            match Append::new(self.stream.clone(), ExpectedVersion::Exact(expected), events) {
                Ok(append) => append,
                Err(_) if std::mem::take(&mut self.may_be_stale) => {
                    // In another state, it may be less, or refused.
                    return self.once_more(before, entries, jobs).await;
                }
                Err(_) if entries.len() > 1 => {
                    // Together they are too much.
                    (self.base, self.most) = (before, 1);
                    return all(entries).chain(jobs).collect();
                }
                Err(error) => {
                    self.base = before;
                    let invalid = InvalidCommand::from(error);
                    if let Some(Entry { job, .. }) = entries.into_iter().next() {
                        job.finish(Done::Failed(DispatchError::Invalid(invalid)));
                    }
                    return jobs;
                }
            };
        let begun = Instant::now();
        let appended = self.repository.store.append(&append).await;
        self.append_took = begun.elapsed();
        match appended {
            Ok(appended) => {
                self.stored(working, appended, entries).await;
                jobs
            }
            Err(error) if depends_on_state(&error) && std::mem::take(&mut self.may_be_stale) => {
                // Nobody was faster: it was decided on in a state of before.
                self.once_more(before, entries, jobs).await
            }
            Err(AppendError::Conflict(conflict)) => {
                (self.base, self.met_rivals) = (before, true);
                let mut delay = Duration::ZERO;
                let mut rest = Vec::new();
                for mut job in all(entries) {
                    match job.again() {
                        Some(next) => {
                            delay = delay.max(next);
                            rest.push(job);
                        }
                        None => job.finish(Done::Conflict(conflict.clone())),
                    }
                }
                tracing::debug!(%conflict, commands = rest.len(), "deciding again");
                if !rest.is_empty() {
                    tokio::time::sleep(delay).await;
                }
                self.catch_up().await;
                rest.into_iter().chain(jobs).collect()
            }
            Err(AppendError::Store(error)) => {
                for job in all(entries) {
                    let error = error.clone();
                    job.finish(Done::Failed(if error.kind() == StoreErrorKind::OutcomeUnknown {
                        let append = append.clone();
                        DispatchError::OutcomeUnknown(Box::new(UnknownOutcome { append, error }))
                    } else {
                        DispatchError::Store(error)
                    }));
                }
                // Nobody knows where the stream stands.
                self.may_be_stale = false;
                jobs
            }
        }
    }

    async fn loaded(&mut self, is_likely_new: bool) -> Result<Loaded<A>, LoadError> {
        let is_known = std::mem::replace(&mut self.is_known, true);
        if let Some(base) = self.base.take() {
            return Ok(base);
        }
        if !is_known && is_likely_new {
            self.may_be_stale = true;
            return Ok(Loaded::new(self.stream.clone()));
        }
        load(&*self.repository.store, self.stream.clone()).await
    }

    /// All of them again, in the state that this one has become.
    async fn once_more(
        &mut self,
        stale: Option<Loaded<A>>,
        entries: Vec<Entry<A>>,
        jobs: Jobs<A>,
    ) -> Jobs<A> {
        self.base = stale;
        self.catch_up().await;
        all(entries).chain(jobs).collect()
    }

    /// Decides on commands until there is enough to be stored. Those that are left stay in `jobs`.
    fn decide(&self, working: &mut Loaded<A>, jobs: &mut Jobs<A>) -> Decision<A> {
        let mut decision = Decision {
            entries: Vec::with_capacity(jobs.len()),
            events: Vec::new(),
            is_spoiled: false,
        };
        let mut waiting = std::mem::take(jobs).into_iter();
        for mut job in waiting.by_ref() {
            let decided = job.decide(working);
            decision.is_spoiled = matches!(decided, Decided::Spoiled);
            let outcome = match decided {
                Decided::Events(events) => {
                    let outcome = Committed {
                        stream: self.stream.clone(),
                        version: working.version,
                        position: working.position,
                        events: events.len(),
                        attempts: 1,
                        replayed: false,
                    };
                    decision.events.extend(events);
                    Some(outcome)
                }
                Decided::Refused | Decided::Spoiled => None,
            };
            decision.entries.push(Entry { job, outcome });
            let is_full = decision.events.len() >= EVENTS || decision.entries.len() >= self.most;
            if decision.is_spoiled || is_full {
                break;
            }
        }
        *jobs = waiting.collect();
        decision
    }

    async fn stored(&mut self, mut working: Loaded<A>, appended: Appended, entries: Vec<Entry<A>>) {
        let is_ours = !appended.replayed && appended.version == working.version;
        for Entry { job, outcome } in entries {
            let position = appended.position;
            job.finish(match outcome {
                Some(committed) => Done::Committed(Committed { position, ..committed }),
                None => Done::Refused,
            });
        }
        self.may_be_stale = false;
        if is_ours {
            working.position = appended.position;
            self.repository.snapshot_if_due(&mut working).await;
            // Loading it took time once.
            working.took = Duration::ZERO;
            self.base = Some(working);
        }
    }

    /// Makes sure that an aggregate that was kept is that of the stream.
    pub(super) async fn refresh(&mut self) {
        self.may_be_stale = false;
        self.catch_up().await;
    }

    /// Reads what others have appended to an aggregate that is kept.
    async fn catch_up(&mut self) {
        if let Some(base) = &mut self.base
            && catch_up(&*self.repository.store, base).await.is_err()
        {
            // Loading it anew tells what is wrong.
            self.base = None;
        }
    }
}

/// Whether an append may fail because of the state in which its commands were decided on.
fn depends_on_state(error: &AppendError) -> bool {
    match error {
        AppendError::Conflict(_) => true,
        AppendError::Store(error) => error.kind() == StoreErrorKind::InvalidInput,
    }
}

fn all<A: Aggregate>(entries: Vec<Entry<A>>) -> impl Iterator<Item = Box<dyn Job<A>>> {
    entries.into_iter().map(|entry| entry.job)
}

/// The last one has spoiled the state, and knows why.
fn finish_spoiled<A: Aggregate>(mut entries: Vec<Entry<A>>) -> Jobs<A> {
    if let Some(Entry { job, .. }) = entries.pop() {
        job.finish(Done::Refused);
    }
    all(entries).collect()
}

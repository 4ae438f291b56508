//! Gathering: what is asked of a database while it is busy with the same is asked together, in one round trip.
//!
//! Appends share commits that way (group commit), and reads of streams share statements.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::stream::StreamId;

#[cfg(test)]
mod tests;

/// What a store does with the jobs that [`Gather`] hands it. For authors of stores.
#[async_trait]
pub trait Group: Send + Sync + 'static {
    /// What is to be done.
    type Job: Clone + Send + Sync + 'static;

    /// What comes of it.
    type Answer: Send + 'static;

    /// How much it is: events, and bytes of payload.
    fn size(job: &Self::Job) -> (usize, usize);

    /// The stream of which there may be only one job at a time.
    fn stream(job: &Self::Job) -> Option<&StreamId>;

    /// The answer where nobody can tell what has become of the job.
    fn ended(job: &Self::Job) -> Self::Answer;

    /// Does one, when nothing else is to be done.
    async fn one(&self, job: &Self::Job) -> Self::Answer;

    /// Does several and [finishes](Pending::finish) each. Each succeeds or fails for reasons of its own.
    async fn many(&self, jobs: Vec<Pending<Self>>);
}

/// Gathers jobs while others are being done. Nothing waits where nothing is under way.
pub struct Gather<G: Group> {
    shared: Arc<Shared<G>>,
}

/// How much is done at once.
#[derive(Debug, Clone, Copy)]
pub struct GatherLimits {
    /// Round trips under way at the same time.
    pub in_flight: usize,
    /// Events in one, unless a single job has more.
    pub events: usize,
    /// Bytes of payload in one, unless a single job has more.
    pub bytes: usize,
    /// Jobs that wait; whoever brings one more waits to be let in.
    pub waiting: usize,
}

impl GatherLimits {
    /// The same, where nothing is gathered: whatever comes is done at once, and by itself.
    #[must_use]
    pub const fn alone(self) -> Self {
        Self { in_flight: usize::MAX, ..self }
    }
}

struct Shared<G: Group> {
    group: G,
    limits: GatherLimits,
    room: Arc<Semaphore>,
    queue: Mutex<Queue<G>>,
}

struct Queue<G: Group + ?Sized> {
    in_flight: usize,
    waiting: VecDeque<Pending<G>>,
}

/// A job that is to be done together with others.
pub struct Pending<G: Group + ?Sized> {
    job: G::Job,
    done: oneshot::Sender<G::Answer>,
    runtime: Handle,
    _room: OwnedSemaphorePermit,
}

impl<G: Group + ?Sized> Pending<G> {
    /// The job.
    pub fn job(&self) -> &G::Job {
        &self.job
    }

    /// Tells whoever waits for it what came of it.
    pub fn finish(self, answer: G::Answer) {
        // A caller who is gone does not want to know.
        let _ = self.done.send(answer);
    }
}

impl<G: Group> Gather<G> {
    /// Gathers jobs for this group.
    pub fn new(group: G, limits: GatherLimits) -> Self {
        let room = Arc::new(Semaphore::new(limits.waiting.max(1)));
        let queue = Mutex::new(Queue { in_flight: 0, waiting: VecDeque::new() });
        Self { shared: Arc::new(Shared { group, limits, room, queue }) }
    }

    /// The right to do something by oneself now, if nobody waits for it.
    pub fn turn(&self) -> Option<Turn<G>> {
        self.shared.turn()
    }

    /// Does the job, together with others if that is quicker.
    ///
    /// Cancellation: when the future is dropped, the job is done or not; others go on.
    pub async fn carry_out(&self, job: &G::Job) -> G::Answer {
        if let Some(_turn) = self.turn() {
            return self.shared.group.one(job).await;
        }
        let Ok(room) = self.shared.room.clone().acquire_owned().await else {
            return G::ended(job);
        };
        let (done, answer) = oneshot::channel();
        let runtime = Handle::current();
        self.shared.enqueue(Pending { job: job.clone(), done, runtime, _room: room });
        answer.await.unwrap_or_else(|_| G::ended(job))
    }
}

impl<G: Group> Shared<G> {
    fn queue(&self) -> MutexGuard<'_, Queue<G>> {
        // What is changed under the lock is never left half done.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(self: &Arc<Self>) -> Option<Turn<G>> {
        let mut queue = self.queue();
        let is_free = queue.in_flight < self.limits.in_flight && queue.waiting.is_empty();
        is_free.then(|| {
            queue.in_flight += 1;
            Turn(self.clone())
        })
    }

    fn enqueue(self: &Arc<Self>, pending: Pending<G>) {
        let mut queue = self.queue();
        queue.waiting.push_back(pending);
        if queue.in_flight < self.limits.in_flight {
            queue.in_flight += 1;
            drop(queue);
            // It begins with what waits.
            drop(Turn(self.clone()));
        }
    }

    /// The next jobs to be done together; empty if none wait.
    fn next(&self) -> Vec<Pending<G>> {
        let mut queue = self.queue();
        let mut batch: Vec<Pending<G>> = Vec::new();
        let (mut events, mut bytes) = (0, 0);
        let mut streams = HashSet::new();
        let mut passed: VecDeque<Pending<G>> = VecDeque::new();
        while let Some(pending) = queue.waiting.pop_front() {
            if pending.done.is_closed() {
                continue;
            }
            let (new, size) = G::size(&pending.job);
            let is_over = events + new > self.limits.events || bytes + size > self.limits.bytes;
            if is_over && !batch.is_empty() {
                queue.waiting.push_front(pending);
                break;
            }
            // The second job of a stream waits for the outcome of the first.
            let is_second =
                G::stream(&pending.job).is_some_and(|stream| !streams.insert(stream.clone()));
            if is_second {
                passed.push_back(pending);
                continue;
            }
            (events, bytes) = (events + new, bytes + size);
            batch.push(pending);
        }
        while let Some(pending) = passed.pop_back() {
            queue.waiting.push_front(pending);
        }
        if batch.is_empty() {
            queue.in_flight -= 1;
        }
        batch
    }
}

/// The right to do something. Whoever is done passes it on to those who wait.
#[must_use = "it ends when it is dropped"]
pub struct Turn<G: Group>(Arc<Shared<G>>);

impl<G: Group> Drop for Turn<G> {
    fn drop(&mut self) {
        let batch = self.0.next();
        let Some(runtime) = batch.first().map(|pending| pending.runtime.clone()) else { return };
        let shared = self.0.clone();
        runtime.spawn(async move {
            // Passed on also where that panics.
            let turn = Turn(shared);
            turn.0.group.many(batch).await;
            // Those who have been answered may have more to do at once; it goes into one batch.
            tokio::task::yield_now().await;
            drop(turn);
        });
    }
}

impl<G: Group> fmt::Debug for Gather<G> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queue = self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
        formatter
            .debug_struct("Gather")
            .field("in_flight", &queue.in_flight)
            .field("waiting", &queue.waiting.len())
            .finish_non_exhaustive()
    }
}

impl<G: Group> fmt::Debug for Turn<G> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Turn").finish()
    }
}

/// Without the job: what is in an event is not for logs.
impl<G: Group + ?Sized> fmt::Debug for Pending<G> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pending").finish_non_exhaustive()
    }
}

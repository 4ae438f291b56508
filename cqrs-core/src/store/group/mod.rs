//! Group commit: appends that arrive while others are being stored are stored together, in one commit.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::{Append, AppendError, Appended, StoreError, StoreErrorKind};

#[cfg(test)]
mod tests;

/// What a store does with the appends that [`GroupCommit`] hands it. For authors of stores.
#[async_trait]
pub trait Group: Send + Sync + 'static {
    /// Stores one, when nothing else is to be stored.
    ///
    /// # Errors
    /// See [`EventStore::append`](crate::EventStore::append).
    async fn one(&self, append: &Append) -> Result<Appended, AppendError>;

    /// Stores several, no two of the same stream, and [finishes](Pending::finish) each: all in one commit as a rule.
    /// Each is stored or refused for reasons of its own.
    async fn many(&self, appends: Vec<Pending>);
}

/// Gathers appends while others are being stored. Nothing waits where nothing is under way.
pub struct GroupCommit<G> {
    shared: Arc<Shared<G>>,
}

/// How much is stored at once.
#[derive(Debug, Clone, Copy)]
pub struct GroupLimits {
    /// Commits under way at the same time.
    pub in_flight: usize,
    /// Events in a commit, unless a single append has more.
    pub events: usize,
    /// Bytes of payload in a commit, unless a single append has more.
    pub bytes: usize,
    /// Appends that wait; whoever brings one more waits to be let in.
    pub waiting: usize,
}

struct Shared<G> {
    group: G,
    limits: GroupLimits,
    room: Arc<Semaphore>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    in_flight: usize,
    waiting: VecDeque<Pending>,
}

/// An append that is to be stored together with others.
pub struct Pending {
    append: Append,
    done: oneshot::Sender<Result<Appended, AppendError>>,
    runtime: Handle,
    _room: OwnedSemaphorePermit,
}

impl Pending {
    /// The append.
    pub fn append(&self) -> &Append {
        &self.append
    }

    /// Tells whoever waits for it what became of it.
    pub fn finish(self, outcome: Result<Appended, AppendError>) {
        // A caller who is gone does not want to know.
        let _ = self.done.send(outcome);
    }
}

impl<G: Group> GroupCommit<G> {
    /// Gathers appends for this group.
    pub fn new(group: G, limits: GroupLimits) -> Self {
        let room = Arc::new(Semaphore::new(limits.waiting.max(1)));
        let queue = Mutex::new(Queue::default());
        Self { shared: Arc::new(Shared { group, limits, room, queue }) }
    }

    /// Stores the events, together with those of other appends if that is quicker.
    ///
    /// Cancellation: when the future is dropped, the events are stored all or not at all; other appends go on.
    ///
    /// # Errors
    /// See [`EventStore::append`](crate::EventStore::append).
    pub async fn append(&self, append: &Append) -> Result<Appended, AppendError> {
        if let Some(_turn) = self.shared.turn() {
            return self.shared.group.one(append).await;
        }
        let Ok(room) = self.shared.room.clone().acquire_owned().await else {
            return Err(ended(append).into());
        };
        let (done, outcome) = oneshot::channel();
        let (append, runtime) = (append.clone(), Handle::current());
        let stream = append.clone();
        self.shared.enqueue(Pending { append, done, runtime, _room: room });
        outcome.await.unwrap_or_else(|_| Err(ended(&stream).into()))
    }
}

impl<G: Group> Shared<G> {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // What is changed under the lock is never left half done.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to store something now, if nobody waits for it.
    fn turn(self: &Arc<Self>) -> Option<Turn<G>> {
        let mut queue = self.queue();
        let is_free = queue.in_flight < self.limits.in_flight && queue.waiting.is_empty();
        is_free.then(|| {
            queue.in_flight += 1;
            Turn(self.clone())
        })
    }

    fn enqueue(self: &Arc<Self>, pending: Pending) {
        let mut queue = self.queue();
        queue.waiting.push_back(pending);
        if queue.in_flight < self.limits.in_flight {
            queue.in_flight += 1;
            drop(queue);
            // It begins with what waits.
            drop(Turn(self.clone()));
        }
    }

    /// The next appends to be stored together; empty if none wait.
    fn next(&self) -> Vec<Pending> {
        let mut queue = self.queue();
        let mut batch: Vec<Pending> = Vec::new();
        let (mut events, mut bytes) = (0, 0);
        let mut streams = HashSet::new();
        let mut passed: VecDeque<Pending> = VecDeque::new();
        while let Some(pending) = queue.waiting.pop_front() {
            if pending.done.is_closed() {
                continue;
            }
            let new = pending.append.events();
            let size: usize = new.iter().map(|event| event.payload().len()).sum();
            let is_over =
                events + new.len() > self.limits.events || bytes + size > self.limits.bytes;
            if is_over && !batch.is_empty() {
                queue.waiting.push_front(pending);
                break;
            }
            // The second append to a stream waits for the outcome of the first.
            if !streams.insert(pending.append.stream().clone()) {
                passed.push_back(pending);
                if passed.len() >= self.limits.events {
                    break;
                }
                continue;
            }
            (events, bytes) = (events + new.len(), bytes + size);
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

/// The right to store something. Whoever is done passes it on to those who wait.
struct Turn<G: Group>(Arc<Shared<G>>);

impl<G: Group> Drop for Turn<G> {
    fn drop(&mut self) {
        let batch = self.0.next();
        let Some(runtime) = batch.first().map(|pending| pending.runtime.clone()) else { return };
        let shared = self.0.clone();
        runtime.spawn(async move {
            // Passed on also where storing panics.
            let turn = Turn(shared);
            turn.0.group.many(batch).await;
        });
    }
}

#[cold]
fn ended(append: &Append) -> StoreError {
    let context = format!(
        "appending to stream `{}`: what was to store it has ended with its runtime",
        append.stream()
    );
    StoreError::new(StoreErrorKind::OutcomeUnknown, context)
}

impl<G> fmt::Debug for GroupCommit<G> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queue = self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
        formatter
            .debug_struct("GroupCommit")
            .field("in_flight", &queue.in_flight)
            .field("waiting", &queue.waiting.len())
            .finish_non_exhaustive()
    }
}

/// Only where it goes: what is in an event is not for logs.
impl fmt::Debug for Pending {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Pending")
            .field("stream", self.append.stream())
            .finish_non_exhaustive()
    }
}

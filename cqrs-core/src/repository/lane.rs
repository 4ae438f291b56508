//! Commands to one aggregate that arrive while another is being carried out: they are decided on one after the other, each
//! in the state the one before has left, and stored together.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::batch::Batch;
use super::job::{Answer, CommandJob, Job};
use super::load::Loaded;
use super::manners::Manners;
use super::{Outcome, Repository};
use crate::aggregate::Aggregate;
use crate::command::AggregateCommand;
use crate::error::DispatchError;
use crate::metadata::Metadata;
use crate::stream::StreamId;

/// The lanes of all aggregates of a type, and the aggregates that are kept in memory.
pub(crate) struct Lanes<A: Aggregate> {
    lanes: moka::sync::Cache<StreamId, Arc<Lane<A>>>,
}

/// Those who wait for one aggregate, beside those whose commands are being carried out.
const WAITING: usize = 1_024;

/// Lanes of aggregates that are not kept in memory. One that is given up while commands are in it goes on: those that come
/// later go another way, and conflicts tell them apart.
const LANES: u64 = 4_096;

/// The commands to one aggregate.
pub(super) struct Lane<A: Aggregate> {
    pub(super) stream: StreamId,
    room: Arc<Semaphore>,
    queue: Mutex<Queue<A>>,
}

struct Queue<A: Aggregate> {
    is_busy: bool,
    waiting: VecDeque<Box<dyn Job<A>>>,
    /// The aggregate as it stood after the last command: for those who wait, and for later if it is cached.
    kept: Option<Loaded<A>>,
    manners: Manners,
}

impl<A: Aggregate> Lanes<A> {
    pub(crate) fn new() -> Self {
        let capacity = A::cache().map_or(LANES, |cached| cached.aggregates());
        Self { lanes: moka::sync::Cache::new(capacity) }
    }

    fn of(&self, stream: &StreamId) -> Arc<Lane<A>> {
        if let Some(lane) = self.lanes.get(stream) {
            return lane;
        }
        self.lanes.get_with_by_ref(stream, || Arc::new(Lane::new(stream.clone())))
    }

    /// Carries out a command, together with others to the same aggregate if there are some.
    pub(super) async fn execute<C: AggregateCommand<Aggregate = A>>(
        &self,
        repository: &Repository,
        stream: &StreamId,
        command: C,
        metadata: Arc<Metadata>,
    ) -> Outcome<C> {
        let lane = self.of(stream);
        if let Some(turn) = lane.turn(repository) {
            let (job, outcome) = CommandJob::waiting(command, metadata, repository.retry, None);
            // Whoever drops this future gives up this command, and nobody else's.
            turn.serve(vec![job]).await;
            return answer::<C>(outcome).await;
        }
        let room = lane.room.clone().acquire_owned().await.ok();
        let (job, outcome) = CommandJob::waiting(command, metadata, repository.retry, room);
        lane.enqueue(repository, job);
        answer::<C>(outcome).await
    }
}

/// What has become of a command.
async fn answer<C: AggregateCommand>(outcome: Answer<C>) -> Outcome<C> {
    match outcome.await {
        Ok(Ok(outcome)) => outcome,
        // The panic of a handler is its caller's, as if it had been called there.
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        Err(_) => Err(DispatchError::Stopped("the runtime that carried it out has ended".into())),
    }
}

impl<A: Aggregate> Lane<A> {
    fn new(stream: StreamId) -> Self {
        let manners = Manners::default();
        let queue = Queue { is_busy: false, waiting: VecDeque::new(), kept: None, manners };
        Self { stream, room: Arc::new(Semaphore::new(WAITING)), queue: Mutex::new(queue) }
    }

    fn queue(&self) -> MutexGuard<'_, Queue<A>> {
        // What is changed under the lock is never left half done.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to carry out commands, if nobody has it.
    fn turn(self: &Arc<Self>, repository: &Repository) -> Option<Turn<A>> {
        let mut queue = self.queue();
        (!queue.is_busy).then(|| {
            queue.is_busy = true;
            Turn { lane: self.clone(), repository: repository.clone() }
        })
    }

    fn enqueue(self: &Arc<Self>, repository: &Repository, job: Box<dyn Job<A>>) {
        let mut queue = self.queue();
        queue.waiting.push_back(job);
        if !queue.is_busy {
            queue.is_busy = true;
            drop(queue);
            // It goes on with what waits.
            drop(Turn { lane: self.clone(), repository: repository.clone() });
        }
    }
}

/// The right to carry out the commands of a lane. Whoever is done passes it on to those who wait.
pub(super) struct Turn<A: Aggregate> {
    lane: Arc<Lane<A>>,
    repository: Repository,
}

impl<A: Aggregate> Turn<A> {
    /// Carries out these commands.
    async fn serve(&self, jobs: Vec<Box<dyn Job<A>>>) {
        let rest = self.lane.queue().manners.rest();
        if let Some(until) = rest {
            tokio::time::sleep_until(until).await;
        }
        let kept = self.lane.queue().kept.take();
        let mut batch = Batch::new(&self.repository, &self.lane.stream, kept);
        if rest.is_some() {
            // Others have used the time, most likely.
            batch.refresh().await;
        }
        batch.carry_out(jobs).await;
        let (met_rivals, took) = (batch.met_rivals, batch.append_took);
        let mut queue = self.lane.queue();
        queue.kept = batch.into_kept();
        queue.manners.served(met_rivals, took);
    }
}

impl<A: Aggregate> Drop for Turn<A> {
    fn drop(&mut self) {
        let mut queue = self.lane.queue();
        let jobs: Vec<_> = queue.waiting.drain(..).filter(|job| !job.is_given_up()).collect();
        // Without a runtime there is nobody who waits, either.
        let runtime = if jobs.is_empty() { None } else { Handle::try_current().ok() };
        let Some(runtime) = runtime else {
            queue.is_busy = false;
            if A::cache().is_none() {
                queue.kept = None;
            }
            return;
        };
        drop(queue);
        let turn = Self { lane: self.lane.clone(), repository: self.repository.clone() };
        runtime.spawn(async move {
            turn.serve(jobs).await;
            // Those who have been answered may have more commands at once; they go into one batch.
            tokio::task::yield_now().await;
            drop(turn);
        });
    }
}

impl<A: Aggregate> fmt::Debug for Lanes<A> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Lanes")
            .field("lanes", &self.lanes.entry_count())
            .finish_non_exhaustive()
    }
}

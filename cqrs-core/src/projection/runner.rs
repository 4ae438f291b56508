//! Starts projections, and what is in the hand of whoever started one.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::Projection;
use super::status::{Phase, Status, Stopped};
use super::worker::Worker;
use crate::store::{EventStore, StoreError};
use crate::stream::StreamId;
use crate::version::Position;

/// How projections are run.
#[derive(Debug, Clone)]
pub(super) struct Options {
    pub(super) batch: usize,
    pub(super) lease: Duration,
    pub(super) attempts: u32,
    pub(super) max_parked: usize,
}

/// Starts projections over a store.
///
/// Each projection has one owner among all processes: the one that holds its lease. The others stand by, and one of them
/// takes over when the owner is gone.
#[derive(Debug, Clone)]
pub struct Projector {
    store: Arc<dyn EventStore>,
    options: Options,
}

impl Projector {
    /// Starts projections of the events in this store.
    pub fn new(store: impl EventStore) -> Self {
        let options =
            Options { batch: 500, lease: Duration::from_secs(10), attempts: 5, max_parked: 100 };
        Self { store: Arc::new(store), options }
    }

    /// At most so many events share a transaction; 500 by default.
    #[must_use]
    pub fn batch(mut self, events: usize) -> Self {
        self.options.batch = events.max(1);
        self
    }

    /// How long after the end of its owner's process a projection stands still at most, 10 seconds by default. A batch
    /// of events has to be done in less.
    #[must_use]
    pub fn lease(mut self, time: Duration) -> Self {
        self.options.lease = time;
        self
    }

    /// How many times an event is tried before its stream is parked, with growing pauses between; 5 by default.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.options.attempts = attempts.max(1);
        self
    }

    /// A projection with more parked streams than this stops; 100 by default.
    #[must_use]
    pub fn max_parked(mut self, streams: usize) -> Self {
        self.options.max_parked = streams;
        self
    }

    /// Starts a projection on a task of its own.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start<P: Projection>(&self, projection: P, model: P::Model) -> Running {
        let (status, seen) = watch::channel(Status {
            projection: P::NAME,
            phase: Phase::Starting,
            position: Position::START,
            parked: 0,
            last_error: None,
        });
        let (requests, received) = mpsc::channel(16);
        let (stop, asked) = watch::channel(());
        let store = self.store.clone();
        let worker = Worker::new(projection, model, store, self.options.clone(), status, received);
        Running { status: seen, requests, stop, task: tokio::spawn(run(worker, asked)) }
    }
}

/// Runs until something ends it; dropping the work at any await is safe, because what is not committed is rolled back.
async fn run<P: Projection>(mut worker: Worker<P>, mut asked: watch::Receiver<()>) -> Stopped {
    let stopped = {
        let work = pin!(worker.run());
        // An error means that the handle was dropped, which asks to stop as well.
        let asked = pin!(asked.changed());
        match select(work, asked).await {
            Either::Left((stopped, _)) => stopped,
            Either::Right(_) => Stopped::Asked,
        }
    };
    worker.finish(&stopped).await;
    stopped
}

/// A projection that was started. Dropping it asks the projection to stop.
pub struct Running {
    status: watch::Receiver<Status>,
    requests: mpsc::Sender<Request>,
    stop: watch::Sender<()>,
    task: JoinHandle<Stopped>,
}

/// What is asked of a running projection.
pub(super) struct Request {
    pub(super) stream: StreamId,
    pub(super) what: What,
    pub(super) answer: oneshot::Sender<Result<(), ParkedError>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Replay,
    Discard,
}

impl Running {
    /// What the projection is doing now.
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// How far the projection is, for others to wait for: a [bus](crate::BusBuilder::view) that answers from its rows.
    pub fn progress(&self) -> Progress {
        Progress(self.status.clone())
    }

    /// Waits until the read model has seen the log up to `position`, such as that of a command's outcome.
    ///
    /// # Errors
    /// When that takes longer than `time`, or the projection stops before. On a process that stands by, the position is
    /// known only when it takes over.
    pub async fn wait_for(&self, position: Position, time: Duration) -> Result<(), NotYet> {
        self.progress().wait_for(position, time).await
    }

    /// Takes the events of a parked stream in order, from the one that failed up to where the projection is, and
    /// unparks the stream.
    ///
    /// # Errors
    /// When the stream is not parked, an event fails again, or the projection is run by another process.
    pub async fn replay(&self, stream: StreamId) -> Result<(), ParkedError> {
        self.ask(stream, What::Replay).await
    }

    /// Gives up the event of a parked stream that failed, for good, and takes those behind it.
    ///
    /// # Errors
    /// When the stream is not parked, a later event fails, or the projection is run by another process.
    pub async fn discard(&self, stream: StreamId) -> Result<(), ParkedError> {
        self.ask(stream, What::Discard).await
    }

    async fn ask(&self, stream: StreamId, what: What) -> Result<(), ParkedError> {
        let (answer, answered) = oneshot::channel();
        let request = Request { stream, what, answer };
        self.requests.send(request).await.map_err(|_| ParkedError::NotRunning)?;
        answered.await.map_err(|_| ParkedError::NotRunning)?
    }

    /// Stops the projection and gives its lease back, so that another process takes over at once. What is not committed
    /// is rolled back.
    pub async fn stop(self) -> Stopped {
        let Self { stop, task, .. } = self;
        stop.send_replace(());
        ended(task).await
    }

    /// Waits until the projection stops by itself, which it does only when it can't go on.
    pub async fn stopped(self) -> Stopped {
        // The rest of the handle must live on: without it, the projection would be asked to stop.
        let Self { stop, task, requests, status } = self;
        let stopped = ended(task).await;
        drop((stop, requests, status));
        stopped
    }
}

async fn ended(task: JoinHandle<Stopped>) -> Stopped {
    task.await.unwrap_or_else(|error| Stopped::Aborted(error.to_string()))
}

impl fmt::Debug for Running {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Running")
            .field("status", &*self.status.borrow())
            .finish_non_exhaustive()
    }
}

/// How far a running projection is. Made by [`Running::progress`]; it does not keep the projection running.
#[derive(Debug, Clone)]
pub struct Progress(watch::Receiver<Status>);

impl Progress {
    /// What the projection is doing now.
    pub fn status(&self) -> Status {
        self.0.borrow().clone()
    }

    /// Waits until the read model has seen the log up to `position`; see [`Running::wait_for`].
    ///
    /// # Errors
    /// When that takes longer than `time`, or the projection stops before.
    pub async fn wait_for(&self, position: Position, time: Duration) -> Result<(), NotYet> {
        let mut status = self.0.clone();
        let over = |status: &Status| status.position >= position || status.phase == Phase::Stopped;
        let reached = match tokio::time::timeout(time, status.wait_for(over)).await {
            Ok(Ok(status)) => status.position >= position,
            Ok(Err(_)) | Err(_) => false,
        };
        if reached {
            return Ok(());
        }
        Err(NotYet { position, status: Box::new(self.status()) })
    }
}

/// A read model has not come as far as was waited for.
#[derive(Debug, thiserror::Error)]
#[error(
    "projection `{}` has not seen position {position} yet: it is at {} ({:?})",
    status.projection, status.position, status.phase
)]
pub struct NotYet {
    /// The position waited for.
    pub position: Position,
    /// What the projection was doing when the wait was over.
    pub status: Box<Status>,
}

/// Why nothing could be done about a parked stream.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParkedError {
    /// The stream is not parked.
    #[error("stream `{0}` is not parked")]
    NotParked(StreamId),
    /// An event failed again; the stream stays parked, at that event.
    #[error("event `{event_type}` at version {version} of stream `{stream}` failed: {error}")]
    Failed {
        /// The stream.
        stream: StreamId,
        /// The version of the event.
        version: crate::version::Version,
        /// The type of the event.
        event_type: String,
        /// How it failed.
        error: String,
    },
    /// The projection does not run in this process, or has lost its lease.
    #[error("the projection does not run in this process now; ask the one that runs it")]
    NotRunning,
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

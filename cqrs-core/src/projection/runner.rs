//! Starts projections, and what is in the hand of whoever started one.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::Projection;
use super::status::{Phase, Status, Stopped, Target};
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
            parked: Arc::default(),
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
#[must_use = "dropping it stops the projection"]
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

    /// Waits until the read model shows the target: the log up to a [`Position`], less what is parked, or the outcome of a
    /// command.
    ///
    /// # Errors
    /// When that takes longer than `time`, the stream of the command is parked, or the projection stops before. On a
    /// process that stands by, the position is known only when it takes over.
    pub async fn wait_for(&self, target: impl Into<Target>, time: Duration) -> Result<(), NotYet> {
        self.progress().wait_for(target, time).await
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

    /// Waits until the read model shows the target; see [`Running::wait_for`].
    ///
    /// # Errors
    /// When that takes longer than `time`, the stream of the command is parked, or the projection stops before.
    pub async fn wait_for(&self, target: impl Into<Target>, time: Duration) -> Result<(), NotYet> {
        let target = target.into();
        let mut status = self.0.clone();
        // Behind the position nothing is waited for: a parked stream is not shown by waiting.
        let over =
            |status: &Status| status.position >= target.position || status.phase == Phase::Stopped;
        let shown = match tokio::time::timeout(time, status.wait_for(over)).await {
            Ok(Ok(status)) => status.shows(&target),
            Ok(Err(_)) | Err(_) => false,
        };
        if shown {
            return Ok(());
        }
        Err(NotYet { target, status: Box::new(self.status()) })
    }
}

/// A read model does not show what was waited for.
#[derive(Debug)]
pub struct NotYet {
    /// What was waited for.
    pub target: Target,
    /// What the projection was doing when the wait was over.
    pub status: Box<Status>,
}

impl fmt::Display for NotYet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, status } = self;
        match &target.stream {
            Some(stream) if status.parked.contains(stream) => write!(
                formatter,
                "projection `{}` does not show stream `{stream}`, which is parked since one of its events failed",
                status.projection
            ),
            _ => write!(
                formatter,
                "projection `{}` has not seen position {} yet: it is at {} ({:?})",
                status.projection, target.position, status.position, status.phase
            ),
        }
    }
}

impl std::error::Error for NotYet {}

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

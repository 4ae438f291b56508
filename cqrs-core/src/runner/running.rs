//! What is in the hand of whoever started a projection.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::board::Board;
use super::progress::{NotYet, Progress, Target};
use super::projections::Projections;
use super::status::{Status, Stopped};
use crate::read_model::ProjectionId;
use crate::store::StoreError;
use crate::stream::StreamId;
use crate::version::{Position, Version};

/// A projection that was started. Dropping it asks the projection to stop.
#[must_use = "dropping it stops the projection"]
pub struct Running {
    pub(super) id: ProjectionId,
    pub(super) board: watch::Receiver<Board>,
    pub(super) signals: watch::Sender<Signal>,
    pub(super) tasks: JoinSet<Stopped>,
    pub(super) projections: Projections,
}

/// What the workers are told.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Signal {
    pub(super) stop: bool,
    /// Rises when there is something to be done about parked streams.
    pub(super) nudges: u64,
}

impl Running {
    /// What the projection is doing in this process.
    pub fn status(&self) -> Status {
        self.board.borrow().status()
    }

    /// How far the projection is, for others to wait for: a [bus](crate::BusBuilder::view) that answers from its rows.
    pub fn progress(&self) -> Progress {
        let (name, board) = (self.id.name, self.board.clone());
        Progress::new(name, Arc::clone(self.projections.model()), Some(board))
    }

    /// Waits until the rows that queries see show the target; see [`Progress::wait_for`].
    ///
    /// # Errors
    /// When that takes longer than `time`, the stream of the command is parked, or the projection stops before.
    pub async fn wait_for(&self, target: impl Into<Target>, time: Duration) -> Result<(), NotYet> {
        self.progress().wait_for(target, time).await
    }

    /// Takes the events of a parked stream in order, from the one that failed up to where the projection is, and
    /// unparks the stream. The process that has its slot does it, whichever that is.
    ///
    /// # Errors
    /// When the stream is not parked, or an event fails again, or nobody has done it in three times the time of a lease;
    /// then it will be done when somebody runs the projection.
    pub async fn replay(&self, stream: StreamId) -> Result<(), ParkedError> {
        let nudge = || self.nudge();
        self.projections.replay_nudging(self.id.name, self.id.version, &stream, nudge).await
    }

    /// Gives up the event of a parked stream that failed, for good, and takes those behind it; see
    /// [`replay`](Self::replay).
    ///
    /// # Errors
    /// When the stream is not parked, or a later event fails, or nobody has done it in three times the time of a lease.
    pub async fn discard(&self, stream: StreamId) -> Result<(), ParkedError> {
        let nudge = || self.nudge();
        self.projections.discard_nudging(self.id.name, self.id.version, &stream, nudge).await
    }

    /// Stops the projection and gives its leases back, so that another process takes over at once. What is not committed
    /// is rolled back.
    pub async fn stop(mut self) -> Stopped {
        self.signals.send_modify(|signal| signal.stop = true);
        ended(self.id.name, &mut self.tasks).await
    }

    /// Waits until the projection stops by itself, which it does only when it can't go on.
    pub async fn stopped(mut self) -> Stopped {
        // What stops one worker stops all.
        ended(self.id.name, &mut self.tasks).await
    }

    fn nudge(&self) {
        self.signals.send_modify(|signal| signal.nudges += 1);
    }
}

/// Waits for all workers; tells what has stopped one of them before it was asked.
async fn ended(projection: &'static str, tasks: &mut JoinSet<Stopped>) -> Stopped {
    let mut reason = Stopped::Asked;
    while let Some(ended) = tasks.join_next().await {
        match ended.unwrap_or_else(|error| aborted(projection, &error)) {
            Stopped::Asked => {}
            stopped => reason = stopped,
        }
    }
    reason
}

fn aborted(projection: &'static str, error: &tokio::task::JoinError) -> Stopped {
    Stopped::Aborted { projection, reason: error.to_string() }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signals.send_modify(|signal| signal.stop = true);
        // They give their leases back in their own time.
        self.tasks.detach_all();
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Running").field("status", &self.status()).finish_non_exhaustive()
    }
}

/// Why nothing could be done about a parked stream.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParkedError {
    /// The stream is not parked.
    #[error("stream `{stream}` is not parked by projection `{projection}`")]
    NotParked {
        /// The name of the projection.
        projection: String,
        /// The stream.
        stream: StreamId,
    },
    /// An event failed again; the stream stays parked, at that event.
    #[error(
        "projection `{projection}`, slot {slot}: event `{event_type}` at version {version} of stream `{stream}` (position \
         {position}) failed: {error}"
    )]
    Failed {
        /// The name of the projection.
        projection: String,
        /// The slot of the stream.
        slot: u32,
        /// The stream.
        stream: StreamId,
        /// The version of the event.
        version: Version,
        /// The position of the event.
        position: Position,
        /// The type of the event.
        event_type: String,
        /// How it failed.
        error: String,
    },
    /// Nobody has done it yet, or could.
    #[error(
        "stream `{stream}`, which is parked by projection `{projection}`, is not taken up yet; it will be when a process \
         runs the projection that can: {error}"
    )]
    NotDone {
        /// The name of the projection.
        projection: String,
        /// The stream.
        stream: StreamId,
        /// What it is parked for: the failure, or an event of a newer program that waits for that.
        error: String,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

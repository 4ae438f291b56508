//! Waiting until a read model shows something, whoever keeps it up to date.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::board::Board;
use super::status::Status;
use crate::command::Committed;
use crate::read_model::{Maintain, slot_of};
use crate::store::StoreError;
use crate::stream::StreamId;
use crate::version::Position;

/// What is to be seen in a read model: the log up to a position, or the outcome of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The position.
    pub position: Position,
    /// The stream whose events are to be among what is seen: it must not be parked. Other streams are not waited for.
    pub stream: Option<StreamId>,
}

impl From<Position> for Target {
    fn from(position: Position) -> Self {
        Self { position, stream: None }
    }
}

impl From<&Committed> for Target {
    fn from(committed: &Committed) -> Self {
        Self { position: committed.position, stream: Some(committed.stream.clone()) }
    }
}

/// How far a projection is, in whatever process it runs.
///
/// Made by [`Running::progress`](crate::Running::progress), which knows at once what its own process has done, or by
/// [`Projections::progress`](crate::Projections::progress), which asks the database. It does not keep the projection
/// running.
#[derive(Debug, Clone)]
pub struct Progress {
    projection: Arc<str>,
    model: Arc<dyn Maintain>,
    /// What the workers of this process tell, if there are any.
    board: Option<watch::Receiver<Board>>,
}

/// Whether a target is to be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    Yes,
    /// In this slot, only what is before this position.
    NotYet {
        slot: u32,
        position: Position,
    },
    /// Its stream is parked.
    Parked,
    /// Others know.
    Elsewhere,
}

impl Progress {
    pub(super) fn new(
        projection: impl Into<Arc<str>>,
        model: Arc<dyn Maintain>,
        board: Option<watch::Receiver<Board>>,
    ) -> Self {
        Self { projection: projection.into(), model, board }
    }

    /// The name of the projection.
    pub fn projection(&self) -> &str {
        &self.projection
    }

    /// What the projection is doing in this process, if it was started here.
    pub fn status(&self) -> Option<Status> {
        self.board.as_ref().map(|board| board.borrow().status())
    }

    /// Waits until the rows that queries see show the target: the log up to a [`Position`], less what is parked, or the
    /// outcome of a command.
    ///
    /// Where another process does the work, the database is asked again and again, at growing intervals of 1 to 100
    /// milliseconds.
    ///
    /// # Errors
    /// When that takes longer than `time`, the stream of the command is parked, or the projection stops before.
    pub async fn wait_for(&self, target: impl Into<Target>, time: Duration) -> Result<(), NotYet> {
        const SHORTEST: Duration = Duration::from_millis(1);
        const LONGEST: Duration = Duration::from_millis(100);
        let target = target.into();
        let until = Instant::now() + time;
        let mut board = self.board.clone();
        let mut pause = SHORTEST;
        let mut seen = Seen::Elsewhere;
        let mut failure = None;
        loop {
            // Together: it may tell of what is waited for and be over between two looks.
            let told = board.as_mut().map(|board| {
                let board = board.borrow_and_update();
                (board.shows(&target), board.is_over())
            });
            let (here, is_over) = told.unzip();
            let is_over = is_over.unwrap_or(false);
            let is_elsewhere = matches!(here, None | Some(Seen::Elsewhere));
            if let Some(here) = here
                && here != Seen::Elsewhere
            {
                seen = here;
            } else {
                match timeout_at(until, self.ask(&target)).await {
                    Ok(Ok(stored)) => (seen, failure) = (stored, None),
                    // Asked again: an outage of the database may pass.
                    Ok(Err(error)) => failure = Some(error),
                    Err(_) => {}
                }
            }
            match seen {
                Seen::Yes => return Ok(()),
                Seen::Parked => break,
                _ if is_over || Instant::now() >= until => break,
                _ => {}
            }
            // Where all is known here, the next change comes by itself.
            let next = if is_elsewhere { until.min(Instant::now() + pause) } else { until };
            if is_elsewhere {
                pause = (pause * 3 / 2).min(LONGEST);
            }
            match &mut board {
                Some(board) => drop(timeout_at(next, board.changed()).await),
                None => tokio::time::sleep_until(next).await,
            }
        }
        let place = match seen {
            Seen::NotYet { slot, position } => Some((slot, position)),
            _ => None,
        };
        let (slot, position) = place.unzip();
        let projection = self.projection.to_string();
        let is_parked = seen == Seen::Parked;
        let status = self.status().map(Box::new);
        Err(NotYet { projection, target, slot, position, is_parked, status, failure })
    }

    /// Whether the database says that the target is to be seen.
    async fn ask(&self, target: &Target) -> Result<Seen, StoreError> {
        let states = self.model.projections(Some(&self.projection)).await?;
        let Some(state) = states.into_iter().find(|state| state.in_service) else {
            return Ok(Seen::Elsewhere);
        };
        let count = u32::try_from(state.slots.len()).unwrap_or(u32::MAX);
        let wanted = target.stream.as_ref().map(|stream| slot_of(stream, count));
        let slots =
            state.slots.iter().filter(|slot| wanted.is_none_or(|wanted| wanted == slot.slot));
        let nearest = slots.map(|slot| (slot.position, slot.slot)).min();
        let (position, slot) = nearest.unwrap_or_default();
        if position < target.position {
            return Ok(Seen::NotYet { slot, position });
        }
        // After the position: an event that is parked was parked by the time the position was behind it.
        if let (Some(stream), true) = (&target.stream, state.parked > 0) {
            let parked = self.model.parked(&state.name, state.version).await?;
            if parked.iter().any(|parked| parked.stream == *stream) {
                return Ok(Seen::Parked);
            }
        }
        Ok(Seen::Yes)
    }
}

/// A read model does not show what was waited for.
#[derive(Debug)]
pub struct NotYet {
    /// The name of the projection.
    pub projection: String,
    /// What was waited for.
    pub target: Target,
    /// The slot that is furthest behind of those that matter, if that is known.
    pub slot: Option<u32>,
    /// How far the rows that queries see are in that slot.
    pub position: Option<Position>,
    /// Whether the stream of the target is parked, so that waiting is of no use.
    pub is_parked: bool,
    /// What the projection was doing when the wait was over, if it was started in this process.
    pub status: Option<Box<Status>>,
    /// Why the database could not be asked, if it could not.
    pub failure: Option<StoreError>,
}

impl fmt::Display for NotYet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { projection, target, slot, position, is_parked, status, failure } = self;
        if let (true, Some(stream)) = (is_parked, &target.stream) {
            return write!(
                formatter,
                "projection `{projection}` does not show stream `{stream}`, which is parked since one of its events \
                 failed"
            );
        }
        write!(formatter, "projection `{projection}` has not seen position {}", target.position)?;
        if let Some(stream) = &target.stream {
            write!(formatter, " of stream `{stream}`")?;
        }
        match (slot, position) {
            (Some(slot), Some(position)) => write!(
                formatter,
                " yet: slot {slot} is at {position}, {} positions behind",
                target.position.get().saturating_sub(position.get())
            )?,
            _ => formatter.write_str(" yet: it is not known how far it is")?,
        }
        if let Some(status) = status {
            write!(formatter, " ({:?} in this process)", status.phase)?;
        }
        match failure {
            Some(failure) => write!(formatter, "; {failure}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for NotYet {}

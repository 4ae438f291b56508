//! All projections of a read model, from wherever: what they are doing, and what can be done about them.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use uuid::Uuid;

use super::progress::Progress;
use super::running::ParkedError;
use crate::read_model::{
    Maintain, Parked, ParkedRequest, ProjectionState, PutInService, SlotState, slot_of,
};
use crate::store::{EventStore, Head, LogFilter, StoreError};
use crate::stream::StreamId;
use crate::version::Position;

/// All projections of a read model, whichever process runs them: for status pages, consoles and tools.
///
/// ```
/// # use cqrs_core::{MemoryModel, MemoryStore, Projections};
/// # async fn print(store: MemoryStore, model: MemoryModel<u64>) -> Result<(), cqrs_core::StoreError> {
/// let projections = Projections::new(store, model);
/// for projection in projections.status().await? {
///     println!("{} v{}: {} behind", projection.name, projection.version, projection.lag.positions);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Projections {
    store: Arc<dyn EventStore>,
    model: Arc<dyn Maintain>,
    /// How long to wait for others to do something.
    patience: Duration,
}

/// What a version of a projection is doing.
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectionStatus {
    /// The name of the projection.
    pub name: String,
    /// The version.
    pub version: u32,
    /// Whether queries see its rows; else it is beside the version that they see.
    pub in_service: bool,
    /// Whether it is or was: one that is beside is being built if it has not, and kept if it has.
    pub has_served: bool,
    /// Its slots.
    pub slots: Vec<SlotStatus>,
    /// How far behind its slots are: the most of them.
    pub lag: Lag,
    /// Into how many slots it is being divided anew, if it is.
    pub rescaling: Option<u32>,
    /// How many streams are parked.
    pub parked: u64,
    /// The workers that share its slots or stand by, with what people know them by.
    pub members: Vec<(Uuid, String)>,
    /// How many events were taken since it was made. Two looks at it tell the rate.
    pub events: u64,
}

/// What a slot of a projection is doing.
#[derive(Debug, Clone, PartialEq)]
pub struct SlotStatus {
    /// The slot.
    pub slot: u32,
    /// How far it has come.
    pub position: Position,
    /// How far behind it is.
    pub lag: Lag,
    /// Who moves it; nobody where all who ran it have stopped, or died a moment ago.
    pub owner: Option<Uuid>,
    /// How many events were taken since it was made.
    pub events: u64,
    /// What keeps it from going on, if anything does; where nobody moves it, what kept the last owner from it.
    pub error: Option<String>,
    /// How long ago its owner has told last that it is there.
    pub heard: Duration,
}

/// How far behind the log something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Lag {
    /// How long the oldest event that it wants and has not seen has been stored; zero if there is none.
    pub time: Duration,
    /// How many positions of the log are left, if there is an event it wants among them. That is at least as many as
    /// events.
    pub positions: u64,
}

impl Projections {
    /// The projections whose rows are in `model`, made from the events in `store`.
    pub fn new(store: impl EventStore, model: impl Maintain) -> Self {
        Self::of(Arc::new(store), Arc::new(model), Duration::from_secs(30))
    }

    pub(super) fn of(
        store: Arc<dyn EventStore>,
        model: Arc<dyn Maintain>,
        patience: Duration,
    ) -> Self {
        Self { store, model, patience }
    }

    pub(super) fn model(&self) -> &Arc<dyn Maintain> {
        &self.model
    }

    /// What all versions of all projections are doing, by name and version.
    ///
    /// # Errors
    /// When a database fails.
    pub async fn status(&self) -> Result<Vec<ProjectionStatus>, StoreError> {
        let states = self.model.projections(None).await?;
        let head = self.head().await?;
        let mut all = Vec::with_capacity(states.len());
        for state in states {
            all.push(self.status_of(state, &head).await?);
        }
        Ok(all)
    }

    /// Where the log ends, and which appends keep projections from its end.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn head(&self) -> Result<Head, StoreError> {
        self.store.head().await
    }

    /// The parked streams of a version, by the position of the event that failed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn parked(&self, name: &str, version: u32) -> Result<Vec<Parked>, StoreError> {
        self.model.parked(name, version).await
    }

    /// How far the version of a projection that is in service is, for a process that does not run it.
    pub fn progress(&self, name: impl Into<Arc<str>>) -> Progress {
        Progress::new(name, self.model.clone(), None)
    }

    /// Takes the events of a parked stream in order, from the one that failed, and unparks the stream; the process that
    /// runs its slot does it, which may take a third of the time of its lease to notice.
    ///
    /// # Errors
    /// When the stream is not parked, an event fails again, or nobody has done it in 30 seconds; then it will be done when
    /// somebody runs the projection.
    pub async fn replay(
        &self,
        name: &str,
        version: u32,
        stream: &StreamId,
    ) -> Result<(), ParkedError> {
        self.replay_nudging(name, version, stream, || ()).await
    }

    /// Gives up the event of a parked stream that failed, for good, and takes those behind it; see
    /// [`replay`](Self::replay).
    ///
    /// # Errors
    /// When the stream is not parked, a later event fails, or nobody has done it in 30 seconds.
    pub async fn discard(
        &self,
        name: &str,
        version: u32,
        stream: &StreamId,
    ) -> Result<(), ParkedError> {
        self.discard_nudging(name, version, stream, || ()).await
    }

    pub(super) async fn replay_nudging(
        &self,
        name: &str,
        version: u32,
        stream: &StreamId,
        nudge: impl Fn(),
    ) -> Result<(), ParkedError> {
        self.request(name, version, stream, ParkedRequest::Replay, nudge).await
    }

    pub(super) async fn discard_nudging(
        &self,
        name: &str,
        version: u32,
        stream: &StreamId,
        nudge: impl Fn(),
    ) -> Result<(), ParkedError> {
        self.request(name, version, stream, ParkedRequest::Discard, nudge).await
    }

    /// Has the streams of a version divided into so many slots, while it runs. Done when all slots have come to the same
    /// position, which [`status`](Self::status) tells. False if there is no such version.
    ///
    /// # Errors
    /// When the database fails, or `slots` is 0 or more than 1024.
    pub async fn rescale(&self, name: &str, version: u32, slots: u32) -> Result<bool, StoreError> {
        self.model.rescale(name, version, slots).await
    }

    /// Empties the tables of a version and has it take all events again, while it runs or not. Queries see the rows as
    /// they come back: to build them anew without that, raise the version. False if there is no such version.
    ///
    /// # Errors
    /// When a database fails, or the projection did not make its tables, so that nobody knows what to empty.
    pub async fn reset(&self, name: &str, version: u32) -> Result<bool, StoreError> {
        let head = self.head().await?;
        self.model.reset(name, version, head.last).await
    }

    /// Puts a version that was built beside into service, if it has seen all that the one in service has; that one is kept
    /// beside, as it is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn promote(&self, name: &str, version: u32) -> Result<PutInService, StoreError> {
        self.model.put_in_service(name, version, true).await
    }

    /// Puts a version that was in service before back into service, wherever it stands: it goes on from there once a
    /// program of that version runs. The one in service is kept beside, and stays there until it is promoted: a program
    /// that was told to build it does not have it step in a second time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn roll_back(&self, name: &str, version: u32) -> Result<PutInService, StoreError> {
        self.model.put_in_service(name, version, false).await
    }

    /// Removes a version that is beside, with its rows: one that is being built, which stops whoever builds it, or one
    /// that was in service before. False if there is none, or it is in service.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove(&self, name: &str, version: u32) -> Result<bool, StoreError> {
        self.model.remove(name, version).await
    }

    async fn request(
        &self,
        name: &str,
        version: u32,
        stream: &StreamId,
        request: ParkedRequest,
        nudge: impl Fn(),
    ) -> Result<(), ParkedError> {
        const PAUSE: Duration = Duration::from_millis(10);
        let until = Instant::now() + self.patience;
        let projection = || name.to_owned();
        if !self.model.request(name, version, stream, request).await? {
            return Err(ParkedError::NotParked {
                projection: projection(),
                stream: stream.clone(),
            });
        }
        nudge();
        loop {
            let parked = self.model.parked(name, version).await?;
            let Some(parked) = parked.into_iter().find(|parked| parked.stream == *stream) else {
                return Ok(());
            };
            if parked.request.is_none() {
                return Err(self.failed_again(name, version, parked).await?);
            }
            if Instant::now() >= until {
                let Parked { stream, error, .. } = parked;
                return Err(ParkedError::NotDone { projection: projection(), stream, error });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn failed_again(
        &self,
        name: &str,
        projection_version: u32,
        parked: Parked,
    ) -> Result<ParkedError, StoreError> {
        let Parked { stream, version, position, event_type, error, .. } = parked;
        let states = self.model.projections(Some(name)).await?;
        let state = states.iter().find(|state| state.version == projection_version);
        let slots = state.map_or(1, |state| state.slots.len());
        let slot = slot_of(&stream, u32::try_from(slots).unwrap_or(u32::MAX));
        let projection = name.to_owned();
        Ok(ParkedError::Failed { projection, slot, stream, version, position, event_type, error })
    }

    async fn status_of(
        &self,
        state: ProjectionState,
        head: &Head,
    ) -> Result<ProjectionStatus, StoreError> {
        let events = state.events.split(' ').filter(|name| !name.is_empty());
        let filter = events.fold(LogFilter::all(), LogFilter::event_type);
        let slots_of = state.slots.len();
        let mut slots = Vec::with_capacity(slots_of);
        for slot in state.slots {
            let lag = self.lag(&filter, &slot, slots_of, head).await?;
            let SlotState { slot, position, owner, events, error, heard } = slot;
            slots.push(SlotStatus { slot, position, lag, owner, events, error, heard });
        }
        Ok(ProjectionStatus {
            name: state.name,
            version: state.version,
            in_service: state.in_service,
            has_served: state.has_served,
            lag: slots.iter().map(|slot| slot.lag).max().unwrap_or_default(),
            events: slots.iter().map(|slot| slot.events).sum(),
            slots,
            rescaling: state.rescaling,
            parked: state.parked,
            members: state.members,
        })
    }

    /// How far behind a slot is. Its owner stores how far it has come only now and then when there is nothing to do: what
    /// counts is the first event of the slot behind that.
    async fn lag(
        &self,
        filter: &LogFilter,
        slot: &SlotState,
        slots: usize,
        head: &Head,
    ) -> Result<Lag, StoreError> {
        // Among so many events there is one of each slot, or next to none is left.
        const LOOK: usize = 100;
        let slots = u32::try_from(slots).unwrap_or(u32::MAX);
        let limit = if slots == 1 { 1 } else { LOOK };
        let page = self.store.read_log(filter, slot.position, limit).await?;
        let first = page.events.iter().find(|event| slot_of(&event.stream, slots) == slot.slot);
        let (since, position) = match (first, page.events.last()) {
            (Some(first), _) => (first.recorded_at, first.position),
            // At least as old as this: what is between belongs to other slots.
            (None, Some(last)) if page.events.len() == limit => (last.recorded_at, last.position),
            (None, _) => return Ok(Lag::default()),
        };
        Ok(Lag {
            time: SystemTime::now().duration_since(since).unwrap_or_default(),
            positions: (head.last.get() + 1).saturating_sub(position.get()),
        })
    }
}

impl fmt::Display for Lag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} positions, {:.1} s", self.positions, self.time.as_secs_f64())
    }
}

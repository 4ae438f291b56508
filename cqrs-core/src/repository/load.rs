//! The state of an aggregate from its snapshot, if one may be used, and its events.

use std::ops::ControlFlow;
use std::time::{Duration, Instant, SystemTime};

use crate::aggregate::{Aggregate, Snapshots};
use crate::error::{InvalidCommand, LoadError};
use crate::event::{Event, EventId, NewEvent, RecordedEvent};
use crate::store::{Snapshot, Store, StoreError, StoreErrorKind, is_end_of_stream};
use crate::stream::StreamId;
use crate::version::{Position, Version};

/// Most events read together with a snapshot.
const PAGE: usize = 1_000;

/// An aggregate as it stands at a version of its stream.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Loaded<A> {
    /// The stream it was rebuilt from.
    pub stream: StreamId,
    /// The state.
    pub state: A,
    /// The version of the last event applied; [`Version::NONE`] if there is none.
    pub version: Version,
    /// The position of the last event applied.
    pub position: Position,
    /// The id of the last event applied.
    pub(super) last_event: Option<EventId>,
    /// The version of the snapshot the state was rebuilt from.
    pub(super) snapshot: Version,
    /// How long it took.
    pub(super) took: Duration,
}

impl<A> Loaded<A> {
    /// The same aggregate with a copy of its state.
    pub(super) fn copied(&self, state: A) -> Self {
        Self { stream: self.stream.clone(), state, ..*self }
    }
}

impl<A: Aggregate> Loaded<A> {
    /// One without events.
    pub(super) fn new(stream: StreamId) -> Self {
        Self {
            stream,
            state: A::default(),
            version: Version::NONE,
            position: Position::START,
            last_event: None,
            snapshot: Version::NONE,
            took: Duration::ZERO,
        }
    }

    /// Whether the stream has events: whether the aggregate exists.
    pub fn exists(&self) -> bool {
        self.version > Version::NONE
    }

    fn apply(&mut self, event: &RecordedEvent) -> Result<(), LoadError> {
        if event.version != self.version.plus(1) {
            return Err(self.hole(event).into());
        }
        match A::Event::decode(event) {
            Ok(events) => events.into_iter().for_each(|event| self.state.dispatch(event)),
            Err(error) if error.is_unknown_type() && A::IGNORED.contains(&&*event.event_type) => {}
            Err(error) => return Err(Box::new(error).into()),
        }
        self.stand_at(event);
        Ok(())
    }

    /// Applies an event that is about to be appended, as it would be read back: so that the state is the one a replay
    /// gives, and an event that can't be read, or makes `apply` panic, is never stored.
    pub(super) fn preview(&mut self, event: NewEvent) -> Result<NewEvent, InvalidCommand> {
        let version = self.version.plus(1);
        let (stream, position) = (self.stream.clone(), self.position);
        let event = RecordedEvent::new(event, stream, version, position, SystemTime::now());
        let decoded = A::Event::decode(&event);
        let decoded = decoded.map_err(|error| InvalidCommand::Unreadable(Box::new(error)))?;
        decoded.into_iter().for_each(|event| self.state.dispatch(event));
        (self.version, self.last_event) = (version, Some(event.id));
        Ok(event.into_new())
    }

    #[cold]
    fn hole(&self, next: &RecordedEvent) -> StoreError {
        let context = format!(
            "stream `{}` goes from version {} to {}: events are missing; restore them from a backup",
            self.stream, self.version, next.version
        );
        StoreError::new(StoreErrorKind::Corrupt, context)
    }

    fn stand_at(&mut self, event: &RecordedEvent) {
        self.version = event.version;
        self.position = event.position;
        self.last_event = Some(event.id);
    }
}

pub(super) async fn load<A: Aggregate>(
    store: &dyn Store,
    stream: StreamId,
) -> Result<Loaded<A>, LoadError> {
    let began = Instant::now();
    let mut loaded = Loaded::new(stream);
    let is_whole = match A::snapshots() {
        Some(snapshots) => begin_at_snapshot(store, &mut loaded, &snapshots).await?,
        None => false,
    };
    if !is_whole {
        replay(store, &mut loaded).await?;
    }
    loaded.took = began.elapsed();
    Ok(loaded)
}

/// Reads what was appended since, and applies it.
pub(super) async fn catch_up<A: Aggregate>(
    store: &dyn Store,
    loaded: &mut Loaded<A>,
) -> Result<(), LoadError> {
    if loaded.exists() {
        return replay(store, loaded).await;
    }
    // There may be a snapshot.
    *loaded = load(store, loaded.stream.clone()).await?;
    Ok(())
}

async fn replay<A: Aggregate>(store: &dyn Store, loaded: &mut Loaded<A>) -> Result<(), LoadError> {
    let (stream, after) = (loaded.stream.clone(), loaded.version);
    let mut applied = Ok(());
    let mut take = |event| {
        applied = loaded.apply(&event);
        if applied.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    store.replay(&stream, after, &mut take).await?;
    applied
}

/// Takes the state from the snapshot, if there is one that may be used, and applies the events that came with it. Tells
/// whether these were all.
async fn begin_at_snapshot<A: Aggregate>(
    store: &dyn Store,
    loaded: &mut Loaded<A>,
    snapshots: &Snapshots<A>,
) -> Result<bool, LoadError> {
    let stream = &loaded.stream;
    let (snapshot, events) =
        store.read_from_snapshot(stream, snapshots.fingerprint(), PAGE).await?;
    let following = match snapshot {
        None => &events[..],
        Some(snapshot) => match restore(&snapshot, &events, snapshots) {
            Ok((state, own, following)) => {
                loaded.state = state;
                loaded.snapshot = snapshot.version;
                loaded.stand_at(own);
                following
            }
            Err(reason) => {
                tracing::warn!(%stream, version = %snapshot.version, reason, "snapshot not used; replaying the events");
                return Ok(false);
            }
        },
    };
    following.iter().try_for_each(|event| loaded.apply(event))?;
    Ok(is_end_of_stream(&events, PAGE))
}

/// The state in the snapshot, if the first event shows that it belongs to the stream as it is now (G9); and that event, and
/// those that follow it.
fn restore<'e, A>(
    snapshot: &Snapshot,
    events: &'e [RecordedEvent],
    snapshots: &Snapshots<A>,
) -> Result<(A, &'e RecordedEvent, &'e [RecordedEvent]), String> {
    match events.split_first() {
        Some((own, following))
            if own.version == snapshot.version && own.id == snapshot.event_id =>
        {
            let state = snapshots.decode(&snapshot.state).map_err(|error| error.to_string())?;
            Ok((state, own, following))
        }
        _ => Err("the stream does not hold the event the snapshot was taken after".to_owned()),
    }
}

//! What has happened: the events a projection or view is tested with.

use std::fmt::{self, Display};
use std::sync::Arc;

use cqrs_core::{
    Append, Event, EventId, EventStore as _, ExpectedVersion, MemoryStore, Metadata, NewEvent,
    Position, StreamId,
};

/// Begins a test of a view or a projection: these events have happened, in this order, each in the stream of this
/// category and key. See the [module](crate::projections) for examples.
///
/// They reach the view or the projection as they would from a store: each is encoded and decoded again. Events of types
/// that are not wanted are left out, as in the log.
///
/// # Panics
/// When an event can't be stored, or a stream can't have its name.
#[track_caller]
#[must_use = "nothing is tested before something is expected"]
pub fn given_events<C, K, E>(events: impl IntoIterator<Item = (C, K, E)>) -> GivenEvents
where
    C: AsRef<str>,
    K: Display,
    E: Event,
{
    let mut given = GivenEvents { all: Vec::new() };
    // No closures here: a panic inside of one would not be at the caller's place.
    for (category, key, event) in events {
        given.push(category.as_ref(), &key.to_string(), &event);
    }
    given
}

/// What has happened; see [`given_events`].
#[derive(Debug, Clone)]
#[must_use = "nothing is tested before something is expected"]
pub struct GivenEvents {
    pub(super) all: Vec<Happened>,
}

/// An event as it is stored, and how it is shown.
#[derive(Debug, Clone)]
pub(super) struct Happened {
    pub(super) stream: StreamId,
    pub(super) event: NewEvent,
}

impl GivenEvents {
    /// More events have happened after those: of another type, say.
    ///
    /// # Panics
    /// As for [`given_events`].
    #[track_caller]
    pub fn and<C, K, E>(mut self, events: impl IntoIterator<Item = (C, K, E)>) -> Self
    where
        C: AsRef<str>,
        K: Display,
        E: Event,
    {
        for (category, key, event) in events {
            self.push(category.as_ref(), &key.to_string(), &event);
        }
        self
    }

    #[track_caller]
    fn push<E: Event>(&mut self, category: &str, key: &str, event: &E) {
        let stream = match StreamId::new(category, key) {
            Ok(stream) => stream,
            Err(error) => panic!("a given event is in a stream that can't be: {error}"),
        };
        let id = EventId::random();
        match NewEvent::of(event, id, Arc::new(Metadata::of(id.as_uuid()))) {
            Ok(event) => self.all.push(Happened { stream, event }),
            Err(error) => {
                let event_type = event.event_type();
                panic!("a given event, `{event_type}`, can't be stored: {error}")
            }
        }
    }

    /// Appends some of the events; where the log is then.
    pub(super) async fn append(some: &[Happened], store: &MemoryStore) -> Position {
        let mut end = Position::START;
        for Happened { stream, event } in some {
            let events = vec![event.clone()];
            let append = Append::new(stream.clone(), ExpectedVersion::Any, events);
            let append = append.unwrap_or_else(|error| panic!("a given event: {error}"));
            let appended = store.append(&append).await;
            end = appended.unwrap_or_else(|error| panic!("a given event: {error}")).position;
        }
        end
    }
}

/// One event a paragraph.
impl Display for GivenEvents {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.all.is_empty() {
            return formatter.write_str("nothing");
        }
        for (index, happened) in self.all.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(formatter, "{separator}{happened}")?;
        }
        Ok(())
    }
}

impl Display for Happened {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream, event } = self;
        write!(formatter, "{stream}: {} v{}", event.event_type(), event.schema_version())?;
        match event.payload().parse::<serde_json::Value>() {
            Ok(payload) => write!(formatter, " {payload:#}"),
            Err(_) => Ok(()),
        }
    }
}

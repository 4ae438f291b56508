//! What is asked of a store when events are appended, checked before any store sees it.

use std::fmt;

use crate::event::{EventId, InvalidEvent, NewEvent};
use crate::limits::{MAX_APPEND_BYTES, MAX_EVENTS_PER_APPEND};
use crate::stream::StreamId;
use crate::version::{ExpectedVersion, Position, Version};

/// Events to be appended to one stream in one step. Every value of this type is within the documented
/// [limits](crate::limits).
#[derive(Debug, Clone, PartialEq)]
pub struct Append {
    stream: StreamId,
    expected: ExpectedVersion,
    events: Vec<NewEvent>,
}

impl Append {
    /// Appends `events` to `stream` if the stream stands at `expected`.
    ///
    /// # Errors
    /// When there is no event, one is over a limit, or two have the same id (G13).
    pub fn new(
        stream: StreamId,
        expected: ExpectedVersion,
        events: Vec<NewEvent>,
    ) -> Result<Self, InvalidAppend> {
        if events.is_empty() {
            return Err(InvalidAppend::NoEvents { stream });
        }
        if events.len() > MAX_EVENTS_PER_APPEND {
            return Err(InvalidAppend::TooManyEvents { stream, events: events.len() });
        }
        let bytes = events.iter().map(|event| event.payload().len()).sum();
        if bytes > MAX_APPEND_BYTES {
            return Err(InvalidAppend::TooLarge { stream, bytes });
        }
        if let Some(id) = repeated(&events) {
            return Err(InvalidAppend::RepeatedId { stream, id });
        }
        for (index, event) in events.iter().enumerate() {
            // The events of one command share their metadata; once is enough.
            if (index == 0 || event.metadata() != events[index - 1].metadata())
                && let Err(source) = event.metadata().details.check()
            {
                let event_type = event.event_type().to_owned();
                return Err(InvalidAppend::Event { stream, index, event_type, source });
            }
        }
        Ok(Self { stream, expected, events })
    }

    /// The stream appended to.
    #[inline]
    pub fn stream(&self) -> &StreamId {
        &self.stream
    }

    /// Where the stream must stand.
    #[inline]
    pub fn expected(&self) -> ExpectedVersion {
        self.expected
    }

    /// How many events there are, and the bytes of their payloads.
    pub fn size(&self) -> (usize, usize) {
        (self.events.len(), self.events.iter().map(|event| event.payload().len()).sum())
    }

    /// The events, in order; at least one.
    #[inline]
    pub fn events(&self) -> &[NewEvent] {
        &self.events
    }
}

fn repeated(events: &[NewEvent]) -> Option<EventId> {
    if let [_] = events {
        return None;
    }
    let mut ids: Vec<EventId> = events.iter().map(NewEvent::id).collect();
    ids.sort_unstable();
    ids.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}

/// What became of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The version of the stream now: that of the last event appended.
    pub version: Version,
    /// The position of the last event appended.
    pub position: Position,
    /// Whether these very events had been stored before, so that this append stored nothing.
    pub replayed: bool,
}

/// An append that no store accepts (G13).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAppend {
    /// There is nothing to append.
    #[error(
        "an append to stream `{stream}` has no events; leave it out when there is nothing to store"
    )]
    NoEvents {
        /// The stream.
        stream: StreamId,
    },
    /// More than [`MAX_EVENTS_PER_APPEND`] events.
    #[error(
        "an append to stream `{stream}` has {events} events; at most {MAX_EVENTS_PER_APPEND} are stored in one step: \
         split it"
    )]
    TooManyEvents {
        /// The stream.
        stream: StreamId,
        /// How many there are.
        events: usize,
    },
    /// The payloads together have more than [`MAX_APPEND_BYTES`] bytes.
    #[error(
        "an append to stream `{stream}` has {bytes} bytes of payload; at most {MAX_APPEND_BYTES} are stored in one \
         step: split it"
    )]
    TooLarge {
        /// The stream.
        stream: StreamId,
        /// How large the payloads are.
        bytes: usize,
    },
    /// Two of the events have the same id.
    #[error(
        "an append to stream `{stream}` has two events with id {id}; give each event an id of its own"
    )]
    RepeatedId {
        /// The stream.
        stream: StreamId,
        /// The id.
        id: EventId,
    },
    /// One of the events can't be stored.
    #[error("event {index} of an append to stream `{stream}`, of type `{event_type}`: {source}")]
    Event {
        /// The stream.
        stream: StreamId,
        /// Which of the events, from 0.
        index: usize,
        /// Its type.
        event_type: String,
        /// What is wrong with it.
        source: InvalidEvent,
    },
}

impl fmt::Display for Appended {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "version {} at position {}", self.version, self.position)
    }
}

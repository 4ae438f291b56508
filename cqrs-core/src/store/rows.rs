//! Events from the rows of a table, for authors of stores.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use uuid::Uuid;

use super::BoxError;
use crate::event::{EventId, EventTypeName, NewEvent, Payload, RecordedEvent};
use crate::limits::FULL_PAGE_BYTES;
use crate::metadata::{Details, Metadata};
use crate::stream::StreamId;
use crate::version::{Position, Version};

/// What a row says of an event.
#[derive(Debug, Clone, Copy)]
pub struct EventRow<'r> {
    /// Place in the log.
    pub position: Position,
    /// Category and key of its stream, where it is not known which stream is read.
    pub stream: Option<(&'r str, &'r str)>,
    /// Place in its stream.
    pub version: Version,
    /// Identity.
    pub id: Uuid,
    /// Stored name of the event type.
    pub event_type: &'r str,
    /// Version of the schema the payload has.
    pub schema_version: i64,
    /// The JSON payload; `None` if the statement has left it out.
    pub payload: Option<&'r str>,
    /// How many bytes the payload has that was left out.
    pub bytes: Option<i64>,
    /// See [`Metadata`].
    pub correlation_id: Uuid,
    /// See [`Metadata`].
    pub causation_id: Uuid,
    /// [`Details`] as JSON, if there are any.
    pub details: Option<&'r str>,
    /// When it was stored.
    pub recorded_at: SystemTime,
}

/// Makes events of rows, one by one, and a page of them. What a row repeats of the one before is shared with it.
#[derive(Debug)]
pub struct EventRows {
    /// The stream that all rows belong to, if it is known.
    stream: Option<StreamId>,
    /// Those of the row before.
    before: Option<(StreamId, EventTypeName, Arc<Metadata>)>,
    events: Vec<RecordedEvent>,
    /// Indexes of the events whose payloads were left out.
    left_out: Vec<usize>,
    /// Bytes of payload from which on no further event is taken.
    room: usize,
    /// Bytes of all payloads, also of those left out.
    bytes: usize,
    is_cut: bool,
}

impl EventRows {
    /// For rows of one stream.
    pub fn of(stream: StreamId) -> Self {
        Self { stream: Some(stream), ..Self::of_any() }
    }

    /// For rows that name their streams.
    pub fn of_any() -> Self {
        Self {
            stream: None,
            before: None,
            events: Vec::new(),
            left_out: Vec::new(),
            room: FULL_PAGE_BYTES,
            bytes: 0,
            is_cut: false,
        }
    }

    /// For less than a whole page: once payloads come to so many bytes, no further event is taken.
    #[must_use]
    pub fn room(mut self, bytes: usize) -> Self {
        self.room = bytes;
        self
    }

    /// The stream that all rows belong to, if it is known.
    pub fn stream(&self) -> Option<&StreamId> {
        self.stream.as_ref()
    }

    /// The event of a row. It is not added.
    ///
    /// # Errors
    /// When the row is none: somebody has changed the table.
    pub fn event(&mut self, row: EventRow<'_>) -> Result<RecordedEvent, BoxError> {
        let before = self.before.take();
        let (stream, event_type, metadata) = match before {
            None => (None, None, None),
            Some((stream, event_type, metadata)) => {
                (Some(stream), Some(event_type), Some(metadata))
            }
        };
        let stream = match (&self.stream, row.stream, stream) {
            (Some(_), _, Some(before)) => before,
            (Some(stream), _, None) => stream.clone(),
            (None, Some(names), Some(before)) if is_of(names, &before) => before,
            (None, Some((category, key)), _) => StreamId::new(category, key)?,
            (None, None, _) => return Err("its stream has no name".into()),
        };
        let event_type = match event_type {
            Some(before) if before == row.event_type => before,
            _ => Arc::<str>::from(row.event_type).into(),
        };
        let metadata = match metadata {
            Some(before) if is_same(&row, &before) => before,
            _ => Arc::new(Metadata {
                correlation_id: row.correlation_id,
                causation_id: row.causation_id,
                details: match row.details {
                    None => Details::default(),
                    Some(json) => serde_json::from_str(json)?,
                },
            }),
        };
        let EventRow { version, position, recorded_at, .. } = row;
        let payload = row.payload.ok_or("its payload is null")?;
        let event = NewEvent::from_parts(
            EventId::from(row.id),
            event_type.clone(),
            u32::try_from(row.schema_version)?,
            Payload::from_stored(payload),
            metadata.clone(),
        )?;
        self.before = Some((stream.clone(), event_type, metadata));
        Ok(RecordedEvent::new(event, stream, version, position, recorded_at))
    }

    /// Adds the event of a row, if there is room for it; see [`is_cut`](Self::is_cut).
    ///
    /// # Errors
    /// When it is not one: somebody has changed the table.
    pub fn push(&mut self, mut row: EventRow<'_>) -> Result<(), BoxError> {
        if self.bytes >= self.room {
            self.is_cut = true;
            return Ok(());
        }
        let bytes = match (row.payload, row.bytes) {
            (None, Some(bytes)) => {
                self.left_out.push(self.events.len());
                row.payload = Some("");
                usize::try_from(bytes)?
            }
            (payload, _) => payload.map_or(0, str::len),
        };
        let event = self.event(row)?;
        self.bytes += bytes;
        self.events.push(event);
        Ok(())
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Bytes of all payloads, also of those left out.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether an event found no room: the page ends before it.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// The positions of the events whose payloads were left out.
    pub fn without_payload(&self) -> impl Iterator<Item = Position> {
        self.left_out.iter().map(|index| self.events[*index].position)
    }

    /// Fills in the payloads that were left out.
    ///
    /// # Errors
    /// When one is missing: somebody has deleted the row.
    pub fn fill(&mut self, mut payloads: HashMap<Position, String>) -> Result<(), BoxError> {
        for index in self.left_out.drain(..) {
            let event = &mut self.events[index];
            let payload = payloads.remove(&event.position);
            let gone = || format!("the row at position {} is gone", event.position);
            event.payload = Payload::from_stored(payload.ok_or_else(gone)?);
        }
        Ok(())
    }

    /// The events.
    pub fn into_events(self) -> Vec<RecordedEvent> {
        self.events
    }
}

fn is_of((category, key): (&str, &str), stream: &StreamId) -> bool {
    stream.key() == key && stream.category() == category
}

fn is_same(row: &EventRow<'_>, metadata: &Metadata) -> bool {
    row.details.is_none()
        && metadata.details.is_empty()
        && row.correlation_id == metadata.correlation_id
        && row.causation_id == metadata.causation_id
}

//! Events from the rows of a table, for authors of stores.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use uuid::Uuid;

use super::BoxError;
use crate::event::{EventId, NewEvent, Payload, RecordedEvent};
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

/// Makes events of rows, one by one. What a row repeats of the one before is shared with it.
#[derive(Debug, Default)]
pub struct EventRows {
    /// The stream that all rows belong to, if it is known.
    stream: Option<StreamId>,
    events: Vec<RecordedEvent>,
    /// Payloads that were left out: the index of the event, and how many bytes.
    left_out: Vec<(usize, usize)>,
}

impl EventRows {
    /// For rows of one stream.
    pub fn of(stream: StreamId) -> Self {
        Self { stream: Some(stream), ..Self::default() }
    }

    /// For rows that name their streams.
    pub fn of_any() -> Self {
        Self::default()
    }

    /// The stream that all rows belong to, if it is known.
    pub fn stream(&self) -> Option<&StreamId> {
        self.stream.as_ref()
    }

    /// Adds the event of a row.
    ///
    /// # Errors
    /// When it is not one: somebody has changed the table.
    pub fn push(&mut self, row: EventRow<'_>) -> Result<(), BoxError> {
        let before = self.events.last();
        let stream = match (&self.stream, row.stream, before) {
            (Some(stream), ..) => stream.clone(),
            (None, Some(names), Some(RecordedEvent { stream, .. })) if is_of(names, stream) => {
                stream.clone()
            }
            (None, Some((category, key)), _) => StreamId::new(category, key)?,
            (None, None, _) => return Err("its stream has no name".into()),
        };
        let event_type = match before {
            Some(RecordedEvent { event_type, .. }) if *event_type == row.event_type => {
                event_type.clone()
            }
            _ => Arc::<str>::from(row.event_type).into(),
        };
        let metadata = match before {
            Some(RecordedEvent { metadata, .. }) if is_same(&row, metadata) => metadata.clone(),
            _ => Arc::new(Metadata {
                correlation_id: row.correlation_id,
                causation_id: row.causation_id,
                details: match row.details {
                    None => Details::default(),
                    Some(json) => serde_json::from_str(json)?,
                },
            }),
        };
        let payload = match (row.payload, row.bytes) {
            (Some(payload), _) => payload,
            (None, Some(bytes)) => {
                self.left_out.push((self.events.len(), usize::try_from(bytes)?));
                ""
            }
            (None, None) => return Err("its payload is null".into()),
        };
        let event = NewEvent::from_parts(
            EventId::from(row.id),
            event_type,
            u32::try_from(row.schema_version)?,
            Payload::from_stored(payload),
            metadata,
        )?;
        let EventRow { version, position, recorded_at, .. } = row;
        self.events.push(RecordedEvent::new(event, stream, version, position, recorded_at));
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

    /// Leaves out the events that follow once payloads come to `most` bytes, where some were left out.
    pub fn keep_bytes(&mut self, mut most: usize) {
        if self.left_out.is_empty() {
            return;
        }
        let mut left_out = self.left_out.iter().peekable();
        let bytes = self.events.iter().zip(0..).map(|(event, index)| {
            left_out.next_if(|left| left.0 == index).map_or(event.payload.len(), |left| left.1)
        });
        let kept = bytes.take_while(|bytes| {
            let is_kept = most > 0;
            most = most.saturating_sub(*bytes);
            is_kept
        });
        let kept = kept.count();
        self.events.truncate(kept);
        self.left_out.retain(|left| left.0 < kept);
    }

    /// The positions of the events whose payloads were left out.
    pub fn without_payload(&self) -> impl Iterator<Item = Position> {
        self.left_out.iter().map(|left| self.events[left.0].position)
    }

    /// Fills in the payloads that were left out.
    ///
    /// # Errors
    /// When one is missing: somebody has deleted the row.
    pub fn fill(&mut self, mut payloads: HashMap<Position, String>) -> Result<(), BoxError> {
        for (index, _) in self.left_out.drain(..) {
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

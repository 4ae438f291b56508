//! An event before it is stored and after.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{EncodeError, Event, EventTypeName, Payload};
use crate::limits::{MAX_EVENT_TYPE_BYTES, MAX_METADATA_BYTES};
use crate::metadata::Metadata;
use crate::stream::StreamId;
use crate::version::{Position, Version};

/// Identity of an event, unique over all streams: appending the same id again never stores a second event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(Uuid);

impl EventId {
    /// A new id, ordered by time (UUID version 7).
    pub fn random() -> Self {
        Self(Uuid::now_v7())
    }

    /// The id of event `index` of the command of this name to this stream with this idempotency key: the same every
    /// time (UUID version 5).
    pub fn of_command(
        stream: &StreamId,
        command: &str,
        idempotency_key: &str,
        index: usize,
    ) -> Self {
        // A namespace of our own, so that the ids can't meet those another program derives from the same name.
        const NAMESPACE: Uuid = Uuid::from_u128(0x3f0c_5a4e_9c1d_4b7e_8a55_71d0_c93e_26b8);
        // Neither stream nor command has a NUL character, so that no two triples give the same text.
        let name = format!("{stream}\0{command}\0{idempotency_key}");
        let key = Uuid::new_v5(&NAMESPACE, name.as_bytes());
        Self(Uuid::new_v5(&key, &(index as u64).to_be_bytes()))
    }

    /// The id as a UUID.
    #[inline]
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for EventId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// An event to be appended.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    pub(crate) id: EventId,
    pub(crate) event_type: EventTypeName,
    pub(crate) schema_version: u32,
    pub(crate) payload: Payload,
    pub(crate) metadata: Arc<Metadata>,
}

impl NewEvent {
    /// The stored form of a typed event.
    ///
    /// # Errors
    /// When the event has no faithful JSON form; see [`EncodeError`].
    pub fn of<E: Event>(
        event: &E,
        id: EventId,
        metadata: Arc<Metadata>,
    ) -> Result<Self, EncodeError> {
        let event_type = event.event_type();
        Ok(Self {
            id,
            event_type: event_type.name.into(),
            schema_version: event_type.write_version,
            payload: event.encode()?,
            metadata,
        })
    }

    /// An event from its parts, for imports and tests.
    ///
    /// # Errors
    /// When the name of the event type is empty, too long or has a NUL character, or the schema version is 0.
    pub fn from_parts(
        id: EventId,
        event_type: impl Into<EventTypeName>,
        schema_version: u32,
        payload: Payload,
        metadata: Arc<Metadata>,
    ) -> Result<Self, InvalidEvent> {
        let event_type = event_type.into();
        if event_type.is_empty()
            || event_type.len() > MAX_EVENT_TYPE_BYTES
            || event_type.contains('\0')
        {
            return Err(InvalidEvent::EventTypeName(event_type.to_string()));
        }
        if schema_version == 0 {
            return Err(InvalidEvent::SchemaVersionZero(event_type.to_string()));
        }
        Ok(Self { id, event_type, schema_version, payload, metadata })
    }

    /// The id of the event.
    #[inline]
    pub fn id(&self) -> EventId {
        self.id
    }

    /// The stored name of the event type.
    #[inline]
    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    /// The version of the schema the payload has.
    #[inline]
    pub fn schema_version(&self) -> u32 {
        self.schema_version
    }

    /// The JSON payload.
    #[inline]
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    /// Where the event came from.
    #[inline]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

/// An event as a store holds it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RecordedEvent {
    /// Place in the log of all streams.
    pub position: Position,
    /// The stream it belongs to.
    pub stream: StreamId,
    /// Place in its stream.
    pub version: Version,
    /// Identity.
    pub id: EventId,
    /// Stored name of the event type.
    pub event_type: EventTypeName,
    /// Version of the schema the payload has.
    pub schema_version: u32,
    /// The JSON payload, byte for byte as it was appended.
    pub payload: Payload,
    /// Where it came from; events of one command share it.
    pub metadata: Arc<Metadata>,
    /// When it was stored, by the clock of the database.
    pub recorded_at: SystemTime,
}

impl RecordedEvent {
    /// The event that `event` became when it was stored at this place. For authors of stores.
    pub fn new(
        event: NewEvent,
        stream: StreamId,
        version: Version,
        position: Position,
        recorded_at: SystemTime,
    ) -> Self {
        Self {
            position,
            stream,
            version,
            id: event.id,
            event_type: event.event_type,
            schema_version: event.schema_version,
            payload: event.payload,
            metadata: event.metadata,
            recorded_at,
        }
    }

    /// The event as it was before it was stored.
    pub(crate) fn into_new(self) -> NewEvent {
        let Self { id, event_type, schema_version, payload, metadata, .. } = self;
        NewEvent { id, event_type, schema_version, payload, metadata }
    }
}

/// An event that no store accepts (G13).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidEvent {
    /// The name of the event type is empty, too long, or has a NUL character.
    #[error(
        "{0:?} can't name an event type: it must have 1 to {MAX_EVENT_TYPE_BYTES} bytes and no NUL character"
    )]
    EventTypeName(String),
    /// Schema versions count from 1.
    #[error("event type {0:?} has schema version 0; schema versions count from 1")]
    SchemaVersionZero(String),
    /// A NUL character in actor, tenant or an extra entry.
    #[error("the metadata of an event has a NUL character, which databases can't store")]
    NulInMetadata,
    /// Actor, tenant and extra entries together are too large.
    #[error("the metadata of an event has {0} bytes; at most {MAX_METADATA_BYTES} are allowed")]
    MetadataTooLarge(usize),
    /// An extra entry has a name the framework uses itself.
    #[error("the metadata has an extra entry named `{0}`; set the field of that name instead")]
    ReservedMetadataKey(&'static str),
}

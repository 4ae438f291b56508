//! What is stored beside an event about where it came from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event::InvalidEvent;
use crate::limits::MAX_METADATA_BYTES;

/// Where an event came from. The bus fills it in on dispatch; a store keeps it beside the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Shared by everything that goes back to one first message: follow it to see the whole story.
    pub correlation_id: Uuid,
    /// The message that led directly to the event: the id of the command, or of the event reacted to.
    pub causation_id: Uuid,
    /// What the application adds: who, for whom, and entries of its own.
    pub details: Details,
}

/// What the application says of the origin of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// Who gave the command: a user, a service, a job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// On whose behalf, where one system serves several customers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Entries of the application's own, such as a trace id.
    #[serde(flatten)]
    pub extra: BTreeMap<String, String>,
}

impl Metadata {
    /// Metadata of a message that nothing known led to: its own id is both correlation and causation.
    pub fn of(message_id: Uuid) -> Self {
        Self { correlation_id: message_id, causation_id: message_id, details: Details::default() }
    }
}

impl Details {
    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.actor.is_none() && self.tenant.is_none() && self.extra.is_empty()
    }

    /// Refuses what no store could keep (G13).
    pub(crate) fn check(&self) -> Result<(), InvalidEvent> {
        let own = [self.actor.as_deref(), self.tenant.as_deref()];
        let extra =
            self.extra.iter().flat_map(|(key, value)| [Some(key.as_str()), Some(value.as_str())]);
        let mut bytes = 0;
        for text in own.into_iter().chain(extra).flatten() {
            if text.contains('\0') {
                return Err(InvalidEvent::NulInMetadata);
            }
            bytes += text.len();
        }
        if bytes > MAX_METADATA_BYTES {
            return Err(InvalidEvent::MetadataTooLarge(bytes));
        }
        if let Some(key) = ["actor", "tenant"].into_iter().find(|key| self.extra.contains_key(*key))
        {
            return Err(InvalidEvent::ReservedMetadataKey(key));
        }
        Ok(())
    }
}

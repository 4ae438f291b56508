//! What goes along with a command or a query: where it comes from, and the key that makes it idempotent.

use std::sync::Arc;

use uuid::Uuid;

use crate::metadata::{Details, Metadata};
use crate::version::Version;

/// What goes along with a command or a query. Its correlation, causation, actor and tenant end up in the metadata of
/// the events.
///
/// ```
/// # use cqrs_core as cqrs;
/// use cqrs::DispatchContext;
///
/// let context = DispatchContext::new().actor("ada").tenant("north").extra("request", "7f3a");
/// assert_eq!(context.correlation_id(), context.id());
/// ```
#[derive(Debug, Clone)]
pub struct DispatchContext {
    id: Uuid,
    correlation_id: Uuid,
    causation_id: Uuid,
    details: Details,
    idempotency_key: Option<Arc<str>>,
    expected_version: Option<Version>,
}

impl DispatchContext {
    /// The context of a message that nothing known led to: it has a new id, which is its correlation and causation.
    pub fn new() -> Self {
        Self::with_id(Uuid::now_v7())
    }

    /// The context of a message that has an id already.
    pub fn with_id(id: Uuid) -> Self {
        Self {
            id,
            correlation_id: id,
            causation_id: id,
            details: Details::default(),
            idempotency_key: None,
            expected_version: None,
        }
    }

    /// The context of a message that an event leads to: same correlation, actor and tenant, caused by the event.
    pub fn caused_by(event: &crate::event::RecordedEvent) -> Self {
        Self {
            id: Uuid::now_v7(),
            correlation_id: event.metadata.correlation_id,
            causation_id: event.id.as_uuid(),
            details: event.metadata.details.clone(),
            idempotency_key: None,
            expected_version: None,
        }
    }

    /// The context of a message that this one leads to. It is not idempotent by itself.
    pub(crate) fn follow_up(&self) -> Self {
        Self {
            id: Uuid::now_v7(),
            correlation_id: self.correlation_id,
            causation_id: self.id,
            details: self.details.clone(),
            idempotency_key: None,
            expected_version: None,
        }
    }

    /// Joins an existing story: the correlation id that came with a request.
    #[must_use]
    pub fn correlation(mut self, correlation_id: Uuid) -> Self {
        self.correlation_id = correlation_id;
        self
    }

    /// Who gives the command.
    #[must_use]
    pub fn actor(mut self, actor: impl Into<String>) -> Self {
        self.details.actor = Some(actor.into());
        self
    }

    /// On whose behalf.
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.details.tenant = Some(tenant.into());
        self
    }

    /// An entry of the application's own.
    #[must_use]
    pub fn extra(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.details.extra.insert(key.into(), value.into());
        self
    }

    /// Makes a command idempotent: sent again with the same key, it stores nothing and returns the first outcome.
    ///
    /// The key is looked up among the commands of the same [name](crate::Command::name) to the same aggregate: a second
    /// command of that name with the same key is taken for the first, whatever else it says, and a command that gets
    /// another name is not found. A command that stored no event the first time is decided on again. A command with a
    /// [`CommandHandler`](crate::CommandHandler) takes a key only if the handler is
    /// [idempotent](crate::CommandHandler::IDEMPOTENT).
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Has a command of an aggregate carried out only if the stream of the aggregate is at exactly this version: the one
    /// the caller has seen. Otherwise it ends in [`DispatchError::Stale`](crate::DispatchError::Stale).
    #[must_use]
    pub fn expected_version(mut self, version: Version) -> Self {
        self.expected_version = Some(version);
        self
    }

    /// The same, with the idempotency key and the expected version of another where this has none.
    pub(crate) fn or_conditions_of(mut self, other: Self) -> Self {
        self.idempotency_key = self.idempotency_key.or(other.idempotency_key);
        self.expected_version = self.expected_version.or(other.expected_version);
        self
    }

    /// The id of the message: the causation of what it leads to.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// What all messages and events of one story share.
    pub fn correlation_id(&self) -> Uuid {
        self.correlation_id
    }

    /// The id of the message or event that led to this message; its own id if nothing known did.
    pub fn causation_id(&self) -> Uuid {
        self.causation_id
    }

    /// Actor, tenant and the application's own entries.
    pub fn details(&self) -> &Details {
        &self.details
    }

    /// The key that makes a command idempotent, if it has one.
    pub fn key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }

    /// The version the caller expects the aggregate to have, if it does.
    pub fn expected(&self) -> Option<Version> {
        self.expected_version
    }

    /// The metadata of the events this message leads to.
    pub(crate) fn event_metadata(&self) -> Metadata {
        Metadata {
            correlation_id: self.correlation_id,
            causation_id: self.id,
            details: self.details.clone(),
        }
    }
}

impl Default for DispatchContext {
    fn default() -> Self {
        Self::new()
    }
}

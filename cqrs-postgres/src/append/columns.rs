//! Events as statements take them.

use cqrs_core::{Append, Details, ExpectedVersion, StoreError, StoreErrorKind};
use uuid::Uuid;

use super::doing;
use crate::rows::saturate;

/// The events as the statement takes them: an array for each column.
#[derive(Default)]
pub(crate) struct Columns<'a> {
    pub(crate) event_types: Vec<&'a str>,
    pub(crate) schema_versions: Vec<i64>,
    pub(crate) payloads: Vec<&'a str>,
    pub(crate) event_ids: Vec<Uuid>,
    pub(crate) correlation_ids: Vec<Uuid>,
    pub(crate) causation_ids: Vec<Uuid>,
    pub(crate) details: Vec<Option<String>>,
}

impl<'a> Columns<'a> {
    pub(super) fn of(append: &'a Append) -> Result<Self, StoreError> {
        let mut columns = Self::with_capacity(append.events().len());
        columns.add(append)?;
        Ok(columns)
    }

    pub(crate) fn with_capacity(events: usize) -> Self {
        Self {
            event_types: Vec::with_capacity(events),
            schema_versions: Vec::with_capacity(events),
            payloads: Vec::with_capacity(events),
            event_ids: Vec::with_capacity(events),
            correlation_ids: Vec::with_capacity(events),
            causation_ids: Vec::with_capacity(events),
            details: Vec::with_capacity(events),
        }
    }

    /// Adds the events of an append.
    pub(crate) fn add(&mut self, append: &'a Append) -> Result<(), StoreError> {
        let mut before: Option<&Details> = None;
        for event in append.events() {
            let metadata = event.metadata();
            self.event_types.push(event.event_type());
            self.schema_versions.push(event.schema_version().into());
            self.payloads.push(event.payload().as_str());
            self.event_ids.push(event.id().as_uuid());
            self.correlation_ids.push(metadata.correlation_id);
            self.causation_ids.push(metadata.causation_id);
            // The events of one command mostly share them, so they are serialized once.
            let text = match self.details.last() {
                Some(text) if before == Some(&metadata.details) => text.clone(),
                _ if metadata.details.is_empty() => None,
                _ => Some(serde_json::to_string(&metadata.details).map_err(|error| {
                    StoreError::new(StoreErrorKind::InvalidInput, doing(append)).caused_by(error)
                })?),
            };
            self.details.push(text);
            before = Some(&metadata.details);
        }
        Ok(())
    }
}

/// The version expected, as statements take it.
pub(crate) fn expected(append: &Append) -> i64 {
    match append.expected() {
        ExpectedVersion::Any => -1,
        ExpectedVersion::Exists => -2,
        ExpectedVersion::NoStream => 0,
        ExpectedVersion::Exact(version) => saturate(version.get()),
    }
}

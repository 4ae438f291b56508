//! Which events of the log a reader wants.

use std::sync::Arc;

use crate::event::{Event, RecordedEvent, stored_names};

/// Which events of the log a reader wants: those of some categories, of some event types, or all.
///
/// ```
/// # use cqrs_core as cqrs;
/// use cqrs::LogFilter;
///
/// let filter = LogFilter::all().category("account").event_type("account.opened");
/// assert!(!filter.is_all());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFilter {
    categories: Vec<Arc<str>>,
    event_types: Vec<Arc<str>>,
}

impl LogFilter {
    /// All events.
    pub fn all() -> Self {
        Self::default()
    }

    /// Only events of streams of this category; said several times, of any of them.
    #[must_use]
    pub fn category(mut self, category: impl Into<Arc<str>>) -> Self {
        self.categories.push(possible(category.into()));
        self
    }

    /// Only events stored under this name; said several times, under any of them.
    #[must_use]
    pub fn event_type(mut self, name: impl Into<Arc<str>>) -> Self {
        self.event_types.push(possible(name.into()));
        self
    }

    /// Only events of this Rust type, and of the others named: under whatever names they are or were stored (G10).
    #[must_use]
    pub fn events_of<E: Event>(self) -> Self {
        stored_names::<E>().into_iter().fold(self, LogFilter::event_type)
    }

    /// Whether nothing is left out.
    pub fn is_all(&self) -> bool {
        self.categories.is_empty() && self.event_types.is_empty()
    }

    /// The categories wanted; all if there are none.
    pub fn categories(&self) -> &[Arc<str>] {
        &self.categories
    }

    /// The names of event types wanted; all if there are none.
    pub fn event_types(&self) -> &[Arc<str>] {
        &self.event_types
    }

    /// Whether the event is wanted.
    pub fn matches(&self, event: &RecordedEvent) -> bool {
        self.wants(event.stream.category(), &event.event_type)
    }

    pub(crate) fn wants(&self, category: &str, event_type: &str) -> bool {
        let among = |wanted: &[Arc<str>], name: &str| {
            wanted.is_empty() || wanted.iter().any(|wanted| **wanted == *name)
        };
        among(&self.categories, category) && among(&self.event_types, event_type)
    }
}

/// The name, as stores may take it. None can hold a NUL character, and databases refuse to look for one; the empty name
/// is another that no event has.
fn possible(name: Arc<str>) -> Arc<str> {
    if name.contains('\0') { Arc::default() } else { name }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::event::{DecodeError, Decoded, EncodeError, EventId, EventType, NewEvent, Payload};
    use crate::metadata::Metadata;
    use crate::stream::StreamId;
    use crate::version::{Position, Version};

    struct Opened;

    impl Event for Opened {
        const TYPES: &'static [EventType] =
            &[EventType::new("account.opened", 2), EventType::new("account.reopened", 1)];

        fn event_type(&self) -> EventType {
            Self::TYPES[0]
        }

        fn encode(&self) -> Result<Payload, EncodeError> {
            Payload::of(&())
        }

        fn decode(_: &RecordedEvent) -> Result<Decoded<Self>, DecodeError> {
            Ok(Self.into())
        }
    }

    #[track_caller]
    fn wants(filter: &LogFilter, wanted: &[(&str, &str)]) {
        const EVENTS: [(&str, &str); 6] = [
            ("account", "account.opened"),
            ("account", "account.reopened"),
            ("account", "noted"),
            ("order", "noted"),
            ("order", "account.opened"),
            ("accounts", "account.opene"),
        ];
        let matching: Vec<(&str, &str)> = EVENTS
            .into_iter()
            .filter(|(category, name)| filter.matches(&recorded(category, name)))
            .collect();
        assert_eq!(matching, wanted, "{filter:?}");
    }

    fn recorded(category: &str, name: &str) -> RecordedEvent {
        let id = EventId::random();
        let metadata = Arc::new(Metadata::of(id.as_uuid()));
        let event =
            NewEvent::from_parts(id, name.to_owned(), 1, Payload::of(&()).unwrap(), metadata);
        let stream = StreamId::new(category, "1").unwrap();
        let now = SystemTime::UNIX_EPOCH;
        RecordedEvent::new(event.unwrap(), stream, Version::FIRST, Position::new(1), now)
    }

    #[test]
    fn categories_and_event_types_are_taken_as_they_are_named() {
        let opened = ("account", "account.opened");
        let reopened = ("account", "account.reopened");
        let elsewhere = ("order", "account.opened");
        let (noted, ordered) = (("account", "noted"), ("order", "noted"));
        let cut = ("accounts", "account.opene");
        let all = LogFilter::all;

        assert!(all().is_all() && LogFilter::default() == all());
        wants(&all(), &[opened, reopened, noted, ordered, elsewhere, cut]);
        wants(&all().category("account"), &[opened, reopened, noted]);
        wants(&all().category("accounts").category("order"), &[ordered, elsewhere, cut]);
        wants(&all().event_type("noted"), &[noted, ordered]);
        wants(&all().event_type("noted").event_type("account.opene"), &[noted, ordered, cut]);
        wants(&all().category("order").event_type("account.opened"), &[elsewhere]);
        wants(&all().category("accounts").event_type("noted"), &[]);
        wants(&all().events_of::<Opened>(), &[opened, reopened, elsewhere]);
        wants(
            &all().events_of::<Opened>().event_type("noted").category("order"),
            &[ordered, elsewhere],
        );
    }

    #[test]
    fn g13_names_no_event_has_are_wanted_in_vain() {
        for name in ["", "\0", "account\0", "noted\0", "Account", "a%", "*"] {
            let (category, event_type) =
                (LogFilter::all().category(name), LogFilter::all().event_type(name));
            assert!(!category.is_all() && !event_type.is_all());
            wants(&category, &[]);
            wants(&event_type, &[]);
            let names = category.categories().iter().chain(event_type.event_types());
            assert!(names.into_iter().all(|name| !name.contains('\0')), "databases refuse it");
        }
    }
}

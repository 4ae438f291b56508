//! A store in memory with one flaw: how it filters the log.

use std::sync::Arc;

use cqrs_core::limits::MAX_PAYLOAD_BYTES;
use cqrs_core::{EventStore, LogFilter, LogPage, Position, RecordedEvent, StoreError};

use super::store::{Flaw, Flawed};

impl Flawed {
    pub(super) async fn filtered(
        &self,
        filter: &LogFilter,
        after: Position,
        limit: usize,
    ) -> Result<LogPage, StoreError> {
        let mut page = self.inner.read_log(filter, after, limit).await?;
        let is: fn(&str, &str) -> bool = match self.flaw {
            Flaw::FiltersAreIgnored => |_, _| true,
            Flaw::FiltersTakePrefixes => |wanted, name| name.starts_with(wanted),
            Flaw::FiltersHaveNoCase => str::eq_ignore_ascii_case,
            Flaw::FiltersArePatterns => is_like,
            Flaw::FiltersAreLists => |wanted, name| wanted.split(',').any(|one| one == name),
            Flaw::EmptyNamesTakeAll => |wanted, name| wanted.is_empty() || wanted == name,
            Flaw::FiltersTakeTheFirstName | Flaw::FiltersTakeEither => {
                |wanted, name| wanted == name
            }
            Flaw::LimitsComeBeforeFilters => {
                page = self.inner.read_log(&LogFilter::all(), after, limit).await?;
                page.events.retain(|event| filter.matches(event));
                return Ok(page);
            }
            Flaw::FiltersLookNear => {
                let near = limit.saturating_mul(4);
                page = self.inner.read_log(&LogFilter::all(), after, near).await?;
                page.events.retain(|event| filter.matches(event));
                page.events.truncate(limit);
                let last = page.events.last().filter(|_| page.events.len() == limit);
                page.through = last.map_or(page.through, |last| last.position);
                return Ok(page);
            }
            Flaw::PagesKnowNoBytes => loop {
                let rest = limit - page.events.len();
                let next = self.inner.read_log(filter, page.through, rest).await?;
                if next.events.is_empty() {
                    return Ok(page);
                }
                page.events.extend(next.events);
                page.through = next.through;
            },
            Flaw::LargeEventsEndPages => {
                let small = |event: &RecordedEvent| event.payload.len() < MAX_PAYLOAD_BYTES;
                let small = page.events.iter().take_while(|event| small(event)).count();
                if small < page.events.len() {
                    page.events.truncate(small);
                    page.through = page.events.last().map_or(after, |event| event.position);
                }
                return Ok(page);
            }
            Flaw::ThroughStaysWithWanted => {
                page.through = page.events.last().map_or(after, |event| event.position);
                return Ok(page);
            }
            Flaw::ThroughOvershootsFilters if !filter.is_all() && page.events.len() < limit => {
                page.through = Position::new(page.through.get().saturating_add(1));
                return Ok(page);
            }
            _ => return Ok(page),
        };
        let all = self.inner.read_log(&LogFilter::all(), after, usize::MAX).await?;
        let wanted = all.events.into_iter().filter(|event| self.wants(filter, event, is));
        let events: Vec<RecordedEvent> = wanted.take(limit).collect();
        let last = events.last().map_or(after, |event| event.position);
        let through = if events.len() < limit { all.through } else { last };
        Ok(LogPage { events, through })
    }

    fn wants(&self, filter: &LogFilter, event: &RecordedEvent, is: fn(&str, &str) -> bool) -> bool {
        let compared = match self.flaw {
            Flaw::FiltersTakeTheFirstName => 1,
            _ => usize::MAX,
        };
        let among = |wanted: &[Arc<str>], name: &str| {
            wanted.is_empty() || wanted.iter().take(compared).any(|wanted| is(wanted, name))
        };
        let category = among(filter.categories(), event.stream.category());
        let event_type = among(filter.event_types(), &event.event_type);
        match self.flaw {
            Flaw::FiltersTakeEither
                if !filter.categories().is_empty() && !filter.event_types().is_empty() =>
            {
                category || event_type
            }
            _ => category && event_type,
        }
    }
}

/// As SQL compares with patterns, more or less.
fn is_like(pattern: &str, name: &str) -> bool {
    if let Some(begin) = pattern.strip_suffix('%') {
        return name.starts_with(begin);
    }
    let same = |(pattern, name): (char, char)| pattern == '_' || pattern == name;
    pattern.chars().count() == name.chars().count() && pattern.chars().zip(name.chars()).all(same)
}

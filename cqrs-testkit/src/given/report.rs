//! How events and differences are shown.

use std::fmt::{self, Display};

use cqrs_core::EventType;
use serde_json::Value;
use similar::{Algorithm, ChangeTag, TextDiff, capture_diff_slices};

/// An event as it is stored: what is compared and shown.
#[derive(Debug, PartialEq)]
pub(crate) struct Form {
    pub(crate) event_type: EventType,
    pub(crate) payload: Value,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Events(pub(crate) Vec<Form>);

impl Display for Form {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {:#}", self.event_type, self.payload)
    }
}

impl Display for Events {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(events) = self;
        if events.is_empty() {
            return formatter.write_str("nothing");
        }
        for (index, event) in events.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(formatter, "{separator}{event}")?;
        }
        Ok(())
    }
}

impl Events {
    pub(crate) fn texts(&self) -> Vec<String> {
        self.0.iter().map(Form::to_string).collect()
    }
}

/// What is expected and what happened: item by item, and line by line where items differ.
pub(crate) fn difference(expected: &[String], happened: &[String]) -> String {
    let mut shown = String::new();
    for part in capture_diff_slices(Algorithm::Myers, expected, happened) {
        let lines = |items: &[String]| -> String {
            items.iter().flat_map(|item| [item.as_str(), "\n"]).collect()
        };
        let expected = lines(&expected[part.old_range()]);
        let happened = lines(&happened[part.new_range()]);
        for change in TextDiff::from_lines(&expected, &happened).iter_all_changes() {
            let sign = match change.tag() {
                ChangeTag::Delete => "- ",
                ChangeTag::Insert => "+ ",
                ChangeTag::Equal => "  ",
            };
            shown.extend([sign, change.value()]);
        }
    }
    shown
}

pub(crate) fn indented(text: &str) -> String {
    let lines = text.lines().map(|line| match line {
        "" => String::new(),
        line => format!("    {line}"),
    });
    lines.collect::<Vec<_>>().join("\n")
}

//! Why an event can't be written, or read.

use std::fmt;

use super::{EventType, EventTypeName, RecordedEvent};
use crate::limits::{MAX_PAYLOAD_BYTES, MAX_PAYLOAD_DEPTH};
use crate::stream::StreamId;
use crate::upcast::UpcastError;
use crate::version::{Position, Version};

/// A value that has no stored form that every store could keep and give back (G13).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A number is infinite or not a number; JSON has no form for it.
    #[error(
        "the number at `{path}` is not finite, which JSON can't hold; store it as an option or a text"
    )]
    NotFinite {
        /// Where in the value.
        path: String,
    },
    /// A text or a key has a NUL character.
    #[error("the text at `{path}` has a NUL character, which databases can't store")]
    Nul {
        /// Where in the value.
        path: String,
    },
    /// `Some` of nothing, such as `Some(None)`, which JSON can't tell from `None`.
    #[error(
        "the value at `{path}` is a `Some` without content, which would be read back as `None`"
    )]
    LostSome {
        /// Where in the value.
        path: String,
    },
    /// Arrays and objects are nested too deeply to be read back.
    #[error(
        "the value is nested deeper than {MAX_PAYLOAD_DEPTH} levels and could not be read back"
    )]
    TooDeep,
    /// The JSON text is too large.
    #[error(
        "the payload has {bytes} bytes; at most {MAX_PAYLOAD_BYTES} are allowed: \
         store large documents elsewhere and their address in the event"
    )]
    TooLarge {
        /// Size of the JSON text.
        bytes: usize,
    },
    /// The event type is retired: it is read, and never written again.
    #[error(
        "event type `{event_type}` is retired and only read; write another, or remove `retired` where it is declared"
    )]
    Retired {
        /// The stored name.
        event_type: &'static str,
    },
    /// A step back to the version that is written failed.
    #[error("bringing it to the version that is written failed: {0}")]
    Downcast(UpcastError),
    /// The value's own `Serialize` failed, or the text is not JSON.
    #[error("the value has no JSON form: {0}")]
    Json(serde_json::Error),
}

impl EncodeError {
    pub(crate) fn json(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

/// A stored event that this program can't read. It is never guessed at and never skipped in silence (G11).
#[derive(Debug, thiserror::Error)]
#[error(
    "can't read event `{event_type}` v{schema_version} at version {version} of stream `{stream}` \
     (position {position}): {reason}"
)]
#[non_exhaustive]
pub struct DecodeError {
    /// The stream of the event.
    pub stream: StreamId,
    /// The place of the event in its stream.
    pub version: Version,
    /// The place of the event in the log.
    pub position: Position,
    /// The stored name of the event type.
    pub event_type: EventTypeName,
    /// The stored version of the schema.
    pub schema_version: u32,
    /// What is wrong.
    pub reason: DecodeReason,
}

impl DecodeError {
    #[cold]
    pub(super) fn new(event: &RecordedEvent, reason: DecodeReason) -> Self {
        Self {
            stream: event.stream.clone(),
            version: event.version,
            position: event.position,
            event_type: event.event_type.clone(),
            schema_version: event.schema_version,
            reason,
        }
    }
}

impl DecodeError {
    /// Whether the reader does not know the event type, whatever its version.
    pub fn is_unknown_type(&self) -> bool {
        matches!(self.reason, DecodeReason::UnknownType { .. })
    }

    /// Whether a newer program has written the event, so that this one can't know it: once it is replaced by that, the
    /// event can be read.
    pub fn is_newer(&self) -> bool {
        matches!(self.reason, DecodeReason::Newer { .. })
    }
}

/// Why a stored event can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeReason {
    /// The reader does not know the event type.
    #[error("no such event type is known here{}", Known(nearest, known))]
    UnknownType {
        /// The known names that are most like it, the most alike first.
        nearest: Vec<&'static str>,
        /// The event types the reader knows.
        known: &'static [EventType],
    },
    /// The event is of a later version of the schema than the reader knows: a newer program has written it. A newer
    /// version of this program can read it.
    #[error(
        "this program reads it up to v{newest}; a newer program has written it, so deploy that here as well"
    )]
    Newer {
        /// The newest version the reader knows.
        newest: u32,
    },
    /// There are no steps from the version of the event to the one the reader knows.
    #[error(
        "this program reads v{newest} of it, and has no upcaster for the version that is stored"
    )]
    NoSteps {
        /// The version the reader knows.
        newest: u32,
    },
    /// A step of an upcaster failed.
    #[error("the step of its upcaster from `{}` v{} failed: {error}", .from.0, .from.1)]
    Upcast {
        /// The name and the version the step begins at.
        from: (&'static str, u32),
        /// What is wrong.
        error: Box<UpcastError>,
    },
    /// The payload does not have the shape of the Rust type, or its upcaster does not make one of it.
    #[error("its payload does not have the expected shape: {}", Brief(.0))]
    Payload(serde_json::Error),
}

/// An error of serde without the middle of what is long: it repeats what it did not expect, and that is a part of the
/// event, of any length.
pub(crate) struct Brief<'a>(pub(crate) &'a serde_json::Error);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const KEPT: usize = 80;
        let text = self.0.to_string();
        let begin = text.char_indices().nth(KEPT).map(|(at, _)| at);
        let end = text.char_indices().nth_back(KEPT).map(|(at, _)| at);
        match (begin, end) {
            (Some(begin), Some(end)) if begin < end => {
                write!(formatter, "{} … {}", &text[..begin], &text[end..])
            }
            _ => formatter.write_str(&text),
        }
    }
}

/// The error for an event that is none of `known`.
#[cold]
pub(super) fn unknown_type(event: &RecordedEvent, known: &'static [EventType]) -> DecodeError {
    const ALIKE: f64 = 0.75;
    const SHOWN: usize = 3;
    let likeness = |name: &'static str| (strsim::jaro_winkler(name, &event.event_type), name);
    let names = known.iter().flat_map(EventType::stored_names).map(likeness);
    let mut alike: Vec<(f64, &str)> = names.filter(|(likeness, _)| *likeness >= ALIKE).collect();
    alike.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let mut nearest = Vec::with_capacity(SHOWN);
    for (_, name) in alike {
        if nearest.len() < SHOWN && !nearest.contains(&name) {
            nearest.push(name);
        }
    }
    DecodeError::new(event, DecodeReason::UnknownType { nearest, known })
}

/// Lists event types in an error message: those most alike, or the first few.
struct Known<'a>(&'a [&'static str], &'a [EventType]);

impl fmt::Display for Known<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 12;
        let Self(nearest, known) = self;
        let names: Vec<String> = if nearest.is_empty() {
            known.iter().take(SHOWN).map(|known| format!("`{}`", known.name)).collect()
        } else {
            nearest.iter().map(|name| format!("`{name}`")).collect()
        };
        let names = names.join(", ");
        match known.len() {
            0 => formatter.write_str("; none is"),
            _ if !nearest.is_empty() => write!(formatter, "; the most alike are {names}"),
            known if known > SHOWN => {
                write!(formatter, "; known are {names} and {} more", known - SHOWN)
            }
            _ => write!(formatter, "; known are {names}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_do_not_repeat_all_that_is_in_an_event() {
        let long = format!("{:?}", "é secret".repeat(100_000));
        let error = serde_json::from_str::<u64>(&long).unwrap_err();
        let text = Brief(&error).to_string();
        assert!(text.starts_with("invalid type: string"), "{text}");
        assert!(text.ends_with("column 900002") && text.chars().count() < 200, "{text}");
        let short = serde_json::from_str::<u64>("\"a\"").unwrap_err();
        assert_eq!(Brief(&short).to_string(), short.to_string());
    }
}

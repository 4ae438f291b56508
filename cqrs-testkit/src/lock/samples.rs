//! Events as they were once stored, which must be readable for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use cqrs_core::schema::EventReader;
use cqrs_core::{
    Catalogue, Details, EncodeError, Metadata, NewEvent, Payload, Position, RecordedEvent,
    RewriteError, StreamId, Version,
};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::text::{Kind, Lock, shown};
use super::{compare, in_package, time};
use crate::given::report::{difference, indented};

/// Reads the samples of a file, one JSON object a line, through the catalogue, and fails where one can't be read.
///
/// A sample is an event as it was once stored, such as [`record_samples`](super::record_samples) takes from a store. What
/// is stored is never written again, so that each must be readable for ever. Of each, this is checked:
///
/// - it is decoded and upcast without an error;
/// - what it becomes is written and read again as the same;
/// - at a version that is written for now (`write_version`), the step back undoes the step: it is written as it is.
///
/// ```no_run
/// # fn catalogue() -> cqrs_core::Catalogue { cqrs_core::Catalogue::new() }
/// # /*
/// #[test]
/// # */
/// fn stored_samples() {
///     cqrs_testkit::check_samples("events.samples.ndjson", &catalogue());
/// }
/// ```
///
/// A relative path begins at the directory of the package, `CARGO_MANIFEST_DIR`.
///
/// # Panics
/// When a sample fails; the message lists all that do. When the file can't be read, or has no samples.
#[track_caller]
pub fn check_samples(path: impl AsRef<Path>, catalogue: &Catalogue) {
    if let Err(error) = Samples::read(path).and_then(|samples| samples.verify(catalogue)) {
        panic!("{error}\n");
    }
}

/// The samples of a file, to be checked further than [`check_samples`] does.
///
/// ```no_run
/// # fn catalogue() -> cqrs_core::Catalogue { cqrs_core::Catalogue::new() }
/// # fn main() -> Result<(), cqrs_testkit::SamplesError> {
/// let samples = cqrs_testkit::Samples::read("events.samples.ndjson")?;
/// samples.verify(&catalogue())?;
/// samples.complete("events.lock")?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Samples {
    path: PathBuf,
    pub(super) samples: Vec<Sample>,
}

/// Samples that fail, or a file that can't be used. `Display` says all of it.
#[derive(Debug)]
pub struct SamplesError(pub(super) String);

impl fmt::Display for SamplesError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for SamplesError {}

impl Samples {
    /// Reads the samples of a file. A relative path begins at the directory of the package.
    ///
    /// # Errors
    /// When the file can't be read, or a line is not a sample.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, SamplesError> {
        let path = in_package(path.as_ref());
        match fs::read_to_string(&path) {
            Ok(text) => Self::of_text(path, &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(SamplesError(format!(
                "{} is not there yet; take samples of what is stored with `cqrs_testkit::record_samples`, or write them by \
                 hand, a line each: {EXAMPLE}",
                path.display()
            ))),
            Err(error) => Err(SamplesError(format!("{} can't be read: {error}", path.display()))),
        }
    }

    pub(super) fn of_text(path: PathBuf, text: &str) -> Result<Self, SamplesError> {
        let mut samples = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            if line.trim().is_empty() {
                continue;
            }
            let sample = Sample::of_line(number, line).map_err(|error| {
                let path = path.display();
                SamplesError(format!("{path}:{number} is not a sample: {error}; one is: {EXAMPLE}"))
            })?;
            samples.push(sample);
        }
        Ok(Self { path, samples })
    }

    /// Reads all samples through the catalogue; see [`check_samples`].
    ///
    /// # Errors
    /// Those that fail; or there are none, which would prove nothing.
    pub fn verify(&self, catalogue: &Catalogue) -> Result<(), SamplesError> {
        let path = self.path.display();
        if self.samples.is_empty() {
            return Err(SamplesError(format!("{path} has no samples")));
        }
        let failures: Vec<String> = self
            .samples
            .iter()
            .filter_map(|sample| Some((sample, sample.check(catalogue).err()?)))
            .map(|(Sample { line, event }, failure)| {
                let kind = shown(&(event.event_type.to_string(), event.schema_version));
                format!(
                    "\n\n{path}:{line}: {kind}: {failure}\n{}",
                    indented(event.payload.as_str())
                )
            })
            .collect();
        if failures.is_empty() {
            return Ok(());
        }
        Err(SamplesError(format!(
            "{} of {} samples fail: events stored like them would be lost to this program{}",
            failures.len(),
            self.samples.len(),
            failures.concat()
        )))
    }

    /// There is a sample of every version that the lock records.
    ///
    /// # Errors
    /// The versions that have none; or the lock can't be read.
    pub fn complete(&self, lock: impl AsRef<Path>) -> Result<(), SamplesError> {
        let lock_path = in_package(lock.as_ref());
        let shown = lock_path.display();
        let text = fs::read_to_string(&lock_path)
            .map_err(|error| SamplesError(format!("{shown} can't be read: {error}")))?;
        let lock = Lock::of_text(&text).map_err(|(number, line)| {
            SamplesError(format!("line {number} of {shown} can't be read: {line:?}"))
        })?;
        let sampled: BTreeSet<Kind> = self.samples.iter().map(Sample::kind).collect();
        let missing: Vec<String> = compare::without_sample(&lock, &sampled).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(SamplesError(format!(
            "{} has no sample of {}",
            self.path.display(),
            missing.join(", ")
        )))
    }
}

const EXAMPLE: &str = r#"{"type":"account.opened","version":1,"stream":"account/1","stream_version":1,"payload":{"owner":"Ada"},"recorded_at":"2026-03-01T12:00:00.000000Z"}"#;

/// An event as it was stored.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    /// Its line in the file.
    pub(super) line: usize,
    pub(super) event: RecordedEvent,
}

impl Sample {
    pub(super) fn kind(&self) -> Kind {
        (self.event.event_type.to_string(), self.event.schema_version)
    }

    fn of_line(line: usize, text: &str) -> Result<Self, String> {
        let mut fields: Fields = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let name: String = needed(&mut fields, "type")?;
        let version: u32 = needed(&mut fields, "version")?;
        let payload: Box<RawValue> = needed(&mut fields, "payload")?;
        let stream = match optional::<String>(&mut fields, "stream")? {
            Some(stream) => {
                let (category, key) =
                    stream.split_once('/').ok_or("`stream` is not of the form category/key")?;
                StreamId::new(category, key).map_err(|error| error.to_string())?
            }
            None => StreamId::new("sample", "1").map_err(|error| error.to_string())?,
        };
        let stream_version = optional(&mut fields, "stream_version")?.unwrap_or(1);
        let metadata = metadata(optional(&mut fields, "metadata")?.unwrap_or_default())?;
        let recorded_at = match optional::<String>(&mut fields, "recorded_at")? {
            Some(text) => time::read(&text).ok_or_else(|| {
                format!("`recorded_at` is {text:?}, not like {:?}", time::EXAMPLE)
            })?,
            None => SystemTime::UNIX_EPOCH,
        };
        if let Some(unknown) = fields.keys().next() {
            return Err(format!("nothing is called `{unknown}`"));
        }
        let payload = Payload::from_json(payload.get()).map_err(|error| error.to_string())?;
        let event = NewEvent::from_parts(ID.into(), name, version, payload, Arc::new(metadata))
            .map_err(|error| error.to_string())?;
        let version = Version::new(stream_version);
        let event = RecordedEvent::new(event, stream, version, Position::new(1), recorded_at);
        Ok(Self { line, event })
    }

    /// The line for a stored event. Its payload is as it is stored, byte for byte.
    pub(super) fn line_of(event: &RecordedEvent) -> String {
        let Metadata { correlation_id, causation_id, details } = &*event.metadata;
        let mut metadata = match serde_json::to_value(details) {
            Ok(Value::Object(details)) => details,
            _ => Map::new(),
        };
        metadata.insert("correlation_id".into(), correlation_id.to_string().into());
        metadata.insert("causation_id".into(), causation_id.to_string().into());
        let text = |value: &str| Value::from(value).to_string();
        format!(
            r#"{{"type":{},"version":{},"stream":{},"stream_version":{},"payload":{},"metadata":{},"recorded_at":{}}}"#,
            text(&event.event_type),
            event.schema_version,
            text(&event.stream.to_string()),
            event.version.get(),
            Self::payload_of(event),
            Value::Object(metadata),
            text(&time::written(event.recorded_at)),
        )
    }

    /// The payload on one line.
    pub(super) fn payload_of(event: &RecordedEvent) -> String {
        // Within a text, JSON has no line ends.
        event.payload.as_str().replace(['\n', '\r'], " ")
    }

    fn check(&self, catalogue: &Catalogue) -> Result<(), String> {
        let name = &*self.event.event_type;
        let mut readers = catalogue.readers_of(name).peekable();
        let is_ignored = catalogue.ignored().any(|(_, ignored)| ignored == name);
        if readers.peek().is_none() && !is_ignored {
            return Err("nothing in the program reads it; keep its type as `#[event(retired)]`, name it in an `alias` or \
                        `from`, or list it in `ignore` of the aggregate"
                .to_owned());
        }
        readers.try_for_each(|reader| self.check_with(reader, catalogue))
    }

    fn check_with(&self, reader: &EventReader, catalogue: &Catalogue) -> Result<(), String> {
        reader.decode(&self.event).map_err(|error| error.to_string())?;
        let written = match reader.rewrite(&self.event) {
            Ok(written) => written,
            // What is retired is only read.
            Err(RewriteError::Encode(EncodeError::Retired { .. })) => return Ok(()),
            Err(error) => return Err(error.to_string()),
        };
        for event in &written {
            let again = reader
                .rewrite(&self.stored(event))
                .map_err(|error| format!("what it becomes is not read again: {error}"))?;
            let (before, after) = (texts(std::slice::from_ref(event)), texts(&again));
            if before != after {
                return Err(format!(
                    "what it becomes is read as something else once it is written (- written, + read)\n\n{}",
                    indented(&difference(&before, &after))
                ));
            }
        }
        let (name, version) = self.kind();
        let is_written_so = catalogue.event_types().any(|known| {
            let known = &known.event_type;
            (known.name == name || known.aliases.contains(&&*name))
                && known.write_version == version
                && version < known.schema_version
        });
        if !is_written_so {
            return Ok(());
        }
        let stored = vec![pretty(&self.event.payload)];
        let payloads: Vec<String> = written.iter().map(|event| pretty(event.payload())).collect();
        if stored == payloads {
            return Ok(());
        }
        Err(format!(
            "v{version} is the version that is written, but `downcast` does not undo `upcast` (- stored, + written)\n\n{}",
            indented(&difference(&stored, &payloads))
        ))
    }

    /// The event as it would be stored in the place of this one.
    fn stored(&self, event: &NewEvent) -> RecordedEvent {
        let RecordedEvent { stream, version, position, recorded_at, .. } = self.event.clone();
        RecordedEvent::new(event.clone(), stream, version, position, recorded_at)
    }
}

/// The id of all samples.
const ID: uuid::Uuid = uuid::Uuid::nil();

fn texts(events: &[NewEvent]) -> Vec<String> {
    let text = |event: &NewEvent| {
        format!("{} v{} {}", event.event_type(), event.schema_version(), pretty(event.payload()))
    };
    events.iter().map(text).collect()
}

fn pretty(payload: &Payload) -> String {
    match payload.parse::<Value>() {
        Ok(value) => format!("{value:#}"),
        Err(_) => payload.to_string(),
    }
}

type Fields = BTreeMap<String, Box<RawValue>>;

fn optional<T: for<'de> serde::Deserialize<'de>>(
    fields: &mut Fields,
    name: &str,
) -> Result<Option<T>, String> {
    let read = |value: Box<RawValue>| serde_json::from_str(value.get());
    fields.remove(name).map(read).transpose().map_err(|error| format!("`{name}`: {error}"))
}

fn needed<T: for<'de> serde::Deserialize<'de>>(
    fields: &mut Fields,
    name: &str,
) -> Result<T, String> {
    optional(fields, name)?.ok_or_else(|| format!("`{name}` is missing"))
}

/// Metadata from their entries: the two ids, and the details beside them.
fn metadata(mut entries: Map<String, Value>) -> Result<Metadata, String> {
    let mut id = |name: &str| match entries.remove(name) {
        Some(id) => serde_json::from_value(id).map_err(|error| format!("`{name}`: {error}")),
        None => Ok(ID),
    };
    let (correlation_id, causation_id) = (id("correlation_id")?, id("causation_id")?);
    let details: Details = serde_json::from_value(Value::Object(entries))
        .map_err(|error| format!("`metadata`: {error}"))?;
    Ok(Metadata { correlation_id, causation_id, details })
}

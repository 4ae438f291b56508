//! Takes samples from a store.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use cqrs_core::{EventStore, LogFilter, Position, StoreError};

use super::samples::{Sample, Samples, SamplesError};
use super::text::Kind;
use super::{in_package, write_atomically};

/// How many events are read at once.
const PAGE: usize = 500;

/// Adds samples of what a store holds to a file, for [`check_samples`](super::check_samples): up to `n` of each version of
/// each event type, those that are there counted, with different payloads. Returns how many were added.
///
/// The log is read from its beginning to where it ends at the call. What is in the file stays; the order is that of types
/// and versions, so that differences read well. The file is written wholly, or not at all.
///
/// Samples are what was stored, with all it says of people: take them from a store that may be published where the file
/// is, or go through them before they are.
///
/// A relative path begins at the directory of the package, `CARGO_MANIFEST_DIR`.
///
/// # Errors
/// When the store or the file can't be read, or the file can't be written.
///
/// # Cancellation
/// Dropping the future leaves the file as it was.
pub async fn record_samples<S: EventStore + ?Sized>(
    store: &S,
    path: impl AsRef<Path>,
    n: usize,
) -> Result<usize, SamplesError> {
    let path = in_package(path.as_ref());
    let shown = path.display();
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(SamplesError(format!("{shown} can't be read: {error}"))),
    };
    let lines: Vec<&str> = text.lines().collect();
    let mut samples: BTreeMap<Kind, Vec<(String, String)>> = BTreeMap::new();
    for sample in Samples::of_text(path.clone(), &text)?.samples {
        let line = lines.get(sample.line - 1).copied().unwrap_or_default();
        let payload = sample.event.payload.to_string();
        samples.entry(sample.kind()).or_default().push((payload, line.to_owned()));
    }
    let unread = |error: StoreError| SamplesError(format!("the store can't be read: {error}"));
    let end = store.head().await.map_err(unread)?.visible;
    let (mut after, mut added) = (Position::START, 0);
    while after < end {
        let page = store.read_log(&LogFilter::all(), after, PAGE).await.map_err(unread)?;
        for event in page.events.iter().take_while(|event| event.position <= end) {
            let kind = (event.event_type.to_string(), event.schema_version);
            let known = samples.entry(kind).or_default();
            if known.len() >= n {
                continue;
            }
            let payload = Sample::payload_of(event);
            if known.iter().all(|(known, _)| *known != payload) {
                known.push((payload, Sample::line_of(event)));
                added += 1;
            }
        }
        if page.through <= after {
            break;
        }
        after = page.through;
    }
    let text: String =
        samples.into_values().flatten().flat_map(|(_, line)| [line, "\n".to_owned()]).collect();
    write_atomically(&path, &text)
        .map_err(|error| SamplesError(format!("{shown} can't be written: {error}")))?;
    Ok(added)
}

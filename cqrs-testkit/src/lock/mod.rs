//! Keeps stored events readable: a lock of their shapes, and samples of them.

mod compare;
mod current;
mod record;
mod samples;
mod text;
mod time;

use std::fmt::{self, Write as _};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use cqrs_core::Catalogue;

use self::compare::{Change, changes, merged};
use self::current::lock_of;
pub use self::record::record_samples;
pub use self::samples::{Samples, SamplesError, check_samples};
use self::text::Lock;
use crate::given::report::indented;

/// Compares what the program stores with what is recorded in a file of the repository, and fails where they differ.
///
/// The file has the shape of every version of every event type. It is what tells, years later and before anything is
/// deployed, that a field was added to an event without a new version, or that a name is no longer read:
///
/// ```no_run
/// # fn catalogue() -> cqrs_core::Catalogue { cqrs_core::Catalogue::new() }
/// # /*
/// #[test]
/// # */
/// fn stored_events() {
///     cqrs_testkit::check_lock("events.lock", &catalogue());
/// }
/// ```
///
/// A relative path begins at the directory of the package, `CARGO_MANIFEST_DIR`. The environment variable `EVENTS_LOCK`
/// says what happens where they differ:
///
/// - unset: it fails, with all differences and what to do about each;
/// - `write`: what is new is recorded: event types, and versions that the earlier ones lead to. It fails, and records
///   nothing, if anything else has changed;
/// - `accept`: everything is recorded as it is now. That is right only for events that were never stored.
///
/// What serde reads and writes is seen as far as types tell it; where they don't, [`check_samples`] helps.
///
/// # Panics
/// When they differ, as said above; when a stored name means two things (see [`Catalogue::check`]); when the file can't be
/// read or written.
#[track_caller]
pub fn check_lock(path: impl AsRef<Path>, catalogue: &Catalogue) {
    let checked = Mode::of_environment()
        .and_then(|mode| verify_lock(in_package(path.as_ref()), catalogue, mode));
    if let Err(error) = checked {
        panic!("{error}\n");
    }
}

/// What [`verify_lock`] does where the program differs from the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Fails.
    Check,
    /// Records what is new; fails if anything else has changed.
    Write,
    /// Records everything.
    Accept,
}

/// The program and the file differ, or the file can't be used. `Display` says all of it, and what to do.
#[derive(Debug)]
pub struct LockError(String);

impl fmt::Display for LockError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for LockError {}

impl Mode {
    fn of_environment() -> Result<Self, LockError> {
        match std::env::var("EVENTS_LOCK").as_deref() {
            Err(std::env::VarError::NotPresent) | Ok("") => Ok(Self::Check),
            Ok("write") => Ok(Self::Write),
            Ok("accept") => Ok(Self::Accept),
            other => Err(LockError(format!(
                "EVENTS_LOCK is {other:?}; it is `write` to record what is new, `accept` to record everything, or unset"
            ))),
        }
    }
}

/// The same as [`check_lock`], for tests of one's own and tools: with the path as it is, without the environment.
///
/// # Errors
/// When the program and the file differ and `mode` does not record it, or the file can't be read or written.
pub fn verify_lock(
    path: impl AsRef<Path>,
    catalogue: &Catalogue,
    mode: Mode,
) -> Result<(), LockError> {
    let path = path.as_ref();
    let shown = path.display();
    if let Err(clashes) = catalogue.check() {
        return Err(LockError(clashes.to_string()));
    }
    let current = lock_of(catalogue);
    let text = match fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(LockError(format!("{shown} can't be read: {error}"))),
    };
    let recorded = match text.as_deref().map(Lock::of_text) {
        Some(Ok(lock)) => lock,
        None if mode == Mode::Check => {
            return Err(LockError(format!(
                "{shown} is not there yet; record the {} event types of the program with\n\n    EVENTS_LOCK=write cargo \
                 test\n\nand keep it in version control",
                current.events.len()
            )));
        }
        None => Lock::default(),
        Some(Err((number, line))) => {
            return Err(LockError(format!(
                "line {number} of {shown} can't be read: {line:?}; take the file from version control again, and after a \
                 merge the lines of both sides"
            )));
        }
    };
    let changes = changes(&recorded, &current);
    let is_breaking = changes.iter().any(|change| change.is_breaking);
    let merged = merged(&recorded, &current);
    match mode {
        Mode::Check if changes.is_empty() => Ok(()),
        Mode::Check => Err(LockError(report(path, &changes))),
        Mode::Write if is_breaking => Err(LockError(report(path, &changes))),
        Mode::Write | Mode::Accept => {
            let new = merged.to_text();
            if text.as_deref() == Some(&*new) {
                return Ok(());
            }
            write_atomically(path, &new)
                .map_err(|error| LockError(format!("{shown} can't be written: {error}")))
        }
    }
}

/// Everything that has changed, what is wrong first.
fn report(path: &Path, changes: &[Change]) -> String {
    let mut text = format!("the events of the program are not those of {}", path.display());
    let mut tell = |change: &Change| {
        // Writing to a `String` can't fail.
        let _ = write!(text, "\n\n{} {}", if change.is_breaking { "✗" } else { "+" }, change.what);
        if !change.difference.is_empty() {
            let _ = write!(text, "\n\n{}\n", indented(&change.difference));
        }
        if !change.mend.is_empty() {
            let _ = write!(text, "\n  → {}", change.mend);
        }
    };
    let (breaking, additions): (Vec<&Change>, Vec<&Change>) =
        changes.iter().partition(|change| change.is_breaking);
    breaking.iter().copied().for_each(&mut tell);
    additions.iter().copied().for_each(&mut tell);
    let last = match (breaking.is_empty(), additions.is_empty()) {
        (true, _) => "record it, if it is meant so, with\n\n    EVENTS_LOCK=write cargo test",
        (false, false) => {
            "what is marked with + can be recorded with `EVENTS_LOCK=write cargo test` once ✗ is mended"
        }
        (false, true) => return text,
    };
    let _ = write!(text, "\n\n{last}");
    text
}

/// A relative path begins at the directory of the package that is tested.
fn in_package(path: &Path) -> PathBuf {
    match std::env::var_os("CARGO_MANIFEST_DIR") {
        Some(package) => Path::new(&package).join(path),
        None => path.to_owned(),
    }
}

/// Writes a file wholly, or not at all.
fn write_atomically(path: &Path, text: &str) -> io::Result<()> {
    static WRITES: AtomicU64 = AtomicU64::new(0);
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    // Beside it, so that it is in the same file system; several tests may write at once.
    let mut name = path.file_name().unwrap_or_default().to_owned();
    let write = WRITES.fetch_add(1, Ordering::Relaxed);
    name.push(format!(".{}-{write}.new", std::process::id()));
    let new = path.with_file_name(name);
    let written = fs::File::create(&new)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}

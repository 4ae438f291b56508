//! What clients wrote down: every call before it is made, and what came of it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::domain::{Order, Place, Purse, Transfer};

/// The milliseconds since 1970, for figures; no check depends on them.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// An order to one purse.
    Order {
        /// The purse.
        place: Place,
        /// What is wanted.
        order: Order,
    },
    /// A transfer between two.
    Transfer {
        /// Where the money comes from.
        from: Place,
        /// Where it goes.
        to: Place,
        /// How much.
        cents: i64,
    },
    /// A look at a purse, read from the store.
    Look {
        /// The purse.
        place: Place,
    },
}

/// An effect of an operation: its events in one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// What the events are marked with.
    pub mark: String,
    /// The stream.
    pub stream: String,
}

impl Action {
    /// What the action leaves in the store if it is carried out.
    pub fn effects(&self, op: &str) -> Vec<Effect> {
        match self {
            Self::Order { place, .. } => {
                vec![Effect { mark: op.to_owned(), stream: place.stream() }]
            }
            Self::Transfer { from, to, .. } => {
                let [out, into] = Transfer::steps(op);
                vec![
                    Effect { mark: out, stream: from.stream() },
                    Effect { mark: into, stream: to.stream() },
                ]
            }
            Self::Look { .. } => Vec::new(),
        }
    }
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was carried out.
    Done {
        /// Where the stream stood afterwards, where that was told.
        version: Option<u64>,
        /// Its last position then.
        position: Option<u64>,
        /// Whether it had been carried out before, under the same key.
        replayed: bool,
    },
    /// Nobody knew at first, and appending again has told that it is stored.
    Found,
    /// The domain refused it, in this state.
    Refused {
        /// The state.
        seen: Purse,
    },
    /// It failed, and the error says that nothing was stored.
    Failed {
        /// The kind of the error.
        kind: String,
        /// The error.
        error: String,
    },
    /// It failed, and nobody knows what was stored.
    Unknown {
        /// The error.
        error: String,
    },
    /// The future was dropped.
    Cancelled,
    /// What a look showed.
    Saw {
        /// The version of the stream.
        version: u64,
        /// The state.
        state: Purse,
    },
}

impl Outcome {
    /// Whether the operation is carried out.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Found)
    }

    /// One word for figures.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Done { replayed: false, .. } => "ok",
            Self::Done { replayed: true, .. } => "ok, done before",
            Self::Found => "ok, found out",
            Self::Refused { .. } => "refused",
            Self::Failed { .. } => "failed",
            Self::Unknown { .. } => "unknown",
            Self::Cancelled => "cancelled",
            Self::Saw { .. } => "looked",
        }
    }
}

/// A line of a history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// When it was written, in milliseconds since 1970.
    pub at: u64,
    /// The operation.
    pub op: String,
    /// What happened.
    #[serde(flatten)]
    pub entry: Entry,
}

/// What happened to an operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// A call is about to be made.
    Call {
        /// What is asked for.
        action: Action,
        /// Whether under an idempotency key, so that it may be made again.
        keyed: bool,
    },
    /// The last call of the operation has ended.
    End(Outcome),
}

/// A history that is being written. What is in it survives the end of the process, however it comes.
#[derive(Debug)]
pub struct Recorder {
    file: Mutex<File>,
}

impl Recorder {
    /// A new file.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { file: Mutex::new(file) })
    }

    /// Writes that a call is about to be made.
    ///
    /// # Errors
    /// When that can't be written; then the call must not be made.
    pub fn call(&self, op: &str, action: &Action, keyed: bool) -> io::Result<()> {
        self.write(op, Entry::Call { action: action.clone(), keyed })
    }

    /// Writes what came of it.
    ///
    /// # Errors
    /// When that can't be written.
    pub fn end(&self, op: &str, outcome: Outcome) -> io::Result<()> {
        self.write(op, Entry::End(outcome))
    }

    fn write(&self, op: &str, entry: Entry) -> io::Result<()> {
        // The order of lines is that of what happened: an end that stands before a call was known before it.
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut line = serde_json::to_vec(&Line { at: now(), op: op.to_owned(), entry })?;
        line.push(b'\n');
        file.write_all(&line)
    }
}

/// A history that was written.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// Who wrote it: the name of the file.
    pub name: String,
    /// Its lines.
    pub lines: Vec<Line>,
}

impl History {
    /// Reads a file. A last line that is not whole is left out: its writer was killed, and what it was about is
    /// unknown.
    ///
    /// # Errors
    /// When the file can't be read or another line makes no sense.
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = std::fs::read_to_string(path)?;
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let lines = whole.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { name, lines })
    }

    /// Reads all histories of a folder whose names begin with `prefix`, in order of their names.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn read_all(folder: &Path, prefix: &str) -> io::Result<Vec<Self>> {
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let path: PathBuf = entry?.path();
            let is_history = path.extension().is_some_and(|extension| extension == "jsonl");
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if is_history && name.starts_with(prefix) {
                paths.push(path);
            }
        }
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }
}

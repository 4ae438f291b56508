//! Child processes: this test binary runs itself again, with a task in the environment.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use cqrs_core::{
    AppendError, EventId, EventStore, ExpectedVersion, LogFilter, Position, StoreErrorKind,
    StreamId, Version,
};
use cqrs_sqlite::{SqliteModel, SqliteStore};
use uuid::Uuid;

use crate::support::{append, marked_events, open_patiently, stream};
use crate::{exchanging, projecting};

const TASK: &str = "CQRS_SQLITE_TEST_TASK";
const FILE: &str = "CQRS_SQLITE_TEST_FILE";

/// What a child does once it is told to start. It prints the ids of each append that was acknowledged.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Task {
    /// Append to many streams until it is killed.
    AppendUntilKilled,
    /// Append to many streams until an append fails, and print its kind.
    AppendUntilFailure,
    /// Append a hundred times to one stream that all children share, at the version last read.
    RaceOnOneStream,
    /// Append a hundred times to streams that all children share, wherever they stand.
    RaceOnManyStreams,
    /// Run a projection in the file of the events until it is killed. It prints the position of each event it takes.
    Project,
    /// The same with the rows in a file of their own.
    ProjectIntoAnotherFile,
    /// Put one version of the projection into service after the other until it is killed.
    Exchange,
}

impl Task {
    const ALL: [Self; 7] = [
        Self::AppendUntilKilled,
        Self::AppendUntilFailure,
        Self::RaceOnOneStream,
        Self::RaceOnManyStreams,
        Self::Project,
        Self::ProjectIntoAnotherFile,
        Self::Exchange,
    ];
}

/// Does nothing unless this process was started by [`Worker::start`].
#[tokio::test]
async fn run() {
    let (Ok(task), Some(file)) = (env::var(TASK), env::var_os(FILE)) else {
        return;
    };
    let task = Task::ALL.into_iter().find(|known| format!("{known:?}") == task).unwrap();
    say("ready");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    let store = open_patiently(file.as_ref()).await;
    match task {
        Task::AppendUntilKilled => while append_anywhere(&store).await.is_ok() {},
        Task::AppendUntilFailure => {
            let mut failure = None;
            // Far more than fit, so that a failure that goes unnoticed does not go on forever.
            for _ in 0..10_000 {
                failure = append_anywhere(&store).await.err();
                if failure.is_some() {
                    break;
                }
            }
            say(&format!("failed {failure:?}"));
            // The store goes on; what was acknowledged can be read.
            let log = store.read_log(&LogFilter::all(), Position::START, 1).await.unwrap();
            assert_eq!(log.events.len(), 1);
        }
        Task::RaceOnOneStream => {
            for _ in 0..100 {
                append_at_the_end(&store, "hot").await;
            }
        }
        Task::RaceOnManyStreams => {
            for _ in 0..100 {
                append_anywhere(&store).await.unwrap();
            }
        }
        Task::Project => project(&store, store.model()).await,
        Task::ProjectIntoAnotherFile => {
            let model = projecting::other_file(file.as_ref()).await;
            project(&store, model).await;
        }
        Task::Exchange => {
            let model = projecting::other_file(file.as_ref()).await;
            exchanging::exchange(&model, |version| say(&format!("taken {version}"))).await;
        }
    }
    store.close().await;
}

/// Appends 1 to 5 events to one of 7 streams.
async fn append_anywhere(store: &SqliteStore) -> Result<(), StoreErrorKind> {
    let random = EventId::random().as_uuid().as_u128();
    let events = marked_events(usize::try_from(random % 5).unwrap() + 1);
    let key = (random / 5 % 7).to_string();
    let append = append(&key, ExpectedVersion::Any, &events);
    match store.append(&append).await {
        Ok(appended) => {
            assert!(!appended.replayed);
            acknowledge(append.events().iter().map(cqrs_core::NewEvent::id));
            Ok(())
        }
        Err(AppendError::Store(error)) => Err(error.kind()),
        Err(AppendError::Conflict(conflict)) => panic!("{conflict}"),
    }
}

/// Appends to this stream like a command does: reads where it stands, and starts over after a conflict.
async fn append_at_the_end(store: &SqliteStore, key: &str) {
    let events = marked_events(2);
    loop {
        let version = end(store, &stream(key)).await;
        match store.append(&append(key, ExpectedVersion::Exact(version), &events)).await {
            Ok(appended) => {
                assert_eq!((appended.version, appended.replayed), (version.plus(2), false));
                return acknowledge(events.iter().map(cqrs_core::NewEvent::id));
            }
            Err(AppendError::Conflict(conflict)) => {
                assert!(conflict.actual > version, "{conflict}");
            }
            Err(AppendError::Store(error)) => panic!("{error}"),
        }
    }
}

async fn end(store: &SqliteStore, stream: &StreamId) -> Version {
    let events = store.read_stream(stream, Version::NONE, usize::MAX).await;
    events.unwrap().last().map_or(Version::NONE, |event| event.version)
}

async fn project(store: &SqliteStore, model: SqliteModel) {
    let taken = |position| say(&format!("taken {position}"));
    let stopped = projecting::start(store, model, taken).stopped().await;
    panic!("{stopped}");
}

fn acknowledge(ids: impl Iterator<Item = EventId>) {
    let ids: Vec<String> = ids.map(|id| id.to_string()).collect();
    say(&format!("stored {}", ids.join(" ")));
}

/// The test harness prints, too; so each message gets a line of its own.
fn say(message: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n{message}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// What a child tells its parent.
#[derive(Debug)]
pub(crate) enum Said {
    /// The events of these ids were acknowledged by one append.
    Stored(Vec<EventId>),
    /// An append failed with this kind.
    Failed(String),
    /// A projection takes the event at this position, or this version is put into service; whether that is committed is
    /// another matter.
    Taken(Position),
}

/// A child process, seen from its parent. It is killed when dropped.
pub(crate) struct Worker {
    child: Child,
    input: ChildStdin,
    /// What it has said; read while nobody asks for it, so that it never waits for somebody to listen.
    output: Receiver<String>,
}

impl Worker {
    /// Starts a child and waits until it is ready to be told to [`go`](Self::go).
    pub(crate) fn start(task: Task, file: &Path) -> Self {
        Self::start_as(Command::new(env::current_exe().unwrap()), task, file)
    }

    /// The same for a command that runs this binary with the arguments it is given.
    pub(crate) fn start_as(mut command: Command, task: Task, file: &Path) -> Self {
        let mut child = command
            .args(["child::run", "--exact", "--nocapture"])
            .env(TASK, format!("{task:?}"))
            .env(FILE, file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (said, output) = mpsc::channel();
        thread::spawn(move || {
            for line in lines {
                if said.send(line.unwrap()).is_err() {
                    break;
                }
            }
        });
        assert!(output.iter().any(|line| line == "ready"));
        Self { child, input, output }
    }

    pub(crate) fn go(&mut self) {
        self.input.write_all(b"go\n").unwrap();
    }

    /// What it says next; `None` when it came to its end.
    pub(crate) fn next(&mut self) -> Option<Said> {
        self.output.iter().find_map(|line| {
            if let Some(ids) = line.strip_prefix("stored ") {
                let ids = ids.split(' ').map(|id| Uuid::parse_str(id).unwrap());
                return Some(Said::Stored(ids.map(EventId::from).collect()));
            }
            if let Some(position) = line.strip_prefix("taken ") {
                return Some(Said::Taken(Position::new(position.parse().unwrap())));
            }
            line.strip_prefix("failed ").map(|kind| Said::Failed(kind.to_owned()))
        })
    }

    /// All that it says it stored, up to its end.
    pub(crate) fn all_stored(&mut self) -> Vec<EventId> {
        let mut stored = Vec::new();
        while let Some(said) = self.next() {
            match said {
                Said::Stored(ids) => stored.extend(ids),
                other => panic!("{other:?}"),
            }
        }
        stored
    }

    /// Ends it at once, as a power failure of the process: no code of its own runs any more.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    #[track_caller]
    pub(crate) fn assert_succeeded(&mut self) {
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

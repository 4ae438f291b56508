//! Child processes: this test binary runs itself again, to run a projection until it is killed.

use std::env;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use cqrs_core::Position;
use cqrs_postgres::PostgresStore;
use cqrs_test_harness::Database;

use crate::projecting;

const URL: &str = "CQRS_POSTGRES_TEST_URL";
const SLOTS: &str = "CQRS_POSTGRES_TEST_SLOTS";

/// Does nothing unless this process was started by [`Worker::start`]. Prints the position of each event it takes.
#[tokio::test]
async fn run() {
    let Ok(url) = env::var(URL) else { return };
    // The end of its input is the end of its parent.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(1);
    });
    let store = PostgresStore::connect(&url).await.unwrap();
    let taken = |position: Position| {
        // The test harness prints, too; so each message gets a line of its own.
        let mut out = std::io::stdout().lock();
        out.write_all(format!("\ntaken {position}\n").as_bytes()).unwrap();
        out.flush().unwrap();
    };
    let slots = env::var(SLOTS).unwrap().parse().unwrap();
    let stopped = projecting::start(&store, slots, taken).stopped().await;
    panic!("{stopped}");
}

/// A child process, seen from its parent. It is killed when dropped.
pub(crate) struct Worker {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
    _input: ChildStdin,
}

impl Worker {
    pub(crate) fn start(database: &Database, slots: u32) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["child::run", "--exact", "--nocapture"])
            .env(URL, database.url())
            .env(SLOTS, slots.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { output, _input: child.stdin.take().unwrap(), child }
    }

    /// Waits until it takes an event. Whether it commits that is another matter.
    pub(crate) fn next(&mut self) -> Position {
        let taken = self.output.find_map(|line| {
            let line = line.unwrap();
            line.strip_prefix("taken ").map(|position| position.parse().unwrap())
        });
        Position::new(taken.unwrap())
    }

    /// Ends it at once: no code of its own runs any more.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! The examples `projections` and `rebuild` as a user runs them.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cqrs::prelude::*;
use cqrs::{
    Append, BoxError, Committed, EventId, ExpectedVersion, Metadata, NewEvent, OnChange, Projector,
    Received, Running, SqliteStore, StreamId,
};

use crate::domain::{Counter, CounterEvent, add};

const LONG: Duration = Duration::from_mins(1);

/// An example, built with those of the workspace if that is not done yet.
pub(crate) fn example(name: &str) -> Command {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    let directory = DIRECTORY.get_or_init(|| {
        let examples = ["bank", "projections", "rebuild"].map(|name| ["--example", name]);
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--workspace"])
            .args(examples.concat())
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .unwrap();
        assert!(status.success());
        let own = std::env::current_exe().unwrap();
        own.ancestors().nth(2).unwrap().join("examples")
    });
    let mut command = Command::new(directory.join(name));
    command.stdin(Stdio::null());
    command
}

/// What it prints; what it complains about if it fails.
async fn output(mut command: Command) -> Result<String, String> {
    let output = tokio::task::spawn_blocking(move || command.output());
    let Output { status, stdout, stderr } = output.await.unwrap().unwrap();
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    if status.success() { Ok(stdout) } else { Err(stderr) }
}

async fn console(database: &str, arguments: &[&str]) -> Result<String, String> {
    let mut command = example("projections");
    command.arg(database).args(arguments);
    output(command).await
}

/// Asks the console until it answers like this.
async fn console_shows(database: &str, shown: impl Fn(&str) -> bool) -> String {
    let met = async {
        loop {
            let text = console(database, &[]).await.unwrap();
            if shown(&text) {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LONG, met).await.unwrap()
}

/// The cells of the row of a projection.
fn row<'t>(text: &'t str, projection: &str) -> Vec<&'t str> {
    let row = text.lines().find(|line| line.starts_with(projection));
    let row = row.unwrap_or_else(|| panic!("{text}"));
    row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

#[derive(Debug, Clone, View)]
#[view(name = "totals", version = 1, key(counter), events(CounterEvent))]
struct Total {
    counter: String,
    total: i64,
}

impl Fold<CounterEvent> for Total {
    fn rows(_: &CounterEvent, received: &Received<'_>) -> impl IntoIterator<Item = String> {
        Some(received.stream.key().to_owned())
    }

    fn fold(
        row: &mut Option<Self>,
        counter: &String,
        event: &CounterEvent,
        _: &Received<'_>,
    ) -> Result<(), BoxError> {
        let CounterEvent::Added { amount } = *event else { return Ok(()) };
        if amount == 13 {
            return Err("13 can't be taken".into());
        }
        row.get_or_insert(Self { counter: counter.clone(), total: 0 }).total += amount;
        Ok(())
    }
}

#[derive(Debug, Clone, View)]
#[view(name = "totals", version = 2, key(counter), events(CounterEvent))]
struct Count {
    counter: String,
    count: i64,
}

impl Fold<CounterEvent> for Count {
    fn rows(_: &CounterEvent, received: &Received<'_>) -> impl IntoIterator<Item = String> {
        Some(received.stream.key().to_owned())
    }

    fn fold(
        row: &mut Option<Self>,
        counter: &String,
        _: &CounterEvent,
        _: &Received<'_>,
    ) -> Result<(), BoxError> {
        row.get_or_insert(Self { counter: counter.clone(), count: 0 }).count += 1;
        Ok(())
    }
}

/// An application whose projections the console shows.
struct Application {
    _directory: tempfile::TempDir,
    database: String,
    store: SqliteStore,
    bus: Bus,
}

impl Application {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("app.db").to_str().unwrap().to_owned();
        let store = crate::stores::sqlite(&database).await;
        let bus = Bus::builder(store.clone()).aggregate::<Counter>().build().unwrap();
        Self { _directory: directory, database, store, bus }
    }

    fn projector(&self) -> Projector {
        let lease = Duration::from_secs(1);
        Projector::new(self.store.clone()).attempts(1).lease(lease).label("the application")
    }

    fn start(&self) -> Running {
        self.projector().start_view::<Total>(self.store.model())
    }

    async fn add(&self, counter: &str, amount: i64) -> Committed {
        self.bus.send(add(counter, amount)).await.unwrap()
    }

    async fn console(&self, arguments: &[&str]) -> Result<String, String> {
        console(&self.database, arguments).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_shows_projections_and_mends_them() {
    let application = Application::new().await;
    let text = application.console(&[]).await.unwrap();
    assert!(text.contains("ends at position 0") && text.contains("no projections"), "{text}");

    let running = application.start();
    for amount in [1, 13, 2] {
        application.add("a", amount).await;
    }
    let last = application.add("b", 5).await;
    running.wait_for(&last, LONG).await.unwrap();
    // Its lease may run out, for a moment, while the machine is busy.
    let is_owned = |text: &str| {
        text.lines().any(|line| line.starts_with("totals v1") && line.ends_with("the application"))
    };
    let text = console_shows(&application.database, is_owned).await;
    assert!(text.contains(&format!("The log ends at position {}.", last.position)), "{text}");
    let cells = row(&text, "totals v1");
    assert_eq!(cells[1..3], ["in service", "0"], "{text}");
    assert_eq!(cells[7..], ["1", "the application"], "{text}");

    let parked = application.console(&["parked"]).await.unwrap();
    for shown in ["totals v1", "counter/a", "event 2, `counter.added`", "13 can't be taken"] {
        assert!(parked.contains(shown), "{parked}");
    }
    let refused = application.console(&["replay", "totals", "counter/a"]).await.unwrap_err();
    assert!(refused.contains("13 can't be taken"), "{refused}");
    application.console(&["discard", "totals", "counter/a"]).await.unwrap();
    let parked = application.console(&["parked"]).await.unwrap();
    assert_eq!(parked, "No stream is parked.\n");

    let rescaled = application.console(&["rescale", "totals", "3"]).await.unwrap();
    assert!(rescaled.contains("into 3 slots"), "{rescaled}");
    let is_rescaled = |text: &str| {
        let owned = text.lines().filter(|line| line.ends_with("the application"));
        owned.count() == 3 && !text.contains("is being divided")
    };
    console_shows(&application.database, is_rescaled).await;

    // Nobody but those who run it can take events: without them, it says that it waits for them.
    running.stop().await;
    console_shows(&application.database, |text| text.contains("nobody for")).await;
    let done = application.add("c", 1).await;
    let text = application.console(&[]).await.unwrap();
    assert!(text.lines().any(|line| line.contains("  1  ") && line.contains(" s  ")), "{text}");

    application.console(&["reset", "totals"]).await.unwrap();
    let text = application.console(&[]).await.unwrap();
    assert_eq!(row(&text, "totals v1")[3], "0", "{text}");
    let running = application.start();
    running.wait_for(&done, LONG).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_changes_the_version_in_service() {
    let application = Application::new().await;
    let old = application.start();
    let done = application.add("a", 1).await;
    old.wait_for(&done, LONG).await.unwrap();
    let missing = application.console(&["promote", "totals"]).await.unwrap_err();
    assert!(missing.contains("no version of `totals` is beside"), "{missing}");

    let builder = application.projector().on_change(OnChange::BuildAndWait);
    let new = builder.start_view::<Count>(application.store.model());
    let is_there = |text: &str| text.contains("totals v2");
    let text = console_shows(&application.database, is_there).await;
    assert_eq!(row(&text, "totals v1")[1], "in service", "{text}");
    assert_eq!(row(&text, "totals v2")[1], "beside", "{text}");

    // It may be a moment behind.
    let promoted = async {
        while let Err(behind) = application.console(&["promote", "totals"]).await {
            assert!(behind.contains("nothing was changed"), "{behind}");
        }
    };
    tokio::time::timeout(LONG, promoted).await.unwrap();
    old.stopped().await;
    // It knows, and so notices when it is replaced.
    let is_known = async {
        while !new.status().in_service {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, is_known).await.unwrap();
    let text = application.console(&[]).await.unwrap();
    assert_eq!(row(&text, "totals v2")[1], "in service", "{text}");
    assert_eq!(row(&text, "totals v1")[1], "beside", "{text}");

    let rolled_back = application.console(&["roll-back", "totals"]).await.unwrap();
    assert!(rolled_back.contains("totals v1 is in service"), "{rolled_back}");
    new.stopped().await;
    application.console(&["remove", "totals@1"]).await.unwrap_err();
    application.console(&["remove", "totals@2"]).await.unwrap();
    let text = application.console(&[]).await.unwrap();
    assert!(text.contains("totals v1") && !text.contains("totals v2"), "{text}");
    let unknown = application.console(&["reset", "sums"]).await.unwrap_err();
    assert!(unknown.contains("`sums`") && unknown.contains("totals@1"), "{unknown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_watches() {
    let application = Application::new().await;
    let running = application.start();
    let done = application.add("a", 1).await;
    running.wait_for(&done, LONG).await.unwrap();
    let mut command = example("projections");
    command.args([&application.database, "--watch"]).stdout(Stdio::piped());
    let mut console = command.spawn().unwrap();
    let lines = BufReader::new(console.stdout.take().unwrap()).lines();
    let rows = tokio::task::spawn_blocking(move || {
        let rows = lines.map(Result::unwrap).filter(|line| line.starts_with("totals v1"));
        rows.take(3).collect::<Vec<_>>()
    });
    let rows = tokio::time::timeout(LONG, rows).await.unwrap().unwrap();
    console.kill().unwrap();
    console.wait().unwrap();
    // A rate needs two looks.
    assert_eq!(row(&rows[0], "totals v1")[6], "-", "{rows:?}");
    assert_eq!(row(&rows[2], "totals v1")[6], "0", "{rows:?}");
}

#[tokio::test]
async fn the_console_makes_no_databases() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let missing = console(&path("missing.db"), &[]).await.unwrap_err();
    assert!(missing.contains("there is no file"), "{missing}");
    assert!(!directory.path().join("missing.db").exists());

    let url = format!("sqlite://{}?mode=rwc", path("other.db"));
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    sqlx::query("CREATE TABLE other (id INTEGER PRIMARY KEY)").execute(&pool).await.unwrap();
    let other = console(&path("other.db"), &[]).await.unwrap_err();
    assert!(other.contains("holds no events"), "{other}");
    let tables: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_schema").fetch_one(&pool).await.unwrap();
    assert_eq!(tables, 1);

    let database = cqrs_test_harness::postgres().unwrap().database("console").await.unwrap();
    let empty = console(&database.url(), &[]).await.unwrap_err();
    assert!(empty.contains("schema `cqrs`"), "{empty}");
    let pool = sqlx::PgPool::connect(&database.url()).await.unwrap();
    let schema: Option<String> =
        sqlx::query_scalar("SELECT to_regnamespace('cqrs')::text").fetch_one(&pool).await.unwrap();
    assert_eq!(schema, None);
}

#[tokio::test]
async fn the_console_names_the_sessions_that_hold_readers_up() {
    let database = cqrs_test_harness::postgres().unwrap().database("sessions").await.unwrap();
    let store = crate::stores::postgres(&database.url()).await;
    let added = CounterEvent::Added { amount: 1 };
    let metadata = Arc::new(Metadata::of(EventId::random().as_uuid()));
    let event = NewEvent::of(&added, EventId::random(), metadata).unwrap();
    let stream = StreamId::new("counter", "a").unwrap();
    let append = Append::new(stream, ExpectedVersion::Any, vec![event]).unwrap();
    let mut transaction = store.pool().begin().await.unwrap();
    let session: i32 =
        sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *transaction).await.unwrap();
    store.append_in(&mut transaction, &append).await.unwrap();
    let text = console(&database.url(), &[]).await.unwrap();
    assert!(text.contains("and can be read up to 0"), "{text}");
    let open = text.lines().find(|line| line.starts_with("  open append after 0, for "));
    assert!(open.is_some_and(|open| open.contains(&session.to_string())), "{text}");
    transaction.commit().await.unwrap();
    let text = console(&database.url(), &[]).await.unwrap();
    assert!(!text.contains("open append") && text.contains("at position 1."), "{text}");
}

/// Runs the example; it compares the rows with the events by itself.
async fn rebuild(arguments: &[&str]) -> String {
    let mut command = example("rebuild");
    command.arg("--quick").args(arguments);
    let text = output(command).await.unwrap_or_else(|error| panic!("{error}"));
    let steps =
        ["Version 1 has taken", "Version 2 is in service", "queries answered", "rows are what"];
    let places: Vec<usize> =
        steps.iter().map(|step| text.find(step).unwrap_or_else(|| panic!("{text}"))).collect();
    assert!(places.is_sorted(), "{text}");
    text
}

#[tokio::test]
async fn a_view_is_rebuilt_while_commands_arrive() {
    let text = rebuild(&[]).await;
    assert!(!text.contains("Version 1 is in service again"), "{text}");
    let text = rebuild(&["--roll-back"]).await;
    assert!(text.contains("Version 1 is in service again"), "{text}");
}

#[tokio::test]
async fn a_view_in_postgres_is_rebuilt_while_commands_arrive() {
    let database = cqrs_test_harness::postgres().unwrap().database("rebuild").await.unwrap();
    let text = rebuild(&["--roll-back", "--store", &database.url()]).await;
    assert!(text.contains("Version 1 is in service again"), "{text}");
    // A second time, versions and rows would not be what the example says.
    let mut command = example("rebuild");
    command.args(["--quick", "--store", &database.url()]);
    let refused = output(command).await.unwrap_err();
    assert!(refused.contains("take an empty one"), "{refused}");
    let text = console(&database.url(), &[]).await.unwrap();
    assert_eq!(row(&text, "spending v2")[1], "beside", "{text}");
}

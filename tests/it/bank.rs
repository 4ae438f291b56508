//! The example `bank` as a user runs it: killed at any moment, it goes on where it was.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use cqrs::{EventStore, LogFilter, Position, RecordedEvent};
use serde_json::Value;

use crate::examples::example;

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/bank/sample.ndjson");

fn bank(store: &str, arguments: &[&str]) -> Command {
    let mut command = example("bank");
    command.args(["--store", store]).args(arguments);
    command
}

fn run(store: &str, arguments: &[&str]) -> (String, String) {
    let Output { status, stdout, stderr } = bank(store, arguments).output().unwrap();
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert!(status.success(), "{stdout}\n{stderr}");
    (stdout, stderr)
}

/// The summary without the line about the run itself.
fn books(stdout: &str) -> String {
    stdout.lines().filter(|line| !line.starts_with("This run")).collect::<Vec<_>>().join("\n")
}

/// A store file in a directory that goes away with the test.
fn file() -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bank.db").to_str().unwrap().to_owned();
    (directory, path)
}

/// Starts the bank again and again and kills it, each time a little later; then lets it finish.
fn run_with_kills(store: &str) -> String {
    let mut interrupted = 0;
    for kill in 1..=12 {
        let mut child =
            bank(store, &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(37 * kill));
        interrupted += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(interrupted > 0, "the bank was always done before it was killed");
    run(store, &["--details"]).0
}

/// What the sample comes to by plain arithmetic: balances, closed accounts, refused instructions.
#[derive(Default)]
struct Expected {
    balances: BTreeMap<String, u64>,
    closed: HashSet<String>,
    refused: Vec<String>,
}

impl Expected {
    fn of_sample() -> Self {
        let mut expected = Self::default();
        for line in std::fs::read_to_string(SAMPLE).unwrap().lines() {
            let Ok(instruction) = serde_json::from_str::<Value>(line) else { continue };
            let text = |name: &str| instruction[name].as_str().unwrap_or_default().to_owned();
            let Some(cents) = instruction.get("cents").map_or(Some(0), Value::as_u64) else {
                continue;
            };
            if !expected.carry_out(&text, cents) {
                expected.refused.push(text("id"));
            }
        }
        expected
    }

    fn carry_out(&mut self, text: &dyn Fn(&str) -> String, cents: u64) -> bool {
        let takes = |expected: &Self, account: &str| {
            expected.balances.contains_key(account) && !expected.closed.contains(account)
        };
        let account = text("account");
        match &*text("type") {
            "open" => {
                let new = !self.balances.contains_key(&account);
                self.balances.entry(account).or_default();
                new
            }
            "deposit" => {
                let possible = takes(self, &account);
                if possible {
                    *self.balances.get_mut(&account).unwrap() += cents;
                }
                possible
            }
            "withdraw" => {
                let possible = takes(self, &account) && self.balances[&account] >= cents;
                if possible {
                    *self.balances.get_mut(&account).unwrap() -= cents;
                }
                possible
            }
            "transfer" => {
                let (from, to) = (text("from"), text("to"));
                let possible =
                    takes(self, &from) && takes(self, &to) && self.balances[&from] >= cents;
                if possible {
                    *self.balances.get_mut(&from).unwrap() -= cents;
                    *self.balances.get_mut(&to).unwrap() += cents;
                }
                possible
            }
            "close" => {
                takes(self, &account) && self.balances[&account] == 0 && self.closed.insert(account)
            }
            other => panic!("{other}"),
        }
    }
}

/// The rows of the tables of the bank, as text: what is in the database, or what should be.
#[derive(Debug, Default, PartialEq)]
struct Tables {
    balances: BTreeMap<String, (String, i64, bool)>,
    /// Account, number, cents, counterparty, instruction.
    statement: BTreeSet<String>,
    /// Position, instruction, reason.
    refusals: BTreeSet<String>,
}

fn is_postgres(store: &str) -> bool {
    store.starts_with("postgres")
}

impl Tables {
    /// What is in the database.
    async fn of(store: &str) -> Self {
        let account = "SELECT account || '|' || owner || '|' || CAST(cents AS TEXT) || '|' || \
                       CASE WHEN closed THEN 'closed' ELSE 'open' END FROM balances";
        let balances = texts(store, account).await.into_iter().map(|row| {
            let columns: Vec<&str> = row.split('|').collect();
            let [account, owner, cents, state] = columns[..] else { panic!("{row}") };
            (account.to_owned(), (owner.to_owned(), cents.parse().unwrap(), state == "closed"))
        });
        let balances = balances.collect();
        let movement = "SELECT account || '|' || CAST(number AS TEXT) || '|' || CAST(cents AS TEXT) \
                        || '|' || COALESCE(counterparty, '') || '|' || instruction FROM statement";
        let refusal =
            "SELECT CAST(position AS TEXT) || '|' || instruction || '|' || reason FROM refusals";
        let statement = texts(store, movement).await;
        let refusals = texts(store, refusal).await;
        let tables = Self {
            balances,
            statement: statement.iter().cloned().collect(),
            refusals: refusals.iter().cloned().collect(),
        };
        assert_eq!(tables.statement.len(), statement.len());
        assert_eq!(tables.refusals.len(), refusals.len());
        tables
    }

    /// What the events in the log come to.
    async fn of_log(store: &str) -> Self {
        let store: Arc<dyn EventStore> = if is_postgres(store) {
            Arc::new(crate::stores::postgres(store).await)
        } else {
            Arc::new(crate::stores::sqlite(store).await)
        };
        let mut tables = Self::default();
        let mut position = Position::START;
        loop {
            let page = store.read_log(&LogFilter::all(), position, 1_000).await.unwrap();
            if page.events.is_empty() {
                store.close().await;
                return tables;
            }
            for event in &page.events {
                tables.apply(event);
            }
            position = page.through;
        }
    }

    fn apply(&mut self, event: &RecordedEvent) {
        let payload: Value = serde_json::from_str(event.payload.as_str()).unwrap();
        let text = |name: &str| payload[name].as_str().unwrap_or_default();
        if &*event.event_type == "instruction.refused" {
            let (instruction, reason) = (text("instruction"), text("reason"));
            self.refusals.insert(format!("{}|{instruction}|{reason}", event.position));
            return;
        }
        let cents = payload.get("cents").and_then(Value::as_i64).unwrap_or_default();
        let (cents, other) = match &*event.event_type {
            "account.withdrawn" => (-cents, ""),
            "account.transfer_sent" => (-cents, text("to")),
            "account.transfer_returned" => (cents, text("to")),
            "account.transfer_received" => (cents, text("from")),
            _ => (cents, ""),
        };
        let account = event.stream.key();
        let row = self.balances.entry(account.to_owned()).or_default();
        row.1 += cents;
        match &*event.event_type {
            "account.opened" => text("owner").clone_into(&mut row.0),
            "account.closed" => row.2 = true,
            _ => {}
        }
        let instruction = &event.metadata.details.extra["instruction"];
        let version = event.version;
        self.statement.insert(format!("{account}|{version}|{cents}|{other}|{instruction}"));
    }
}

/// The texts that a statement selects.
async fn texts(store: &str, sql: &'static str) -> Vec<String> {
    if is_postgres(store) {
        let pool = sqlx::PgPool::connect(store).await.unwrap();
        return sqlx::query_scalar(sql).fetch_all(&pool).await.unwrap();
    }
    let pool = sqlx::SqlitePool::connect(&format!("sqlite://{store}")).await.unwrap();
    sqlx::query_scalar(sql).fetch_all(&pool).await.unwrap()
}

/// The rows are what the events come to, and both what arithmetic says.
async fn the_tables_are_right(store: &str) {
    let (tables, of_log) = (Tables::of(store).await, Tables::of_log(store).await);
    assert_eq!(tables, of_log);
    let expected = Expected::of_sample();
    let balances = tables.balances.iter();
    let balances: BTreeMap<_, _> =
        balances.map(|(account, row)| (account.clone(), row.1.cast_unsigned())).collect();
    assert_eq!(balances, expected.balances);
    let closed = tables.balances.into_iter().filter(|(_, row)| row.2);
    assert_eq!(closed.map(|(account, _)| account).collect::<HashSet<_>>(), expected.closed);
    assert_eq!(tables.refusals.len(), expected.refused.len());
}

/// Rows of a block of the summary: the first and the last word of each line.
fn rows(stdout: &str, title: &str) -> Vec<(String, String)> {
    let block = stdout.lines().skip_while(|line| !line.starts_with(title)).skip(1);
    let rows = block.take_while(|line| line.starts_with("  "));
    rows.map(|line| {
        let mut columns = line.split("  ").map(str::trim).filter(|column| !column.is_empty());
        (columns.next().unwrap().to_owned(), columns.last().unwrap().to_owned())
    })
    .collect()
}

#[tokio::test]
async fn the_sample_comes_to_what_arithmetic_says() {
    let (_directory, store) = file();
    let (stdout, stderr) = run(&store, &["--details"]);
    let expected = Expected::of_sample();
    let accounts = rows(&stdout, "Accounts:");
    assert_eq!(accounts.len(), expected.balances.len());
    for ((account, shown), (expected_account, cents)) in accounts.iter().zip(&expected.balances) {
        assert_eq!(account, expected_account);
        if expected.closed.contains(account) {
            assert_eq!(shown, "closed");
        } else {
            let digits: String = shown.chars().filter(char::is_ascii_digit).collect();
            assert_eq!(digits.parse::<u64>().unwrap(), *cents, "{account}: {shown}");
        }
    }
    let refused: Vec<String> =
        rows(&stdout, "Refused:").into_iter().map(|(instruction, _)| instruction).collect();
    assert!(refused.len() > 50, "{stdout}");
    assert_eq!(refused, expected.refused);
    assert!(
        stderr.contains("line 1208 skipped") && stderr.contains("line 2412 skipped"),
        "{stderr}"
    );

    let (again, _) = run(&store, &["--details"]);
    assert!(again.contains("nothing was left to do"), "{again}");
    assert_eq!(books(&again), books(&stdout));
    the_tables_are_right(&store).await;

    let (account, (_, cents, _)) =
        Tables::of(&store).await.balances.into_iter().max_by_key(|(_, row)| row.1).unwrap();
    let (statement, _) = run(&store, &["--statement", &account]);
    let lines: Vec<&str> = statement.lines().collect();
    let units = cents / 100;
    let shown = format!("{} {:03}.{:02}", units / 1_000, units % 1_000, cents % 100);
    assert!(lines[0].starts_with(&account) && lines[0].ends_with(&shown), "{statement}");
    assert!(
        lines[3].contains("  opened  ") && lines.last().unwrap().contains(&shown),
        "{statement}"
    );
    let unknown = bank(&store, &["--statement", "nobody"]).output().unwrap();
    assert!(!unknown.status.success());
    assert_eq!(
        String::from_utf8(unknown.stderr).unwrap(),
        "bank: there is no account \"nobody\"\n"
    );
}

#[tokio::test]
async fn g3_g7_a_bank_killed_at_any_moment_goes_on_with_nothing_lost_or_doubled() {
    let (_directory, reference) = file();
    let (_other, store) = file();
    let uninterrupted = run(&reference, &["--details"]).0;
    assert_eq!(books(&run_with_kills(&store)), books(&uninterrupted));
    the_tables_are_right(&store).await;
}

#[tokio::test]
async fn g3_g7_a_bank_on_postgres_killed_at_any_moment_goes_on_with_nothing_lost_or_doubled() {
    let (_directory, reference) = file();
    let uninterrupted = run(&reference, &["--details"]).0;
    let database = cqrs_test_harness::postgres().unwrap().database("bank").await.unwrap();
    assert_eq!(books(&run_with_kills(&database.url())), books(&uninterrupted));
    the_tables_are_right(&database.url()).await;
}

#[test]
fn bad_lines_are_reported_and_skipped_and_standard_input_is_read() {
    let (_directory, store) = file();
    let mut child = bank(&store, &["-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let long = "x".repeat(600);
    let long = format!(r#"{{"id": "{long}", "type": "withdraw", "account": "B", "cents": 1}}"#);
    let input: &[&[u8]] = &[
        br#"{"id": "1", "type": "open", "account": "A", "owner": "Ada"}"#,
        b"",
        b"not json",
        b"\xff\xfe",
        br#"{"id": "2", "type": "explode", "account": "A"}"#,
        br#"{"id": "3", "type": "deposit", "account": "A", "cents": 0}"#,
        br#"{"id": "", "type": "deposit", "account": "A", "cents": 1}"#,
        br#"{"id": "4", "type": "deposit", "account": "", "cents": 1}"#,
        br#"{"id": "7", "type": "transfer", "from": "A", "to": "", "cents": 1}"#,
        long.as_bytes(),
        br#"{"id": "5", "type": "deposit", "account": "A", "cents": 1250}"#,
        br#"{"id": "5", "type": "deposit", "account": "A", "cents": 1250}"#,
        br#"{"id": "6", "type": "withdraw", "account": "A", "cents": 99999}"#,
    ];
    child.stdin.take().unwrap().write_all(&input.join(&b'\n')).unwrap();
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert!(status.success(), "{stderr}");
    for line in 3..=10 {
        assert!(stderr.contains(&format!("line {line} skipped: ")), "{stderr}");
    }
    assert_eq!(stderr.lines().count(), 8, "{stderr}");
    assert!(stdout.contains("12.50") && stdout.contains("1  insufficient funds"), "{stdout}");
    assert!(stdout.contains("2 carried out, 1 refused, 1 done before, 8 bad lines"), "{stdout}");
}

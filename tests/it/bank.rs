//! The example `bank` as a user runs it: killed at any moment, it goes on where it was.

use std::collections::{BTreeMap, HashSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/bank/sample.ndjson");

/// The program, built as part of the workspace if it is not there yet.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--workspace", "--example", "bank"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .unwrap();
        assert!(status.success());
        let own = std::env::current_exe().unwrap();
        let profile = own.ancestors().nth(2).unwrap();
        profile.join("examples/bank")
    })
}

fn bank(store: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(["--store", store]).args(arguments).stdin(Stdio::null());
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

#[test]
fn the_sample_comes_to_what_arithmetic_says() {
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
}

#[test]
fn g3_a_bank_killed_at_any_moment_goes_on_with_nothing_lost_or_doubled() {
    let (_directory, reference) = file();
    let (_other, store) = file();
    let uninterrupted = run(&reference, &["--details"]).0;
    assert_eq!(books(&run_with_kills(&store)), books(&uninterrupted));
}

#[tokio::test]
async fn g3_a_bank_on_postgres_killed_at_any_moment_goes_on_with_nothing_lost_or_doubled() {
    let (_directory, reference) = file();
    let uninterrupted = run(&reference, &["--details"]).0;
    let database = cqrs_test_harness::postgres().unwrap().database("bank").await.unwrap();
    assert_eq!(books(&run_with_kills(&database.url())), books(&uninterrupted));
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

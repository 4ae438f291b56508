//! The benchmarks run, and ours and the hand-written twins come to the same rows. No number is looked at.

#![allow(clippy::unwrap_used, reason = "what fails in a test fails the test")]

use std::process::Command;

use serde_json::Value;

/// The results of a run with few events.
fn results(store: &str) -> Vec<Value> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("results");
    let run = Command::new(env!("CARGO_BIN_EXE_cqrs-bench"))
        .args(["read-side", "--quick", "--events", "400", "--store", store, "--json"])
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    // It fails where rows are not those that must come of the log.
    assert!(run.status.success(), "{said}");
    let table = String::from_utf8(run.stdout).unwrap();
    assert!(table.starts_with("| Workload |"), "{table}");
    let lines = std::fs::read_to_string(file).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// How many results there are of a kind, each with positive numbers under these names.
#[track_caller]
fn count(results: &[Value], kind: &str, numbers: &[&str]) -> usize {
    let of_kind: Vec<&Value> =
        results.iter().filter(|one| one["kind"] == kind).map(|one| &one["result"]).collect();
    for result in &of_kind {
        for number in numbers {
            let found = result.pointer(number).and_then(Value::as_f64);
            assert!(found.is_some_and(|found| found > 0.0), "{number} of {result}");
        }
    }
    of_kind.len()
}

fn everything_runs_on(store: &str) {
    let results = results(store);
    assert_eq!(count(&results, "rate", &["/ratio", "/ours_per_second"]), 5);
    assert_eq!(count(&results, "latency", &["/append/p50", "/total/p99"]), 3);
    assert_eq!(count(&results, "memory", &["/before_mib", "/peak_mib"]), 2);
}

#[test]
fn everything_runs_on_sqlite() {
    everything_runs_on("sqlite");
}

#[test]
fn everything_runs_on_postgres() {
    everything_runs_on("postgres");
}

#[test]
fn the_view_in_memory_runs() {
    assert_eq!(count(&results("memory"), "rate", &["/ratio", "/ours_per_second"]), 1);
}

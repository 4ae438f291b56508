//! The benchmarks run, and ours and the hand-written twins come to the same rows. No number is looked at.

#![allow(clippy::unwrap_used, reason = "what fails in a test fails the test")]

use std::process::Command;

use serde_json::Value;

/// What a run says, and its plot.
struct Ran {
    results: Vec<Value>,
    tables: String,
    plot: String,
}

/// A run with these arguments.
#[track_caller]
fn run(arguments: &[&str]) -> Ran {
    let directory = tempfile::tempdir().unwrap();
    let (json, plot) = (directory.path().join("results"), directory.path().join("plot"));
    let run = Command::new(env!("CARGO_BIN_EXE_cqrs-bench"))
        .args(arguments)
        .arg("--quick")
        .args(["--json".as_ref(), json.as_os_str(), "--plot".as_ref(), plot.as_os_str()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    // It fails where rows are not those that must come of the log.
    assert!(run.status.success(), "{said}");
    let lines = std::fs::read_to_string(json).unwrap();
    Ran {
        results: lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        tables: String::from_utf8(run.stdout).unwrap(),
        plot: std::fs::read_to_string(plot).unwrap(),
    }
}

impl Ran {
    /// How many results there are of a kind, each with positive numbers under these names.
    #[track_caller]
    fn count(&self, kind: &str, numbers: &[&str]) -> usize {
        let of_kind = self.results.iter().filter(|one| one["kind"] == kind);
        let of_kind: Vec<&Value> = of_kind.map(|one| &one["result"]).collect();
        for result in &of_kind {
            for number in numbers {
                let found = result.pointer(number).and_then(Value::as_f64);
                assert!(found.is_some_and(|found| found > 0.0), "{number} of {result}");
            }
        }
        of_kind.len()
    }
}

fn views_run_on(store: &str) {
    let ran = run(&["read-side", "--events", "400", "--store", store]);
    assert_eq!(ran.count("rate", &["/ratio", "/ours_per_second"]), 5);
    assert_eq!(ran.count("latency", &["/append/p50", "/total/p99"]), 3);
    assert_eq!(ran.count("memory", &["/before_mib", "/peak_mib"]), 2);
}

fn commands_run_on(store: &str) {
    let ran = run(&["write-side", "--store", store]);
    // Six workloads, ours and by hand.
    assert_eq!(ran.count("commands", &["/per_second", "/ratio", "/p99"]), 6 * 2);
}

fn stores_grow_on(store: &str) {
    let ran = run(&["scale", "--sizes", "200,400", "--seconds", "0.05", "--store", store]);
    assert_eq!(ran.count("cost", &["/microseconds", "/p99"]), 16);
    assert!(ran.count("bytes", &["/bytes", "/bytes_per_event"]) >= 8);
}

#[test]
fn views_run_on_sqlite() {
    views_run_on("sqlite");
}

#[test]
fn views_run_on_postgres() {
    views_run_on("postgres");
}

#[test]
fn the_view_in_memory_runs() {
    let ran = run(&["read-side", "--events", "400", "--store", "memory"]);
    assert_eq!(ran.count("rate", &["/ratio", "/ours_per_second"]), 1);
}

#[test]
fn commands_run_on_sqlite() {
    commands_run_on("sqlite");
}

#[test]
fn commands_run_on_postgres() {
    commands_run_on("postgres");
}

#[test]
fn stores_grow_on_sqlite() {
    stores_grow_on("sqlite");
}

#[test]
fn stores_grow_on_postgres() {
    stores_grow_on("postgres");
}

#[test]
fn one_command_runs_all_of_it() {
    // Others look at what is left out here; compiling takes a minute the first time.
    let without = "write-side,read-side,scale,compile-time";
    let ran = run(&["all", "--without", without]);
    assert_eq!(ran.count("bus", &["/through_the_bus", "/allocations"]), 2);
    assert_eq!(ran.count("codec", &["/nanoseconds", "/ratio"]), 6);
    // Four things to measure, on two stores.
    assert_eq!(ran.count("cache", &["/before_mib", "/peak_mib", "/after_mib"]), 4 * 2);
    for title in ["## What the bus adds", "## Decoding", "## Memory of caches"] {
        assert!(ran.tables.contains(title), "{}", ran.tables);
    }
    assert!(ran.plot.contains("what the bus adds"), "{}", ran.plot);
}

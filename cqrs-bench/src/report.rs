//! What was measured: lines of JSON, and tables for people.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use crate::database::Kind;

/// Everything that was measured.
#[derive(Debug, Default)]
pub struct Report {
    pub rates: Vec<Rate>,
    pub latencies: Vec<Latency>,
    pub memories: Vec<Memory>,
}

/// How fast one way of doing something is, and another.
#[derive(Debug, Serialize)]
pub struct Rate {
    pub workload: &'static str,
    pub store: Kind,
    /// How many events of the log.
    pub events: usize,
    pub ours: String,
    pub against: String,
    /// Events a second, the median of all rounds.
    pub ours_per_second: f64,
    pub against_per_second: f64,
    /// The median of the ratios of all rounds, and the ratios.
    pub ratio: f64,
    pub ratios: Vec<f64>,
    /// What the ratio is to be at least.
    pub required: Option<f64>,
}

/// How long it takes from an append to the rows that show it.
#[derive(Debug, Serialize)]
pub struct Latency {
    pub store: Kind,
    /// How it is found out that the rows show it.
    pub seen_by: &'static str,
    pub samples: usize,
    /// From the call to append until it has returned.
    pub append: Quantiles,
    /// From then on until the rows show the event.
    pub shown: Quantiles,
    /// Both.
    pub total: Quantiles,
    /// What the 99th percentile of both is to stay below, in milliseconds.
    pub required_ms: f64,
}

/// Milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Quantiles {
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

/// How much memory a process takes that does nothing but catch up.
#[derive(Debug, Serialize)]
pub struct Memory {
    pub store: Kind,
    pub events: usize,
    pub payload_bytes: usize,
    pub before_mib: f64,
    pub peak_mib: f64,
    pub events_per_second: f64,
}

impl Quantiles {
    pub fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |percent: usize| {
            let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
            times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        Self { p50: at(50), p99: at(99), max: at(100) }
    }
}

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

impl Report {
    /// A line of JSON for each result.
    pub fn json_lines(&self) -> serde_json::Result<String> {
        let mut lines = String::new();
        let mut line = |kind: &str, value: serde_json::Result<serde_json::Value>| {
            let line = serde_json::json!({ "kind": kind, "result": value? });
            lines.push_str(&line.to_string());
            lines.push('\n');
            Ok::<(), serde_json::Error>(())
        };
        self.rates.iter().try_for_each(|rate| line("rate", serde_json::to_value(rate)))?;
        self.latencies.iter().try_for_each(|one| line("latency", serde_json::to_value(one)))?;
        self.memories.iter().try_for_each(|memory| line("memory", serde_json::to_value(memory)))?;
        Ok(lines)
    }

    /// Tables in Markdown.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        if !self.rates.is_empty() {
            text.push_str("| Workload | Store | Events | Ours | Events/s | Against | Events/s | Ratio | At least |\n");
            text.push_str("|--|--|--:|--|--:|--|--:|--:|--:|\n");
        }
        for rate in &self.rates {
            let Rate { workload, store, events, ours, against, ratio, .. } = rate;
            let (fast, other) = (rate.ours_per_second, rate.against_per_second);
            let required = rate.required.map_or(String::new(), |required| format!("{required:.1}"));
            let _ = writeln!(
                text,
                "| {workload} | {store} | {events} | {ours} | {fast:.0} | {against} | {other:.0} | {ratio:.2} | \
                 {required} |"
            );
        }
        if !self.latencies.is_empty() {
            text.push_str("\n| Store | Seen by | Append p50 | p99 | Shown after p50 | p99 | Both p50 | p99 | Max |");
            text.push_str(" Below |\n");
            text.push_str("|--|--|--:|--:|--:|--:|--:|--:|--:|--:|\n");
        }
        for Latency { store, seen_by, append, shown, total, required_ms, .. } in &self.latencies {
            let _ = writeln!(
                text,
                "| {store} | {seen_by} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {required_ms} |",
                append.p50, append.p99, shown.p50, shown.p99, total.p50, total.p99, total.max
            );
        }
        if !self.memories.is_empty() {
            text.push_str(
                "\n| Store | Events | Payload, bytes | Before, MiB | Peak, MiB | Events/s |\n",
            );
            text.push_str("|--|--:|--:|--:|--:|--:|\n");
        }
        for Memory { store, events, payload_bytes, before_mib, peak_mib, events_per_second } in
            &self.memories
        {
            let _ = writeln!(
                text,
                "| {store} | {events} | {payload_bytes} | {before_mib:.0} | {peak_mib:.0} | {events_per_second:.0} |"
            );
        }
        text
    }
}

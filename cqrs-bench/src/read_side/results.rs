//! What the read side comes to: as lines of JSON and as rows of tables.

use cqrs::BoxError;
use serde::Serialize;

use crate::database::Kind;
use crate::report::plot::{Chart, Content};
use crate::report::{Quantiles, Section, number, rounded};

/// How fast one way of doing something is, and another.
#[derive(Debug, Serialize)]
pub(super) struct Rate {
    pub workload: &'static str,
    pub store: Kind,
    /// How many events of the log.
    pub events: usize,
    pub ours: String,
    pub against: String,
    /// How many events the other has caught up with, where that is another number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against_events: Option<usize>,
    /// Events a second, the median of all rounds.
    pub ours_per_second: f64,
    /// None where the other has failed.
    pub against_per_second: Option<f64>,
    /// The median of the ratios of all rounds, and the ratios.
    pub ratio: Option<f64>,
    pub ratios: Vec<f64>,
    /// What the ratio is to be at least.
    pub required: Option<f64>,
}

/// How long it takes from an append to the rows that show it.
#[derive(Debug, Serialize)]
pub(super) struct Latency {
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

/// How much memory a process takes that does nothing but catch up.
#[derive(Debug, Serialize)]
pub(super) struct Memory {
    pub store: Kind,
    pub events: usize,
    pub payload_bytes: usize,
    pub before_mib: f64,
    pub peak_mib: f64,
    pub events_per_second: f64,
}

pub(super) fn rates(rates: &[Rate]) -> Result<Section, BoxError> {
    let columns = [
        "Workload",
        "Store",
        "#Events",
        "Ours",
        "#Events/s",
        "Against",
        "#Events/s",
        "#Ratio",
        "#At least",
    ];
    let mut section = Section::new("Catching up", &columns);
    for rate in rates {
        let required = rate.required.map_or_else(String::new, |required| number(required, 1));
        section.add(
            "rate",
            rate,
            [
                rate.workload.to_owned(),
                rate.store.to_string(),
                rate.events.to_string(),
                rate.ours.clone(),
                rounded(rate.ours_per_second),
                rate.against.clone(),
                rounded(rate.against_per_second),
                number(rate.ratio, 2),
                required,
            ],
        )?;
    }
    if let Some(events) = rates.iter().find_map(|rate| rate.against_events) {
        section.note(format!("Other crates catch up with {events} events."));
    }
    for of_one in rates.chunk_by(|a, b| (a.workload, a.store) == (b.workload, b.store)) {
        let Rate { workload, store, ours_per_second, .. } = &of_one[0];
        let others = of_one
            .iter()
            .map(|rate| (rate.against.clone(), rate.against_per_second.unwrap_or_default()));
        section.chart(Chart {
            title: format!("{store}: catching up, {workload}"),
            unit: "events/s".to_owned(),
            content: Content::Bars(
                [("ours".to_owned(), *ours_per_second)].into_iter().chain(others).collect(),
            ),
        });
    }
    Ok(section)
}

pub(super) fn latencies(latencies: &[Latency]) -> Result<Section, BoxError> {
    let columns = [
        "Store",
        "Seen by",
        "#Append p50 ms",
        "#p99",
        "#Shown after p50",
        "#p99",
        "#Both p50",
        "#p99",
        "#Max",
        "#Below",
    ];
    let mut section = Section::new("From an append to the rows that show it", &columns);
    for latency in latencies {
        let Latency { append, shown, total, .. } = latency;
        let times = [append.p50, append.p99, shown.p50, shown.p99, total.p50, total.p99, total.max];
        let cells = [latency.store.to_string(), latency.seen_by.to_owned()].into_iter();
        let cells = cells.chain(times.map(|time| number(time, 2)));
        section.add("latency", latency, cells.chain([number(latency.required_ms, 0)]))?;
    }
    Ok(section)
}

pub(super) fn memories(memories: &[Memory]) -> Result<Section, BoxError> {
    let columns =
        ["Store", "#Events", "#Payload, bytes", "#Before, MiB", "#Peak, MiB", "#Events/s"];
    let mut section = Section::new("Memory while catching up", &columns);
    for memory in memories {
        section.add(
            "memory",
            memory,
            [
                memory.store.to_string(),
                memory.events.to_string(),
                memory.payload_bytes.to_string(),
                number(memory.before_mib, 0),
                number(memory.peak_mib, 0),
                rounded(memory.events_per_second),
            ],
        )?;
    }
    Ok(section)
}

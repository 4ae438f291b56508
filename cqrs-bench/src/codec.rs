//! Decoding: events at the version this program knows against `serde_json` alone, and what upcasters cost.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use cqrs::{
    BoxError, Draft, Event, EventId, Metadata, NewEvent, Payload, Position, RecordedEvent,
    StreamId, Upcast, UpcastError, Version,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::report::{Section, median, number, ratio};

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only whether it works.
    #[arg(long)]
    pub quick: bool,
}

/// About 150 bytes, as they are stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "account.deposited")]
struct Plain {
    cents: u64,
    currency: String,
    note: String,
    reference: String,
    is_cash: bool,
    tags: Vec<String>,
}

/// The same, with a past.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "account.deposited", version = 2, alias = "account.paid-in", upcast(1 => cents_from_units))]
struct Evolved {
    cents: u64,
    currency: String,
    note: String,
    reference: String,
    is_cash: bool,
    tags: Vec<String>,
}

/// The same with a typed step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "account.deposited", version = 2, upcast(1 => type EvolvedV1))]
struct Typed {
    cents: u64,
    currency: String,
    note: String,
    reference: String,
    is_cash: bool,
    tags: Vec<String>,
}

#[derive(Deserialize, Upcast)]
#[upcast(into = Typed)]
struct EvolvedV1 {
    units: u64,
    currency: String,
    note: String,
    reference: String,
    is_cash: bool,
    tags: Vec<String>,
}

impl From<EvolvedV1> for Typed {
    fn from(old: EvolvedV1) -> Self {
        let EvolvedV1 { units, currency, note, reference, is_cash, tags } = old;
        Self { cents: units * 100, currency, note, reference, is_cash, tags }
    }
}

/// An event of the usual kind, a variant among others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(prefix = "account")]
enum AccountEvent {
    Opened {
        owner: String,
    },
    Deposited {
        cents: u64,
        currency: String,
        note: String,
        reference: String,
        is_cash: bool,
        tags: Vec<String>,
    },
    Closed,
}

fn cents_from_units(draft: &mut Draft) -> Result<(), UpcastError> {
    draft.rename("units", "cents")?;
    draft.map("cents", |units: u64| units * 100)
}

/// A way of decoding.
struct Case<'a> {
    name: &'static str,
    at_most: &'static str,
    work: Box<dyn Fn() -> Result<(), BoxError> + 'a>,
}

impl<'a> Case<'a> {
    fn new(
        name: &'static str,
        at_most: &'static str,
        work: impl Fn() -> Result<(), BoxError> + 'a,
    ) -> Self {
        Self { name, at_most, work: Box::new(work) }
    }
}

/// What was measured of one.
#[derive(Serialize)]
struct Measured {
    case: &'static str,
    payload_bytes: usize,
    /// The median of all rounds.
    nanoseconds: f64,
    /// The median of the ratios to `serde_json` alone in the same round.
    ratio: f64,
    at_most: &'static str,
}

/// Measures all of it.
///
/// # Errors
/// When an event is not what it must be.
pub fn measure(arguments: &Arguments) -> Result<Vec<Section>, BoxError> {
    let (rounds, events) = if arguments.quick { (3, 500) } else { (41, 20_000) };
    let body = json!({
        "currency": "EUR", "note": "rent for the second quarter", "reference": "RF18-5390-0754-7034",
        "is_cash": false, "tags": ["home", "monthly"],
    });
    let with = |field: &str, value: u64| {
        let mut whole = json!({ field: value });
        for (name, value) in body.as_object().into_iter().flatten() {
            whole[name] = value.clone();
        }
        whole.to_string()
    };
    let (current, old) = (with("cents", 12_500), with("units", 125));
    let now = recorded(1, &current)?;
    let (newest, one_back) = (recorded(2, &current)?, recorded(1, &old)?);
    let plain: Plain = serde_json::from_str(&current)?;
    let upcast = Evolved::decode(&one_back)?;
    if plain.cents != 12_500 || upcast != Evolved::decode(&newest)? {
        return Err("an event is not what it must be".into());
    }
    let cases = [
        Case::new("`serde_json` alone", "", || {
            black_box(serde_json::from_str::<Plain>(black_box(now.payload.as_str()))?);
            Ok(())
        }),
        Case::new("a struct", "1.15", || {
            black_box(Plain::decode(black_box(&now))?);
            Ok(())
        }),
        Case::new("a variant of an enum", "1.15", || {
            black_box(AccountEvent::decode(black_box(&now))?);
            Ok(())
        }),
        Case::new("a struct with alias and upcaster, newest version", "1.15", || {
            black_box(Evolved::decode(black_box(&newest))?);
            Ok(())
        }),
        Case::new("the same, one version back, by a function", "3 µs", || {
            black_box(Evolved::decode(black_box(&one_back))?);
            Ok(())
        }),
        Case::new("the same, one version back, by a typed step", "3 µs", || {
            black_box(Typed::decode(black_box(&one_back))?);
            Ok(())
        }),
    ];
    let mut times: Vec<Vec<f64>> = vec![Vec::with_capacity(rounds); cases.len()];
    for _ in 0..rounds {
        // In turns, so that whatever else the machine does meets them all.
        for (case, times) in cases.iter().zip(&mut times) {
            let begun = Instant::now();
            for _ in 0..events {
                (case.work)()?;
            }
            times.push(begun.elapsed().as_secs_f64() * 1e9 / f64::from(events));
        }
    }
    let alone = times[0].clone();
    let results = cases.iter().zip(times).map(|(case, times)| Measured {
        case: case.name,
        payload_bytes: current.len(),
        ratio: ratio(&times, &alone),
        nanoseconds: median(times),
        at_most: case.at_most,
    });
    let columns = ["Decoding an event", "#Bytes", "#ns", "#Ratio", "#At most"];
    let mut section = Section::new("Decoding, and what upcasters cost", &columns);
    for result in results {
        let Measured { case, payload_bytes, nanoseconds, ratio, at_most } = result;
        let cells = [
            case.to_owned(),
            payload_bytes.to_string(),
            number(nanoseconds, 0),
            number(ratio, 2),
            at_most.to_owned(),
        ];
        section.add("codec", &result, cells)?;
    }
    Ok(vec![section])
}

fn recorded(schema_version: u32, payload: &str) -> Result<RecordedEvent, BoxError> {
    let id = EventId::random();
    let metadata = Arc::new(Metadata::of(id.as_uuid()));
    let payload = Payload::from_json(payload)?;
    let event = NewEvent::from_parts(id, "account.deposited", schema_version, payload, metadata)?;
    let (version, position) = (Version::FIRST, Position::new(1));
    Ok(RecordedEvent::new(
        event,
        StreamId::new("account", "1")?,
        version,
        position,
        SystemTime::UNIX_EPOCH,
    ))
}

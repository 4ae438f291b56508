//! What commands, reading and bytes cost in stores of different sizes: `cqrs-bench scale`.

mod postgres;
mod sqlite;
mod view;
mod work;

use cqrs::{BoxError, Rows, Store};
use serde::Serialize;

use self::postgres::Postgres;
use self::sqlite::Sqlite;
use self::view::Total;
use self::work::Work;
use crate::console::Console;
use crate::database::Kind;
use crate::report::plot::{Chart, Content};
use crate::report::{Section, number, rounded};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Which databases; PostgreSQL and SQLite if left out.
    #[arg(long, value_delimiter = ',')]
    store: Vec<Kind>,
    /// How many events are stored when it is measured, rising. If left out 10 000, 1 000 000 and, on PostgreSQL, 10 000 000,
    /// which takes some 6 GB on disk until it ends.
    #[arg(long, value_delimiter = ',')]
    sizes: Vec<u64>,
    /// How many rounds; 3, or 1 with `--quick`.
    #[arg(long)]
    rounds: Option<usize>,
    /// How long a workload runs in a round.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Small stores and short rounds, to see whether it works. The numbers mean little.
    #[arg(long)]
    pub quick: bool,
}

/// A database that grows.
trait Large: Sized {
    const KIND: Kind;

    type Store: Store + Clone;

    type Model: Rows<Total>;

    /// An empty one.
    async fn create() -> Result<Self, BoxError>;

    fn store(&self) -> Self::Store;

    fn model(&self) -> Self::Model;

    /// Stores events as commands would have.
    async fn insert(&self, batch: Batch) -> Result<(), BoxError>;

    /// Does what the database would do in the background, so that nobody pays for it while something is measured.
    async fn settle(&self) -> Result<(), BoxError>;

    /// How many events there are.
    async fn stored(&self) -> Result<u64, BoxError>;

    /// What the events take on disk: the table, each index, and `all`.
    async fn parts(&self) -> Result<Vec<Part>, BoxError>;

    /// Empties the view and sets its checkpoint.
    async fn rewind(&self, position: i64) -> Result<(), BoxError>;

    /// How many events the rows of the view have counted.
    async fn counted(&self) -> Result<i64, BoxError>;
}

/// Events by number, of so many accounts in turns that look like chance. When all numbers of the accounts are stored,
/// each has as many events, with versions from 1.
#[derive(Debug, Clone, Copy)]
struct Batch {
    first: i64,
    end: i64,
    first_account: i64,
    accounts: i64,
}

struct Part {
    name: String,
    bytes: i64,
}

/// What a workload costs in a store of a size.
#[derive(Debug, Serialize)]
struct Cost {
    store: Kind,
    /// How many events were stored before.
    stored: u64,
    workload: &'static str,
    /// Commands, or events.
    per_second: f64,
    microseconds: f64,
    p50: f64,
    p99: f64,
}

/// What the events take on disk.
#[derive(Debug, Serialize)]
struct Footprint {
    store: Kind,
    stored: u64,
    part: String,
    bytes: i64,
    bytes_per_event: f64,
}

/// Events of each account.
const EVENTS: u64 = 20;

/// Events that one statement stores.
const BATCH: usize = 100_000;

impl Arguments {
    fn sizes(&self, kind: Kind) -> Vec<u64> {
        if !self.sizes.is_empty() {
            return self.sizes.clone();
        }
        match (self.quick, kind) {
            (true, _) => vec![1_000, 5_000],
            (false, Kind::Postgres) => vec![10_000, 1_000_000, 10_000_000],
            (false, _) => vec![10_000, 1_000_000],
        }
    }
}

/// Measures all that is asked for.
///
/// # Errors
/// When a database fails, or rows are not what they must be.
pub async fn measure(arguments: &Arguments, console: &Console) -> Result<Vec<Section>, BoxError> {
    let columns = ["Workload", "Store", "#Events stored", "#µs each", "#1/s", "#p50 ms", "#p99 ms"];
    let mut costs = Section::new("Cost over the size of a store", &columns);
    let columns = ["Store", "#Events stored", "Part", "#MiB", "#Bytes an event"];
    let mut bytes = Section::new("Bytes of stored events", &columns);
    let is_wanted = |kind| arguments.store.is_empty() || arguments.store.contains(&kind);
    if is_wanted(Kind::Postgres) {
        grow::<Postgres>(arguments, console, &mut costs, &mut bytes).await?;
    }
    if is_wanted(Kind::Sqlite) {
        grow::<Sqlite>(arguments, console, &mut costs, &mut bytes).await?;
    }
    costs.note(
        "Workloads add to the store what they measure: each begins with the size that is named and what those before it \
         have added. In the cache are at most 5 000 accounts. Accounts have 20 events of some 150 bytes.",
    );
    Ok(vec![costs, bytes])
}

async fn grow<D: Large>(
    arguments: &Arguments,
    console: &Console,
    costs: &mut Section,
    bytes: &mut Section,
) -> Result<(), BoxError> {
    let database = D::create().await?;
    let (mut all_costs, mut all_bytes) = (Vec::new(), Vec::new());
    let mut accounts = 0;
    for size in arguments.sizes(D::KIND) {
        console.says(format!("{}: storing {size} events", D::KIND));
        let is_first = accounts == 0;
        // What was measured before has added some.
        let missing = size.saturating_sub(database.stored().await?);
        accounts += fill(&database, accounts, missing.div_ceil(EVENTS)).await?;
        let stored = database.stored().await?;
        for part in database.parts().await? {
            all_bytes.push(of_part(D::KIND, stored, part));
        }
        let work = Work { database: &database, accounts, stored, is_first, arguments, console };
        all_costs.extend(work.measure().await?);
    }
    describe_costs(costs, &all_costs)?;
    describe_bytes(bytes, &all_bytes)
}

/// Stores the events of so many more accounts.
async fn fill<D: Large>(database: &D, first_account: u64, accounts: u64) -> Result<u64, BoxError> {
    let events = accounts * EVENTS;
    for first in (0..events).step_by(BATCH) {
        let batch = Batch {
            first: i64::try_from(first)?,
            end: i64::try_from(events.min(first + BATCH as u64))?,
            first_account: i64::try_from(first_account)?,
            accounts: i64::try_from(accounts)?,
        };
        database.insert(batch).await?;
    }
    database.settle().await?;
    Ok(accounts)
}

#[expect(clippy::cast_precision_loss, reason = "there are not so many")]
fn of_part(store: Kind, stored: u64, Part { name, bytes }: Part) -> Footprint {
    Footprint { store, stored, part: name, bytes, bytes_per_event: bytes as f64 / stored as f64 }
}

fn describe_costs(section: &mut Section, costs: &[Cost]) -> Result<(), BoxError> {
    for cost in costs {
        section.add(
            "cost",
            cost,
            [
                if work::COMMANDS.contains(&cost.workload) {
                    format!("commands {}", cost.workload)
                } else {
                    cost.workload.to_owned()
                },
                cost.store.to_string(),
                cost.stored.to_string(),
                rounded(cost.microseconds),
                rounded(cost.per_second),
                number(cost.p50, 2),
                number(cost.p99, 2),
            ],
        )?;
    }
    let (by_many, by_one) = work::COMMANDS.split_at(4);
    let groups = [("a command", by_many), ("a command", by_one), ("an event", &work::EVENTS[..])];
    for (what, workloads) in groups {
        let points = |workload: &&'static str| {
            let of_one = costs.iter().filter(|cost| cost.workload == *workload);
            (
                (*workload).to_owned(),
                of_one.map(|cost| (size(cost.stored), cost.microseconds)).collect(),
            )
        };
        let lines = workloads.iter().map(points).collect();
        section.chart(Chart {
            title: format!("{}: {what} over events stored", kind(costs)),
            unit: "µs".to_owned(),
            content: Content::Lines(lines),
        });
    }
    Ok(())
}

fn describe_bytes(section: &mut Section, bytes: &[Footprint]) -> Result<(), BoxError> {
    for part in bytes {
        let Footprint { store, stored, part: name, bytes_per_event, .. } = part;
        #[expect(clippy::cast_precision_loss, reason = "there are not so many")]
        let mib = part.bytes as f64 / 1024.0 / 1024.0;
        let cells = [
            store.to_string(),
            stored.to_string(),
            name.clone(),
            number(mib, 1),
            number(*bytes_per_event, 0),
        ];
        section.add("bytes", part, cells)?;
    }
    let Some(Footprint { store, .. }) = bytes.first() else { return Ok(()) };
    let mut lines: Vec<(String, Vec<(f64, f64)>)> = Vec::new();
    for Footprint { stored, part, bytes_per_event, .. } in bytes {
        let point = (size(*stored), *bytes_per_event);
        match lines.iter_mut().find(|(name, _)| name == part) {
            Some((_, points)) => points.push(point),
            None => lines.push((part.clone(), vec![point])),
        }
    }
    section.chart(Chart {
        title: format!("{store}: an event on disk over events stored"),
        unit: "bytes".to_owned(),
        content: Content::Lines(lines),
    });
    Ok(())
}

fn kind(costs: &[Cost]) -> String {
    costs.first().map_or_else(String::new, |cost| cost.store.to_string())
}

#[expect(clippy::cast_precision_loss, reason = "there are not so many")]
fn size(stored: u64) -> f64 {
    stored as f64
}

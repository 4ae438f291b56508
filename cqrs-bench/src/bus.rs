//! What the bus adds to a direct call: `cqrs-bench bus`.
//!
//! The handlers do nothing, and there is no store behind them: what remains is the bus.

use std::convert::Infallible;
use std::hint::black_box;
use std::time::Instant;

use cqrs::prelude::*;
use cqrs::{BoxError, MemoryStore};
use serde::Serialize;
use tokio::runtime::{Builder, Runtime};

use crate::report::plot::{Chart, Content};
use crate::report::{Section, median, number};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How many rounds, in which the bus and the direct call take turns; 41, or 3 with `--quick`.
    #[arg(long)]
    rounds: Option<usize>,
    /// Few calls, to see whether it works. The numbers mean little.
    #[arg(long)]
    pub quick: bool,
}

/// A command that a handler carries out.
#[derive(Debug, Clone, Command)]
#[command(outcome = u64)]
struct Add {
    number: u64,
}

/// The same as a query.
#[derive(Debug, Clone, Query)]
#[query(output = u64)]
struct Sum {
    number: u64,
}

struct Adder;

impl Adder {
    #[expect(clippy::unused_async, reason = "handlers are async")]
    async fn add(&self, number: u64) -> u64 {
        black_box(number) + 1
    }
}

impl CommandHandler<Add> for Adder {
    async fn handle(
        &self,
        Add { number }: Add,
        _: &CommandContext,
    ) -> Result<u64, DispatchError<Infallible>> {
        Ok(self.add(number).await)
    }
}

/// What was measured of one kind of dispatch.
#[derive(Debug, Serialize)]
struct Line {
    what: &'static str,
    /// Nanoseconds a call, the medians of all rounds.
    through_the_bus: f64,
    direct: f64,
    /// What the bus adds, the median of all rounds.
    added: f64,
    /// What that is to be at most.
    required: f64,
    /// Allocations of a call, and their bytes.
    allocations: f64,
    allocated_bytes: f64,
}

/// A way of calling, so many times.
type Calls<'a> = &'a dyn Fn(u64) -> Result<(), BoxError>;

/// Measures it.
///
/// # Errors
/// When a handler answers wrongly.
pub fn measure(arguments: &Arguments) -> Result<Vec<Section>, BoxError> {
    let arguments = Arguments { rounds: arguments.rounds, quick: arguments.quick };
    // A thread of its own can block on a runtime of its own: the future is polled where it is counted and timed.
    let measured = std::thread::spawn(move || section(&arguments)).join();
    measured.map_err(|_| "a thread has panicked")?.map(|section| vec![section])
}

fn section(arguments: &Arguments) -> Result<Section, BoxError> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let bus = Bus::builder(MemoryStore::new())
        .command_handler::<Add, _>(Adder)
        .query_handler(async |Sum { number }: Sum| Ok(Adder.add(number).await))
        .build()?;
    let direct = |times| each(&runtime, times, async |number| Ok(Adder.add(number).await));
    let send = |times| each(&runtime, times, async |number| Ok(bus.send(Add { number }).await?));
    let ask = |times| each(&runtime, times, async |number| Ok(bus.ask(Sum { number }).await?));
    let columns =
        ["Dispatch", "#ns", "#Direct call, ns", "#Added, ns", "#At most", "#Allocations", "#Bytes"];
    let mut section = Section::new("What the bus adds to a direct call", &columns);
    let mut bars = Vec::new();
    let ways: [(&'static str, Calls<'_>); 2] =
        [("`send` to a command handler", &send), ("`ask` of a query handler", &ask)];
    for (what, calls) in ways {
        let line = compare(what, calls, &direct, arguments)?;
        bars.push((what.replace('`', ""), line.added));
        section.add(
            "bus",
            &line,
            [
                what.to_owned(),
                number(line.through_the_bus, 0),
                number(line.direct, 1),
                number(line.added, 0),
                number(line.required, 0),
                number(line.allocations, 1),
                number(line.allocated_bytes, 0),
            ],
        )?;
    }
    section.chart(Chart {
        title: "what the bus adds to a direct call".to_owned(),
        unit: "ns".to_owned(),
        content: Content::Bars(bars),
    });
    Ok(section)
}

fn each(
    runtime: &Runtime,
    times: u64,
    call: impl AsyncFn(u64) -> Result<u64, BoxError>,
) -> Result<(), BoxError> {
    runtime.block_on(async {
        for number in 0..times {
            if call(black_box(number)).await? != number + 1 {
                return Err("a handler has answered wrongly".into());
            }
        }
        Ok(())
    })
}

#[expect(clippy::cast_precision_loss, reason = "there are not so many")]
fn compare(
    what: &'static str,
    calls: Calls<'_>,
    direct: Calls<'_>,
    arguments: &Arguments,
) -> Result<Line, BoxError> {
    let (rounds, times) = if arguments.quick { (3, 1_000) } else { (41, 100_000) };
    let nanoseconds = |calls: Calls<'_>| {
        let begun = Instant::now();
        calls(times)?;
        Ok::<_, BoxError>(begun.elapsed().as_secs_f64() * 1e9 / times as f64)
    };
    nanoseconds(calls)?;
    let (mut through, mut by_itself) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds.unwrap_or(rounds).max(1) {
        by_itself.push(nanoseconds(direct)?);
        through.push(nanoseconds(calls)?);
    }
    let mut failed = Ok(());
    let counted = allocation_counter::measure(|| failed = calls(times));
    failed?;
    Ok(Line {
        what,
        added: median(through.iter().zip(&by_itself).map(|(one, other)| one - other).collect()),
        through_the_bus: median(through),
        direct: median(by_itself),
        required: 300.0,
        // A few are those of the runtime.
        allocations: counted.count_total as f64 / times as f64,
        allocated_bytes: counted.bytes_total as f64 / times as f64,
    })
}

//! The write side: `cqrs-bench write-side`.

mod place;
mod teller;
mod work;

use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;
use cqrs::BoxError;
use serde::Serialize;

pub use self::place::Place;
pub use self::teller::{Deposit, Teller, TellerEvent};
pub use self::work::{Accounts, Clients, Measured, run};
use crate::console::Console;
use crate::database::Kind;
use crate::peers::{self, Peer};
use crate::report::plot::{Chart, Content};
use crate::report::{Section, median, number, ratio, rounded};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Which databases; all if left out. `DATABASE_URL` names the PostgreSQL server; without it, one is started and
    /// thrown away.
    #[arg(long, value_delimiter = ',')]
    store: Vec<Kind>,
    /// Which workloads; all if left out.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Workload>,
    /// Also measures other crates on PostgreSQL; they are built first.
    #[arg(long)]
    peers: bool,
    /// How many rounds, in which all take turns; 5, or 1 with `--quick`.
    #[arg(long)]
    rounds: Option<usize>,
    /// How long a workload runs in a round.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Short rounds, to see whether it works. The numbers mean little.
    #[arg(long)]
    pub quick: bool,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Workload {
    /// Commands that open new accounts, from 64 callers.
    New,
    /// The same, to accounts of which nothing is said.
    Unsaid,
    /// Commands to accounts with ten events each, from 64 callers.
    Existing,
    /// The same from one caller.
    Single,
    /// Commands to one account, from 16 callers.
    Hot,
    /// Loads an aggregate of 1 000 events.
    Load,
}

const ALL: [Workload; 6] = [
    Workload::New,
    Workload::Unsaid,
    Workload::Existing,
    Workload::Single,
    Workload::Hot,
    Workload::Load,
];

/// One way of doing a workload on a database.
#[derive(Debug, Serialize)]
struct Line {
    workload: Workload,
    store: Kind,
    callers: usize,
    who: &'static str,
    /// Commands a second, the median of all rounds; for loading, events.
    per_second: Option<f64>,
    /// Milliseconds.
    p50: Option<f64>,
    p99: Option<f64>,
    /// How many times as fast ours is: the median of all rounds.
    ratio: Option<f64>,
    rounds: Vec<f64>,
}

/// Who takes turns.
enum Contender<'a> {
    Ours(&'a Clients),
    Twin(&'a Clients),
    Peer(Box<Peer>),
    /// A peer that has failed.
    Gone(&'static str),
}

impl Workload {
    pub fn callers(self) -> usize {
        match self {
            Self::New | Self::Unsaid | Self::Existing => 64,
            Self::Hot => 16,
            Self::Single | Self::Load => 1,
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::New => "commands to new accounts, 64 callers",
            Self::Unsaid => "commands to new accounts not said to be new, 64 callers",
            Self::Existing => "commands to accounts of ten events, 64 callers",
            Self::Single => "commands to accounts of ten events, 1 caller",
            Self::Hot => "commands to one account, 16 callers",
            Self::Load => "loading 1 000 events",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Unsaid => "unsaid",
            Self::Existing => "existing",
            Self::Single => "single",
            Self::Hot => "hot",
            Self::Load => "load",
        }
    }

    /// How many accounts there are at first, and the events of each.
    fn accounts(self, quick: bool) -> (usize, usize) {
        match self {
            Self::New | Self::Unsaid => (0, 0),
            Self::Existing | Self::Single => (if quick { 100 } else { 2_000 }, 10),
            Self::Hot => (1, 10),
            Self::Load => (1, 1_000),
        }
    }
}

impl Contender<'_> {
    fn who(&self) -> &'static str {
        match self {
            Self::Ours(_) => "ours",
            Self::Twin(_) => "by hand",
            Self::Peer(peer) => peer.name,
            Self::Gone(name) => name,
        }
    }

    /// What a round comes to; nothing of a peer that has failed.
    async fn measure(&mut self, time: Duration) -> Result<Option<Measured>, BoxError> {
        match self {
            Self::Ours(clients) => clients.ours(time).await.map(Some),
            Self::Twin(clients) => clients.twin(time).await.map(Some),
            Self::Peer(peer) => {
                let measured = peer.measure(time.as_secs_f64()).await.ok();
                if measured.is_none() {
                    *self = Self::Gone(peer.name);
                }
                Ok(measured.map(|peers::Measured { per_second, p50, p99 }| Measured {
                    per_second,
                    p50,
                    p99,
                }))
            }
            Self::Gone(_) => Ok(None),
        }
    }
}

/// Measures all that is asked for.
///
/// # Errors
/// When a database fails, or the events are not what they must be.
pub async fn measure(arguments: &Arguments, console: &Console) -> Result<Vec<Section>, BoxError> {
    let columns =
        ["Workload", "Store", "#Callers", "By", "#1/s", "#p50 ms", "#p99 ms", "#Ours is faster by"];
    let mut section = Section::new("Commands", &columns);
    let program = if arguments.peers { Some(peers::program().await?) } else { None };
    let is_wanted = |kind| arguments.store.is_empty() || arguments.store.contains(&kind);
    for kind in
        [Kind::Postgres, Kind::Sqlite, Kind::Memory].into_iter().filter(|kind| is_wanted(*kind))
    {
        for workload in ALL {
            if arguments.only.is_empty() || arguments.only.contains(&workload) {
                // Others have nothing to say of an account, and do the same for both.
                let has_peers = kind == Kind::Postgres && workload != Workload::Unsaid;
                let program = program.as_deref().filter(|_| has_peers);
                let lines = take_turns(kind, workload, arguments, program, console).await?;
                describe(&mut section, &lines)?;
            }
        }
    }
    section.note(
        "By hand: an insert of one row, prepared, in a transaction of its own, without a look at the version of the \
         stream; to one account, at its next version, again whenever another was quicker.",
    );
    if arguments.peers {
        section.note(
            "Other crates: each as its documentation has it, on a database of its own on the same server, with 64 \
             connections. A dash: it has failed, and said why on standard error.",
        );
    }
    Ok(vec![section])
}

fn describe(section: &mut Section, lines: &[Line]) -> Result<(), BoxError> {
    for line in lines {
        let Line { workload, store, callers, who, .. } = line;
        section.add(
            "commands",
            line,
            [
                workload.title().to_owned(),
                store.to_string(),
                callers.to_string(),
                (*who).to_owned(),
                rounded(line.per_second),
                number(line.p50, 2),
                number(line.p99, 2),
                if *who == "ours" { String::new() } else { number(line.ratio, 2) },
            ],
        )?;
    }
    if let Some(Line { workload, store, .. }) = lines.first() {
        let bars = lines.iter().map(|line| (line.who.to_owned(), line.per_second.unwrap_or(0.0)));
        section.chart(Chart {
            title: format!("{store}: {}", workload.title()),
            unit: if *workload == Workload::Load { "events/s" } else { "commands/s" }.to_owned(),
            content: Content::Bars(bars.collect()),
        });
    }
    Ok(())
}

async fn take_turns(
    kind: Kind,
    workload: Workload,
    arguments: &Arguments,
    program: Option<&Path>,
    console: &Console,
) -> Result<Vec<Line>, BoxError> {
    let rounds = arguments.rounds.unwrap_or(if arguments.quick { 1 } else { 5 }).max(1);
    let time = Duration::from_secs_f64(if arguments.quick { 0.2 } else { arguments.seconds });
    let callers = workload.callers();
    console.says(format!("{kind}: preparing {}", workload.title()));
    let place = Place::create(kind).await?;
    let (accounts, events) = workload.accounts(arguments.quick);
    let clients = Clients::new(&place, workload, Accounts::first(accounts as u64))?;
    clients.fill(&place, events).await?;
    let mut contenders = vec![Contender::Ours(&clients), Contender::Twin(&clients)];
    if let Some(program) = program {
        for name in peers::NAMES {
            console.says(format!("{name}: preparing {}", workload.title()));
            let setup = peers::Setup { workload: workload.name(), callers, accounts, events };
            contenders.push(match Peer::start(program, name, setup).await {
                Ok(peer) => Contender::Peer(Box::new(peer)),
                Err(_) => Contender::Gone(name),
            });
        }
    }
    // What is measured first finds everything cold.
    for contender in &mut contenders {
        contender.measure(time / 4).await?;
    }
    let mut measured: Vec<Vec<Measured>> = contenders.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds {
        // Each is the first to go now and then.
        for turn in 0..contenders.len() {
            let number = (round + turn) % contenders.len();
            let contender = &mut contenders[number];
            let (round, who) = (round + 1, contender.who());
            console.says(format!("{kind}: {}, round {round} of {rounds}: {who}", workload.title()));
            measured[number].extend(contender.measure(time).await?);
        }
    }
    clients.check().await?;
    let rates = |of: &[Measured]| of.iter().map(|one| one.per_second).collect::<Vec<_>>();
    let ours = rates(&measured[0]);
    let line = |(contender, of): (&Contender<'_>, &Vec<Measured>)| {
        let middle = |value: fn(&Measured) -> f64| {
            (!of.is_empty()).then(|| median(of.iter().map(value).collect()))
        };
        Line {
            workload,
            store: kind,
            callers,
            who: contender.who(),
            per_second: middle(|one| one.per_second),
            p50: middle(|one| one.p50),
            p99: middle(|one| one.p99),
            ratio: (!of.is_empty()).then(|| ratio(&ours, &rates(of))),
            rounds: rates(of),
        }
    };
    Ok(contenders.iter().zip(&measured).map(line).collect())
}

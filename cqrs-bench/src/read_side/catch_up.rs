//! How fast a projection takes what is stored already, from the first event to the last.

use std::fmt;
use std::time::{Duration, Instant};

use cqrs::{BoxError, EventStore as _, Projector, Running};

use super::results::Rate;
use super::{Sizes, Workload};
use crate::bank::{Balance, Content, Flags, Log};
use crate::child::LONG;
use crate::console::Console;
use crate::database::{Database, Kind};
use crate::peers::{self, Peer};
use crate::report::{median, ratio};

/// A way to do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    View { slots: u32, workers: usize },
    Ledger,
    Flags,
    TwinView { batch: usize },
    TwinLedger { batch: usize },
    TwinFlags { batch: usize },
}

/// A way, and others it is measured against, with what the ratio is to be at least.
pub(super) struct CatchUp {
    pub(super) kind: Workload,
    name: &'static str,
    ours: Way,
    against: &'static [(Way, Option<f64>)],
    /// The part of the events it is done with, so that it takes about as long as the others.
    part: usize,
}

pub(super) const ALL: [CatchUp; 3] = [
    CatchUp {
        kind: Workload::View,
        name: "fold into rows",
        ours: Way::View { slots: 1, workers: 1 },
        against: &[
            (Way::TwinView { batch: 10_000 }, Some(0.5)),
            (Way::TwinView { batch: 1_000 }, None),
            (Way::View { slots: 8, workers: 2 }, None),
        ],
        part: 1,
    },
    CatchUp {
        kind: Workload::Rows,
        name: "a statement an event",
        ours: Way::Ledger,
        against: &[(Way::TwinLedger { batch: 1_000 }, Some(0.9))],
        part: 4,
    },
    CatchUp {
        kind: Workload::Filter,
        name: "one event in a hundred",
        ours: Way::Flags,
        against: &[(Way::TwinFlags { batch: 10_000 }, None)],
        part: 1,
    },
];

impl fmt::Display for Way {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::View { slots: 1, workers: 1 } | Self::Flags => formatter.write_str("view"),
            Self::View { slots, workers } => {
                write!(formatter, "view, {slots} slots, {workers} workers")
            }
            Self::Ledger => formatter.write_str("projection"),
            Self::TwinView { batch } | Self::TwinLedger { batch } | Self::TwinFlags { batch } => {
                write!(formatter, "by hand, batches of {batch}")
            }
        }
    }
}

impl Way {
    /// Does it, and compares the rows with what must come of the log. How long it took.
    async fn measure<D: Database>(self, database: &D, log: Log) -> Result<Duration, BoxError> {
        database.clear().await?;
        let projector = Projector::new(database.store());
        let begun = Instant::now();
        let time = match self {
            Self::View { slots, workers } => {
                let projector = projector.slots(slots).workers(workers);
                caught_up(database, projector.start_view::<Balance>(database.model()), begun).await
            }
            Self::Ledger => caught_up(database, database.start_ledger(&projector), begun).await,
            Self::Flags => {
                caught_up(database, projector.start_view::<Flags>(database.model()), begun).await
            }
            Self::TwinView { batch } => database.twin_view(batch).await.map(|()| begun.elapsed()),
            Self::TwinLedger { batch } => {
                database.twin_ledger(batch).await.map(|()| begun.elapsed())
            }
            Self::TwinFlags { batch } => database.twin_flags(batch).await.map(|()| begun.elapsed()),
        }?;
        self.is_right(database, log).await?;
        Ok(time)
    }

    async fn is_right<D: Database>(self, database: &D, log: Log) -> Result<(), BoxError> {
        let table = match self {
            Self::View { .. } => "balances",
            Self::Ledger => "ledger",
            Self::Flags => "flags",
            Self::TwinView { .. } => "twin_balances",
            Self::TwinLedger { .. } => "twin_ledger",
            Self::TwinFlags { .. } => "twin_flags",
        };
        let are_right = match self {
            Self::Flags | Self::TwinFlags { .. } => database.flags(table).await? == log.flags(),
            _ => database.balances(table).await? == log.balances(),
        };
        if are_right { Ok(()) } else { Err(format!("the rows of {self} are wrong").into()) }
    }
}

/// Waits until it has seen the log, and stops it.
async fn caught_up<D: Database>(
    database: &D,
    running: Running,
    begun: Instant,
) -> Result<Duration, BoxError> {
    let end = database.store().head().await?.visible;
    running.wait_for(end, LONG).await?;
    let time = begun.elapsed();
    running.stop().await;
    Ok(time)
}

pub(super) async fn measure<D: Database>(
    workloads: &[&CatchUp],
    sizes: &Sizes,
    console: &Console,
) -> Result<Vec<Rate>, BoxError> {
    let mut rates = Vec::new();
    let mut filled: Option<(usize, D)> = None;
    for workload in workloads {
        let events = sizes.events / workload.part;
        let log = Log { events, content: Content::Bank };
        let database = match filled {
            Some((stored, database)) if stored == events => database,
            _ => {
                console.says(format!("{}: storing {events} events", D::KIND));
                D::create(log).await?
            }
        };
        rates.extend(workload.measure(&database, log, sizes, console).await?);
        filled = Some((events, database));
    }
    Ok(rates)
}

impl CatchUp {
    async fn measure<D: Database>(
        &self,
        database: &D,
        log: Log,
        sizes: &Sizes,
        console: &Console,
    ) -> Result<Vec<Rate>, BoxError> {
        let ways: Vec<Way> =
            [self.ours].into_iter().chain(self.against.iter().map(|(way, _)| *way)).collect();
        let mut peers = self.peers(D::KIND, sizes, console).await;
        let mut measured: Vec<Vec<f64>> = vec![Vec::new(); ways.len() + peers.len()];
        let rounds = sizes.rounds;
        for round in 0..rounds {
            // Each is the first to go now and then.
            for turn in 0..measured.len() {
                let number = (round + turn) % measured.len();
                let says = |who: &dyn fmt::Display| {
                    let (kind, name) = (D::KIND, self.name);
                    console.says(format!("{kind}: {name}, round {} of {rounds}: {who}", round + 1));
                };
                if let Some(way) = ways.get(number) {
                    says(way);
                    let time = way.measure(database, log).await?.as_secs_f64();
                    #[expect(clippy::cast_precision_loss, reason = "there are not so many")]
                    measured[number].push(log.events as f64 / time);
                } else {
                    let (name, peer) = &mut peers[number - ways.len()];
                    says(name);
                    // One that has failed has said why, and is done.
                    if let Some(running) = peer {
                        match running.measure(0.0).await {
                            Ok(once) => measured[number].push(once.per_second),
                            Err(_) => *peer = None,
                        }
                    }
                }
            }
        }
        let ours = measured[0].clone();
        let rate = |against: String, others: &[f64]| Rate {
            workload: self.name,
            store: D::KIND,
            events: log.events,
            ours: self.ours.to_string(),
            against,
            against_events: None,
            ours_per_second: median(ours.clone()),
            against_per_second: (!others.is_empty()).then(|| median(others.to_vec())),
            ratio: (!others.is_empty()).then(|| ratio(&ours, others)),
            ratios: ours.iter().zip(others).map(|(ours, other)| ours / other).collect(),
            required: None,
        };
        let (_, others) = measured.split_at(1);
        let (others, of_peers) = others.split_at(self.against.len());
        let others = self.against.iter().zip(others).map(|((way, required), others)| Rate {
            required: *required,
            ..rate(way.to_string(), others)
        });
        let of_peers = peers.iter().zip(of_peers).map(|((name, _), others)| Rate {
            against_events: Some(sizes.peer_events),
            ..rate((*name).to_owned(), others)
        });
        Ok(others.chain(of_peers).collect())
    }

    /// Other crates with fewer events, if they are wanted; none in place of one that can't be started.
    async fn peers(
        &self,
        kind: Kind,
        sizes: &Sizes,
        console: &Console,
    ) -> Vec<(&'static str, Option<Peer>)> {
        let mut peers = Vec::new();
        if let Some(program) = &sizes.peers
            && (self.kind, kind) == (Workload::View, Kind::Postgres)
        {
            let (accounts, events) = (sizes.peer_events / 20, 20);
            let setup = peers::Setup { workload: "catch-up", callers: 1, accounts, events };
            for name in peers::NAMES {
                console.says(format!("{name}: storing {} events", sizes.peer_events));
                peers.push((name, Peer::start(program, name, setup).await.ok()));
            }
        }
        peers
    }
}

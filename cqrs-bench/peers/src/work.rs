//! Clients that do the same thing for a while, all at once, as those of `cqrs-bench` do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use serde::Serialize;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

use crate::statistics::Quantiles;

/// The text of each deposit, as in `cqrs-bench`.
pub const REFERENCE: &str = "RF18 5390 0754 7034";

/// The most connections of a pool.
pub const CONNECTIONS: u32 = 64;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    New,
    Existing,
    Hot,
    Load,
    CatchUp,
}

/// How much of everything.
#[derive(Debug, Clone)]
pub struct Setup {
    pub workload: Workload,
    pub address: String,
    pub callers: u64,
    /// How many accounts there are, and the events of each.
    pub accounts: u64,
    pub events: u64,
}

/// What a round came to.
#[derive(Debug, Serialize)]
pub struct Measured {
    pub per_second: f64,
    /// Milliseconds.
    pub p50: f64,
    pub p99: f64,
}

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// Another was quicker: to be repeated.
    Conflict,
}

/// A crate, set up on a database.
pub trait Peer: Sized + Send + Sync + 'static {
    /// Makes the tables.
    async fn create(address: &str) -> anyhow::Result<()>;

    /// Opens a pool.
    async fn connect(address: &str) -> anyhow::Result<Self>;

    /// Closes the pool.
    async fn close(&self);

    /// A command that loads the account, if there is one, and deposits so many times in one commit.
    fn deposit(
        &self,
        account: Uuid,
        times: u64,
        is_contended: bool,
    ) -> impl Future<Output = anyhow::Result<Outcome>> + Send;

    /// Loads an account: how many deposits it has.
    fn load(&self, account: Uuid) -> impl Future<Output = anyhow::Result<u64>> + Send;

    /// Makes the view as if nothing had been read, without the time this takes.
    async fn forget(&self) -> anyhow::Result<()>;

    /// Brings a view, a row an account, from the first event to the last, of which there are so many.
    async fn catch_up(&self, events: u64) -> anyhow::Result<()>;

    /// How many events the rows of the view have counted.
    async fn counted(&self) -> anyhow::Result<u64>;
}

/// What the workload begins with.
pub struct Bench {
    setup: Setup,
    sent: Arc<AtomicU64>,
}

impl Workload {
    pub fn parse(name: &str) -> anyhow::Result<Self> {
        Ok(match name {
            "new" => Self::New,
            "existing" | "single" => Self::Existing,
            "hot" => Self::Hot,
            "load" => Self::Load,
            "catch-up" => Self::CatchUp,
            other => bail!("there is no workload `{other}`"),
        })
    }
}

/// A pool of the usual size, for the peers that use this version of `sqlx`.
pub async fn pool(address: &str) -> anyhow::Result<PgPool> {
    let options = PgPoolOptions::new().max_connections(CONNECTIONS).test_before_acquire(false);
    Ok(options.connect(address).await?)
}

/// Makes the tables, and the accounts.
pub async fn prepare<P: Peer>(setup: &Setup) -> anyhow::Result<Bench> {
    P::create(&setup.address).await?;
    let peer = Arc::new(P::connect(&setup.address).await?);
    let next = Arc::new(AtomicU64::new(0));
    let (accounts, events) = (setup.accounts, setup.events);
    let fillers: Vec<_> = (0..8)
        .map(|_| {
            let (peer, next) = (peer.clone(), next.clone());
            tokio::spawn(async move {
                loop {
                    let account = next.fetch_add(1, Ordering::Relaxed);
                    if account >= accounts {
                        return anyhow::Ok(());
                    }
                    until_done(&*peer, existing(account), events, false).await?;
                }
            })
        })
        .collect();
    for filler in fillers {
        filler.await??;
    }
    peer.close().await;
    if setup.workload == Workload::CatchUp {
        // A peer looks only at what is older than a margin of its own.
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    Ok(Bench { setup: setup.clone(), sent: Arc::default() })
}

fn existing(number: u64) -> Uuid {
    Uuid::from_u128(u128::from(number) + 1)
}

fn new(number: u64) -> Uuid {
    Uuid::from_u128((1 << 100) + u128::from(number))
}

async fn until_done<P: Peer>(
    peer: &P,
    account: Uuid,
    times: u64,
    is_contended: bool,
) -> anyhow::Result<()> {
    while peer.deposit(account, times, is_contended).await? == Outcome::Conflict {}
    Ok(())
}

impl Bench {
    /// Does the workload for so long. The pool is open for that time only: the server has not connections for the pools of
    /// all peers at once. So there is a shorter time first, in which they are opened and statements are prepared.
    pub async fn measure<P: Peer>(&self, seconds: f64) -> anyhow::Result<Measured> {
        let peer = Arc::new(P::connect(&self.setup.address).await?);
        let measured = self.measure_with(&peer, Duration::from_secs_f64(seconds)).await;
        peer.close().await;
        measured
    }

    async fn measure_with<P: Peer>(
        &self,
        peer: &Arc<P>,
        time: Duration,
    ) -> anyhow::Result<Measured> {
        let (peer, accounts, callers) = (peer.clone(), self.setup.accounts, self.setup.callers);
        match self.setup.workload {
            Workload::CatchUp => self.catch_up(&*peer).await,
            Workload::Load => {
                let events = self.setup.events;
                let load = move |_| {
                    let peer = peer.clone();
                    async move {
                        let loaded = peer.load(existing(0)).await?;
                        ensure!(loaded == events, "{loaded} of {events} events were loaded");
                        Ok(events)
                    }
                };
                run(1, time / 4, load.clone()).await?;
                run(1, time, load).await
            }
            workload => {
                let sent = self.sent.clone();
                let deposit = move |chance: u64| {
                    let peer = peer.clone();
                    let number = sent.fetch_add(1, Ordering::Relaxed);
                    async move {
                        let chance = chance.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
                        let account = match workload {
                            Workload::New => new(number),
                            _ => existing(chance % accounts),
                        };
                        until_done(&*peer, account, 1, workload == Workload::Hot).await?;
                        Ok(1)
                    }
                };
                run(callers, time / 4, deposit.clone()).await?;
                run(callers, time, deposit).await
            }
        }
    }

    async fn catch_up<P: Peer>(&self, peer: &P) -> anyhow::Result<Measured> {
        let events = self.setup.accounts * self.setup.events;
        peer.forget().await?;
        let begun = Instant::now();
        peer.catch_up(events).await?;
        let time = begun.elapsed();
        let counted = peer.counted().await?;
        ensure!(counted == events, "the view has counted {counted} of {events} events");
        let Quantiles { p50, p99, .. } = Quantiles::of(vec![time]);
        Ok(Measured { per_second: events as f64 / time.as_secs_f64(), p50, p99 })
    }
}

async fn run<F, W>(callers: u64, time: Duration, work: F) -> anyhow::Result<Measured>
where
    F: Fn(u64) -> W + Clone + Send + 'static,
    W: Future<Output = anyhow::Result<u64>> + Send,
{
    let begun = Instant::now();
    let until = begun + time;
    let clients: Vec<_> = (0..callers)
        .map(|caller| {
            let work = work.clone();
            tokio::spawn(async move {
                let (mut done, mut times) = (0, Vec::new());
                let mut chance = caller + 1;
                while Instant::now() < until {
                    chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let begun = Instant::now();
                    done += work(chance >> 8).await?;
                    times.push(begun.elapsed());
                }
                anyhow::Ok((done, times))
            })
        })
        .collect();
    let (mut done, mut times) = (0, Vec::new());
    for client in clients {
        let (more, each) = client.await??;
        done += more;
        times.extend(each);
    }
    let per_second = done as f64 / begun.elapsed().as_secs_f64();
    let Quantiles { p50, p99, .. } = Quantiles::of(times);
    Ok(Measured { per_second, p50, p99 })
}

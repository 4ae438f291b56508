//! Clients that do the same thing for a while, all at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cqrs::prelude::*;
use cqrs::{Append, BoxError, EventId, ExpectedVersion, Metadata, NewEvent, Repository, StreamId};

use super::Workload;
use super::place::{Place, Twin};
use super::teller::{Deposit, Open, Teller, TellerEvent};
use crate::report::Quantiles;

pub struct Clients {
    bus: Bus,
    repository: Repository,
    twin: Twin,
    workload: Workload,
    accounts: Accounts,
    sent: Arc<AtomicU64>,
    inserted: Arc<AtomicU64>,
}

/// The accounts that commands go to: so many of those with a number, at this distance from each other.
#[derive(Debug, Clone, Copy)]
pub struct Accounts {
    pub count: u64,
    pub distance: u64,
}

/// What a round came to.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    pub per_second: f64,
    /// Milliseconds.
    pub p50: f64,
    pub p99: f64,
}

impl Accounts {
    /// The first of them.
    pub fn first(count: u64) -> Self {
        Self { count, distance: 1 }
    }

    /// The key of one of them.
    fn key(self, chance: u64) -> String {
        format!("t{}", chance % self.count * self.distance)
    }
}

impl Clients {
    pub fn new(place: &Place, workload: Workload, accounts: Accounts) -> Result<Self, BoxError> {
        Ok(Self {
            bus: Bus::builder(place.store.clone()).aggregate::<Teller>().build()?,
            repository: Repository::new(place.store.clone()),
            twin: place.twin.clone(),
            workload,
            accounts,
            sent: Arc::default(),
            inserted: Arc::default(),
        })
    }

    /// Gives each account so many events.
    pub async fn fill(&self, place: &Place, events: usize) -> Result<(), BoxError> {
        for account in 0..self.accounts.count {
            let stream = StreamId::new("teller", &self.accounts.key(account))?;
            let event = || {
                let id = EventId::random();
                let reference = "RF18 5390 0754 7034".to_owned();
                let event = TellerEvent::Deposited { cents: 1, reference };
                NewEvent::of(&event, id, Arc::new(Metadata::of(id.as_uuid())))
            };
            let events: Result<Vec<_>, _> = (0..events).map(|_| event()).collect();
            place.store.append(&Append::new(stream, ExpectedVersion::NoStream, events?)?).await?;
        }
        if self.workload == Workload::Load {
            for version in 1..=i64::try_from(events)? {
                self.twin.insert("t0", version).await?;
            }
        }
        Ok(())
    }

    /// Has the framework do it for so long.
    pub async fn ours(&self, time: Duration) -> Result<Measured, BoxError> {
        if self.workload == Workload::Load {
            let repository = self.repository.clone();
            let load = move |_| {
                let repository = repository.clone();
                async move {
                    let loaded = repository.load::<Teller>("t0").await?;
                    Ok(u32::try_from(loaded.version.get())?)
                }
            };
            return run(1, time, load).await;
        }
        let (bus, count, accounts) = (self.bus.clone(), self.sent.clone(), self.accounts);
        let workload = self.workload;
        let deposit = move |chance: u64| {
            let bus = bus.clone();
            let number = count.fetch_add(1, Ordering::Relaxed);
            async move {
                let chance = chance.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
                let cents = 100;
                let new = || format!("n{number}");
                match workload {
                    Workload::New => bus.send(Open { teller: new(), cents }).await?,
                    Workload::Unsaid => bus.send(Deposit { teller: new(), cents }).await?,
                    _ => bus.send(Deposit { teller: accounts.key(chance), cents }).await?,
                };
                Ok(1)
            }
        };
        run(self.workload.callers(), time, deposit).await
    }

    /// Has it done by hand for so long.
    pub async fn twin(&self, time: Duration) -> Result<Measured, BoxError> {
        let (twin, inserted) = (self.twin.clone(), self.inserted.clone());
        if self.workload == Workload::Load {
            let load = move |_| {
                let twin = twin.clone();
                async move {
                    let mut cents = 0;
                    let payloads = twin.read("t0").await?;
                    for payload in &payloads {
                        let event: Deposited = serde_json::from_str(payload)?;
                        cents += event.cents + u64::from(event.reference.is_empty());
                    }
                    std::hint::black_box(cents);
                    Ok(u32::try_from(payloads.len())?)
                }
            };
            return run(1, time, load).await;
        }
        let is_hot = self.workload == Workload::Hot;
        let insert = move |_| {
            let twin = twin.clone();
            let number = inserted.fetch_add(1, Ordering::Relaxed);
            async move {
                if is_hot {
                    twin.insert_next("hot").await?;
                } else {
                    twin.insert(&format!("w{number}"), 1).await?;
                }
                Ok(1)
            }
        };
        run(self.workload.callers(), time, insert).await
    }

    /// Every command that was answered has its event.
    pub async fn check(&self) -> Result<(), BoxError> {
        if self.workload == Workload::Hot {
            let loaded = self.repository.load::<Teller>("t0").await?;
            let expected = self.sent.load(Ordering::Relaxed) + 10;
            if loaded.version.get() != expected || loaded.state.deposits != expected {
                return Err(
                    format!("{} events where {expected} were stored", loaded.version).into()
                );
            }
        }
        Ok(())
    }
}

/// So many callers do it over and over, until the time is up.
pub async fn run<F, W>(callers: usize, time: Duration, work: F) -> Result<Measured, BoxError>
where
    F: Fn(u64) -> W + Clone + Send + 'static,
    W: Future<Output = Result<u32, BoxError>> + Send,
{
    let begun = Instant::now();
    let until = begun + time;
    let clients: Vec<_> = (0..callers)
        .map(|caller| {
            let work = work.clone();
            tokio::spawn(async move {
                let (mut done, mut times) = (0_u32, Vec::new());
                let mut chance = caller as u64 + 1;
                // Once at least, however late the machine has come to it.
                loop {
                    chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let begun = Instant::now();
                    done += work(chance >> 8).await?;
                    times.push(begun.elapsed());
                    if Instant::now() >= until {
                        break;
                    }
                }
                Ok::<_, BoxError>((done, times))
            })
        })
        .collect();
    let (mut done, mut times) = (0_u32, Vec::new());
    for client in clients {
        let (more, each) = client.await??;
        done += more;
        times.extend(each);
    }
    let per_second = f64::from(done) / begun.elapsed().as_secs_f64();
    let Quantiles { p50, p99, .. } = Quantiles::of(times);
    Ok(Measured { per_second, p50, p99 })
}

/// The form in which a hand-written loop reads the payloads.
#[derive(serde::Deserialize)]
struct Deposited {
    cents: u64,
    reference: String,
}

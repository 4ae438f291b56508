//! A process that sends commands: several clients that share a bus, some of their commands under idempotency keys, some
//! given up halfway.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cqrs::prelude::*;
use cqrs::{AppendError, Store, UnknownOutcome};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::child::{Job, Role, Writing, writer_name};
use crate::domain::{Order, Place, Short, ToVault, ToWallet, Transfer, Transfers, Vault, Wallet};
use crate::history::{Action, Entry, History, Outcome, Recorder};
use crate::random::Random;

/// Clients of a process.
const CLIENTS: usize = 6;

/// How many times a command with a key is sent before it is left to a later life of the process.
const TRIES: u32 = 6;

/// Sends commands until told to stop, or until what was begun is at its end.
pub(crate) async fn run(
    job: Job,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), Box<dyn std::error::Error>> {
    let name = job.name();
    let mut random = Random::of(job.seed, &name);
    let earlier = History::read_all(&job.folder, &writer_name(job.number))?;
    let recorder = Recorder::create(&job.folder.join(format!("{name}.jsonl")))?;
    let connections = u32::try_from(random.between(2, 4))?;
    let writing = tokio::select! {
        writing = job.base.writing(connections) => writing,
        _ = stopping.wait_for(|stop| *stop) => return Ok(()),
    };
    let store = writing.store();
    let bus = Bus::builder(store.clone())
        .aggregate::<Wallet>()
        .aggregate::<Vault>()
        .command_handler::<Transfer, _>(Transfers)
        .build()?;
    let (began, next) = (job.began, AtomicU64::new(0));
    let client = Arc::new(Client { name, bus, store, writing, recorder, began, next });
    let mut tasks = JoinSet::new();
    tasks.spawn(finish(client.clone(), pending(&earlier), stopping.clone()));
    if job.role == Role::Writer {
        for number in 0..CLIENTS {
            let random = Random::of(job.seed, &format!("{}/{number}", client.name));
            tasks.spawn(send(client.clone(), random, number == 0, stopping.clone()));
        }
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

/// Operations under a key that may have happened in part or not at all, by the histories of earlier lives.
fn pending(earlier: &[History]) -> BTreeMap<String, Action> {
    let mut pending = BTreeMap::new();
    for line in earlier.iter().flat_map(|history| &history.lines) {
        match &line.entry {
            Entry::Call { action, keyed: true } => {
                pending.insert(line.op.clone(), action.clone());
            }
            Entry::End(outcome) if outcome.is_settled() => {
                pending.remove(&line.op);
            }
            _ => {}
        }
    }
    pending
}

/// Sends what was begun in earlier lives again, until it is known what becomes of it.
async fn finish(
    client: Arc<Client>,
    pending: BTreeMap<String, Action>,
    stopping: watch::Receiver<bool>,
) -> io::Result<()> {
    for (op, action) in pending {
        while !client.attempt(&op, &action, true, None).await?.is_settled() {
            if *stopping.borrow() {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}

/// What a client does until told to stop.
async fn send(
    client: Arc<Client>,
    mut random: Random,
    mut may_spoil: bool,
    stopping: watch::Receiver<bool>,
) -> io::Result<()> {
    while !*stopping.borrow() {
        let action = client.choose(&mut random, &mut may_spoil);
        let op = format!("{}-{}", client.name, client.next.fetch_add(1, Ordering::Relaxed));
        let keyed = matches!(action, Action::Transfer { .. })
            || (matches!(action, Action::Order { .. }) && random.percent(40));
        for attempt in 1..=TRIES {
            let cancel = random.percent(15).then(|| Duration::from_micros(random.below(12_000)));
            let outcome = client.attempt(&op, &action, keyed, cancel).await?;
            // Some clients ask once more what they know already.
            let is_over = outcome.is_settled() && !random.percent(10);
            if !keyed || is_over || *stopping.borrow() {
                break;
            }
            // Whoever gives up halfway comes back at once, while the first attempt may still be under way.
            if !matches!(outcome, Outcome::Cancelled) {
                sleep(Duration::from_millis(u64::from(attempt) * 20)).await;
            }
        }
        if random.percent(10) {
            client.writing.begin_and_go(random.percent(50)).await;
        }
        sleep(random.millis(0, 12)).await;
    }
    Ok(())
}

/// What the clients of a process share.
struct Client {
    name: String,
    bus: Bus,
    store: Arc<dyn Store>,
    writing: Writing,
    recorder: Recorder,
    began: u64,
    next: AtomicU64,
}

impl Outcome {
    /// Whether it is the last word on an operation.
    fn is_settled(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Found | Self::Refused { .. } | Self::Saw { .. })
    }
}

impl Client {
    fn choose(&self, random: &mut Random, may_spoil: &mut bool) -> Action {
        let cents = |random: &mut Random, most| random.between(1, most).cast_signed();
        let at = Place::in_use(self.began, random);
        let order = match random.below(100) {
            0..30 => {
                let parts = u32::try_from(random.between(1, 3)).unwrap_or(1);
                Order::Deposit { cents: cents(random, 50), parts }
            }
            30..50 => Order::Withdraw { cents: cents(random, 120) },
            50..70 => Order::Shift { cents: cents(random, 60) },
            70..86 => {
                let mut to = Place::in_use(self.began, random);
                if to == at {
                    to.is_wallet = !at.is_wallet;
                }
                return Action::Transfer { from: at, to, cents: cents(random, 80) };
            }
            86 if std::mem::take(may_spoil) => Order::Spoil,
            _ => return Action::Look { place: at },
        };
        Action::Order { place: at, order }
    }

    /// One call, with a line before it and a line after it.
    async fn attempt(
        &self,
        op: &str,
        action: &Action,
        keyed: bool,
        cancel: Option<Duration>,
    ) -> io::Result<Outcome> {
        self.recorder.call(op, action, keyed)?;
        let call = self.call(op, action, keyed);
        let outcome = match cancel {
            Some(time) => timeout(time, call).await.unwrap_or(Outcome::Cancelled),
            None => call.await,
        };
        self.recorder.end(op, outcome.clone())?;
        Ok(outcome)
    }

    async fn call(&self, op: &str, action: &Action, keyed: bool) -> Outcome {
        match action.clone() {
            Action::Order { place: Place { is_wallet, key }, order } => {
                let op = op.to_owned();
                let committed = if is_wallet {
                    let send = self.bus.send(ToWallet { key, op: op.clone(), order });
                    if keyed { send.idempotency_key(op).await } else { send.await }
                } else {
                    let send = self.bus.send(ToVault { key, op: op.clone(), order });
                    if keyed { send.idempotency_key(op).await } else { send.await }
                };
                match committed {
                    Ok(committed) => Outcome::Done {
                        version: Some(committed.version.get()),
                        position: Some(committed.position.get()),
                        replayed: committed.replayed,
                    },
                    Err(error) => self.failed(error, false).await,
                }
            }
            Action::Transfer { from, to, cents } => {
                let transfer = Transfer { op: op.to_owned(), from, to, cents };
                match self.bus.send(transfer).idempotency_key(op).await {
                    Ok(()) => Outcome::Done { version: None, position: None, replayed: false },
                    Err(error) => self.failed(error, true).await,
                }
            }
            Action::Look { place } => self.look(&place).await,
        }
    }

    async fn look(&self, Place { is_wallet, key }: &Place) -> Outcome {
        let seen = if *is_wallet {
            self.bus.load::<Wallet>(key).await.map(|loaded| (loaded.version, loaded.state.0))
        } else {
            self.bus.load::<Vault>(key).await.map(|loaded| (loaded.version, loaded.state.0))
        };
        match seen {
            Ok((version, state)) => Outcome::Saw { version: version.get(), state },
            Err(error) => {
                let kind = match &error {
                    cqrs::LoadError::Store(error) => format!("{:?}", error.kind()),
                    _ => "Decode".to_owned(),
                };
                Outcome::Failed { kind, error: error.to_string() }
            }
        }
    }

    /// What an error means.
    async fn failed(&self, error: DispatchError<Short>, is_transfer: bool) -> Outcome {
        let text = error.to_string();
        let kind = match error {
            DispatchError::Rejected(Short { seen }) => return Outcome::Refused { seen },
            // A step of a transfer may have been carried out before another failed.
            _ if is_transfer => return Outcome::Unknown { error: text },
            DispatchError::OutcomeUnknown(unknown) => return self.resolve(*unknown).await,
            DispatchError::Failed(_) | DispatchError::Partial(_) | DispatchError::Stopped(_) => {
                return Outcome::Unknown { error: text };
            }
            DispatchError::Store(error) => format!("{:?}", error.kind()),
            DispatchError::Conflict(_) => "Conflict".to_owned(),
            DispatchError::Stale(_) => "Stale".to_owned(),
            DispatchError::Decode(_) => "Decode".to_owned(),
            _ => "Invalid".to_owned(),
        };
        Outcome::Failed { kind, error: text }
    }

    /// Appends again what may be stored already, as the error says; some never get to know.
    async fn resolve(&self, UnknownOutcome { append, error }: UnknownOutcome) -> Outcome {
        for _ in 0..10 {
            match self.store.append(&append).await {
                Ok(_) => return Outcome::Found,
                Err(AppendError::Conflict(conflict)) => {
                    let kind = "Conflict".to_owned();
                    let error = format!("{error}; then {conflict}");
                    return Outcome::Failed { kind, error };
                }
                Err(AppendError::Store(error)) if error.may_retry() => {
                    sleep(Duration::from_millis(100)).await;
                }
                // No fault explains it, and the checker says so.
                Err(AppendError::Store(error)) => {
                    let kind = format!("{:?}", error.kind());
                    return Outcome::Failed { kind, error: error.to_string() };
                }
            }
        }
        Outcome::Unknown { error: error.to_string() }
    }
}

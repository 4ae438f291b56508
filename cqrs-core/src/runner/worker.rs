//! The loop of a worker: settle its share of the slots, read, take events, wait.

use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use futures_util::future::{Either, FutureExt as _, select};
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use super::board::{Board, Told};
use super::consumer::{Consumer, said};
use super::projector::{OnChange, Options};
use super::reading::Ahead;
use super::running::Signal;
use super::share::Group;
use super::status::{Phase, Stopped};
use crate::read_model::{
    Lease, Maintain as _, Member, Opened, Parked, ProjectionId, PutInService, ReadModel as _,
    Setup, slot_of,
};
use crate::store::{EventStore, LogFilter, LogPage, News, StoreError};
use crate::stream::StreamId;
use crate::version::Position;

/// One of the workers of a projection.
pub(super) struct Worker<C: Consumer> {
    pub(super) consumer: Arc<C>,
    /// The read model, for everything but transactions.
    pub(super) base: C::Model,
    /// The same, for transactions: in service, or beside.
    pub(super) model: C::Model,
    pub(super) store: Arc<dyn EventStore>,
    pub(super) options: Arc<Options>,
    pub(super) id: ProjectionId,
    pub(super) member: Uuid,
    pub(super) leases: BTreeMap<u32, Lease>,
    pub(super) slots: u32,
    pub(super) in_service: bool,
    /// Whether it was in service before: then it was taken out of it, and does not step in by itself.
    pub(super) has_served: bool,
    pub(super) barrier: Option<Position>,
    pub(super) replays_to: Position,
    /// The parked streams of all slots.
    pub(super) parked: HashMap<StreamId, Parked>,
    /// What keeps it from going on.
    pub(super) trouble: Option<String>,
    /// When its share was last settled.
    pub(super) settled: Instant,
    /// How many events to read at once: as many as take about a tenth of a second.
    pub(super) batch: usize,
    number: usize,
    pub(super) filter: LogFilter,
    news: News,
    pub(super) ahead: Option<Ahead>,
    board: watch::Sender<Board>,
    signals: watch::Sender<Signal>,
    signal: watch::Receiver<Signal>,
    nudges: u64,
}

/// Why the work under some leases is over.
pub(super) enum Interrupted {
    /// A lease is not ours any more, or it is unknown what was committed under it: all are acquired anew.
    LeaseLost,
    /// Something failed that may pass; the same, after a pause.
    Failed(String),
    /// The version is made from other events now, or was until a moment ago: it is opened anew.
    Changed,
    /// For good.
    Stopped(Stopped),
}

/// Events read at once at the beginning.
const FIRST_BATCH: usize = 500;

impl<C: Consumer> Worker<C> {
    pub(super) fn new(
        number: usize,
        consumer: Arc<C>,
        model: C::Model,
        store: Arc<dyn EventStore>,
        options: Arc<Options>,
        board: watch::Sender<Board>,
        signals: watch::Sender<Signal>,
    ) -> Self {
        Self {
            consumer,
            base: model.clone(),
            model,
            id: C::id(),
            member: Uuid::now_v7(),
            leases: BTreeMap::new(),
            slots: 0,
            in_service: false,
            has_served: false,
            barrier: None,
            replays_to: Position::START,
            parked: HashMap::new(),
            trouble: None,
            settled: Instant::now(),
            batch: FIRST_BATCH.min(options.batch),
            options,
            number,
            filter: LogFilter::all().events_of::<C::Event>(),
            // Before the first read: what is appended from here on is news.
            news: store.news(),
            store,
            ahead: None,
            board,
            signal: signals.subscribe(),
            signals,
            nudges: 0,
        }
    }

    /// Runs until something ends it; dropping the work at any await is safe, because what is not committed is rolled
    /// back.
    pub(super) async fn run_to_the_end(mut self) -> Stopped {
        let mut signal = self.signals.subscribe();
        let stopped = {
            // What is not committed is rolled back, so that nothing is left half done.
            let work = pin!(AssertUnwindSafe(self.run()).catch_unwind());
            let asked = pin!(signal.wait_for(|signal| signal.stop));
            match select(work, asked).await {
                Either::Left((Ok(stopped), _)) => stopped,
                Either::Left((Err(panic), _)) => {
                    let reason = format!("it panicked: {}", said(&*panic));
                    Stopped::Aborted { projection: C::id().name, reason }
                }
                Either::Right(_) => Stopped::Asked,
            }
        };
        self.finish(&stopped).await;
        stopped
    }

    /// Works until it can't go on.
    async fn run(&mut self) -> Stopped {
        let mut delays = delays();
        let mut is_open = false;
        loop {
            let interrupted = if is_open {
                Some(self.work().await)
            } else {
                self.open().await.map(|()| is_open = true).err()
            };
            match interrupted {
                None => {}
                Some(Interrupted::Stopped(stopped)) => return stopped,
                Some(lost) => {
                    match lost {
                        Interrupted::Failed(error) => self.trouble = Some(error),
                        Interrupted::Changed => is_open = false,
                        _ => {}
                    }
                    if !self.leases.is_empty() {
                        delays = self::delays();
                    }
                    self.leases.clear();
                    self.tell_positions();
                    self.ahead = None;
                    // Never at full speed, whatever goes wrong.
                    tokio::time::sleep(delays.next().unwrap_or(LONGEST_DELAY)).await;
                }
            }
        }
    }

    /// Finds out where this version is, and makes it where it is missing.
    async fn open(&mut self) -> Result<(), Interrupted> {
        let head = self.store.head().await.map_err(|error| self.failed(error))?;
        let tables = C::tables(&self.base);
        let beside = self.options.on_change != OnChange::Refuse && !tables.is_empty();
        let setup =
            Setup { tables: &tables, slots: self.options.slots, replays_to: head.last, beside };
        let opened = self.base.open(&self.id, &setup).await;
        match opened.map_err(|error| self.failed(error))? {
            Opened::InService => self.serve(),
            Opened::Beside => match self.base.beside(&self.id).await {
                Ok(model) => self.model = model,
                // It may have been put into service just now.
                Err(error) => match self.base.open(&self.id, &setup).await {
                    Ok(Opened::InService) => self.serve(),
                    _ => return Err(self.failed(error)),
                },
            },
            Opened::Changed { version, events } => {
                return Err(self.changed(version, events, !tables.is_empty()).await);
            }
        }
        let (projection, version) = (self.id.name, self.id.version);
        tracing::info!(projection, version, in_service = self.in_service, "started");
        Ok(())
    }

    /// The version is in service: its rows are where queries look for them.
    pub(super) fn serve(&mut self) {
        (self.in_service, self.model) = (true, self.base.clone());
    }

    /// Works under its leases.
    async fn work(&mut self) -> Interrupted {
        if let Err(interrupted) = self.settle().await {
            return interrupted;
        }
        loop {
            match self.turn().await {
                Ok(()) => {}
                Err(interrupted) => return interrupted,
            }
        }
    }

    async fn turn(&mut self) -> Result<(), Interrupted> {
        if self.is_due() {
            self.settle().await?;
        }
        let Some(group) = self.group() else {
            if self.leases.is_empty() {
                self.trouble = None;
                self.report(|told| (told.phase, told.last_error) = (Phase::Standby, None));
                return self.rest(LONGEST_REST, false).await;
            }
            // All at the barrier: the last to come there divides the slots anew.
            if self.trouble.take().is_some() {
                self.report(|told| (told.phase, told.last_error) = (Phase::CatchingUp, None));
            }
            self.settle().await?;
            return self.rest(Duration::from_millis(20), false).await;
        };
        let LogPage { events, through } = self.read(group.after).await?;
        let (read, is_end) = (events.len(), events.is_empty());
        let through = through.min(group.bound);
        let slots = self.slots;
        let is_ours = |stream: &StreamId| group.slots.contains(&slot_of(stream, slots));
        let events: Vec<_> = events
            .into_iter()
            .filter(|event| event.position <= through && (slots == 1 || is_ours(&event.stream)))
            .collect();
        if !events.is_empty() {
            let begun = Instant::now();
            let is_full = read >= self.batch;
            let is_failing = self.trouble.is_some();
            self.report(|told| {
                // A few events now and then are what it is to be live; and who has failed is over it with a commit.
                if !is_failing && (told.phase != Phase::Live || is_full) {
                    told.phase = Phase::CatchingUp;
                }
            });
            self.take(&events, &group).await?;
            self.move_to(&group, through);
            return self.pace(read, begun.elapsed()).await;
        }
        self.move_to(&group, through);
        let is_all = self.barrier.is_none() && group.slots.len() == self.leases.len();
        if !is_end || (through > group.after && !is_all) {
            return Ok(());
        }
        self.trouble = None;
        self.report(|told| (told.phase, told.last_error) = (Phase::Live, None));
        let is_told = self.options.on_change == OnChange::BuildAndWait || self.has_served;
        if self.in_service || is_told {
            return self.rest(LONGEST_REST, true).await;
        }
        self.step_in().await
    }

    /// Takes the place of the version in service, if nothing is missing any more.
    async fn step_in(&mut self) -> Result<(), Interrupted> {
        // What counts is how far the others know it to be.
        self.settle().await?;
        let put = self.base.put_in_service(self.id.name, self.id.version, true).await;
        match put.map_err(|error| self.failed(error))? {
            PutInService::Done => {
                let (projection, version) = (self.id.name, self.id.version);
                tracing::info!(projection, version, "put into service");
                // From here on: who takes it out again before the share is settled replaces it.
                self.serve();
                self.settle().await
            }
            // Another worker was quicker, or the version was removed: the next settlement tells.
            PutInService::Missing => self.settle().await,
            PutInService::Behind(..) => self.rest(Duration::from_millis(20), true).await,
        }
    }

    /// Lets time pass, until the share has to be settled at the latest, or there is something to do: a request, or news
    /// of the log.
    pub(super) async fn rest(
        &mut self,
        time: Duration,
        until_news: bool,
    ) -> Result<(), Interrupted> {
        let until = self.due().min(Instant::now() + time);
        let news = async {
            if until_news {
                self.news.wait().await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        let heard = self.nudges;
        let nudged = self.signal.wait_for(|signal| signal.nudges != heard);
        // Whatever ends the rest, the next turn finds out what there is to do.
        let _ = tokio::time::timeout_at(until, select(pin!(news), pin!(nudged))).await;
        Ok(())
    }

    /// The work is over: others may take the leases at once.
    async fn finish(&mut self, stopped: &Stopped) {
        // What was read ahead is not needed.
        self.ahead = None;
        let leases = std::mem::take(&mut self.leases);
        let error = match stopped {
            Stopped::Asked => self.trouble.take(),
            // It is another version's turn.
            Stopped::Changed { .. } | Stopped::Replaced { .. } => None,
            reason => Some(reason.to_string()),
        };
        self.give_back(leases, error.as_deref()).await;
        match stopped {
            Stopped::Asked => tracing::info!(projection = self.id.name, "stopped"),
            reason => tracing::error!(projection = self.id.name, %reason, "stopped"),
        }
        self.report(|told| {
            told.phase = Phase::Stopped;
            told.positions.clear();
            if !matches!(stopped, Stopped::Asked) {
                told.last_error = Some(stopped.to_string());
            }
        });
        // What stops one worker stops all.
        self.signals.send_if_modified(|signal| !std::mem::replace(&mut signal.stop, true));
    }

    /// Gives leases back, and tells others what has kept it from going on.
    pub(super) async fn give_back(&self, leases: BTreeMap<u32, Lease>, error: Option<&str>) {
        let leases: Vec<Lease> = leases.into_values().collect();
        let (id, label, time) = (self.member, &*self.options.label, self.options.lease);
        let member = Member { id, label, leases: &leases, time, error };
        // Otherwise they run out by themselves.
        if let Err(error) = self.base.leave(&self.id, &member).await {
            tracing::debug!(projection = self.id.name, %error, "leases not given back");
        }
    }

    /// Whether the share has to be settled, or somebody asks for it.
    pub(super) fn is_due(&mut self) -> bool {
        let nudges = self.signal.borrow_and_update().nudges;
        let is_nudged = nudges != self.nudges;
        self.nudges = nudges;
        is_nudged || Instant::now() >= self.due()
    }

    fn due(&self) -> Instant {
        // Often enough for others to get their share soon.
        self.settled + (self.options.lease / 3).min(Duration::from_secs(2))
    }

    /// What a failure of a store means: what may pass is tried again under new leases, which also tells what was
    /// committed.
    pub(super) fn failed(&self, error: StoreError) -> Interrupted {
        if !error.may_retry() {
            let (projection, position) = (self.id.name, self.position());
            let slots = self.leases.keys().copied().collect();
            return Interrupted::Stopped(Stopped::Store { projection, slots, position, error });
        }
        self.trying_again(error.to_string())
    }

    pub(super) fn trying_again(&self, error: String) -> Interrupted {
        tracing::warn!(projection = self.id.name, error, "trying again");
        self.report(|told| {
            (told.phase, told.last_error) = (Phase::Retrying, Some(error.clone()));
        });
        Interrupted::Failed(error)
    }

    /// How far the slots it has have come: the least of them.
    pub(super) fn position(&self) -> Position {
        self.leases.values().map(|lease| lease.position).min().unwrap_or_default()
    }

    /// The log is read up to here; the next commit or settlement stores it.
    pub(super) fn move_to(&mut self, group: &Group, position: Position) {
        for slot in &group.slots {
            if let Some(lease) = self.leases.get_mut(slot) {
                lease.position = lease.position.max(position);
            }
        }
        self.tell_positions();
    }

    pub(super) fn tell_positions(&self) {
        let positions = self.leases.values().map(|lease| (lease.slot, lease.position));
        let positions: BTreeMap<u32, Position> = positions.collect();
        self.report(|told| told.positions = positions);
    }

    /// Tells something of this worker, and wakes those who wait for it, if it is new.
    pub(super) fn report(&self, change: impl FnOnce(&mut Told)) {
        self.tell(|board| {
            if let Some(told) = board.workers.get_mut(self.number) {
                change(told);
            }
        });
    }

    pub(super) fn tell(&self, change: impl FnOnce(&mut Board)) {
        self.board.send_if_modified(|board| {
            let before = board.clone();
            change(board);
            *board != before
        });
    }
}

/// The first pause between attempts.
pub(super) const FIRST_DELAY: Duration = Duration::from_millis(20);

/// The longest pause between attempts, less the jitter, which is as long at most.
pub(super) const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// Beyond every time the share is settled.
const LONGEST_REST: Duration = Duration::from_hours(1);

/// Growing pauses between attempts.
pub(super) fn delays() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(FIRST_DELAY)
        .with_factor(4.0)
        .with_max_delay(LONGEST_DELAY)
        .without_max_times()
        .with_jitter()
        .build()
}

//! The loop of a projection: own the lease, read, take events, wait.

use std::collections::{BTreeSet, HashMap};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use futures_util::future::{Either, select};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use uuid::Uuid;

use super::runner::{Options, ParkedError, Request};
use super::status::{Phase, Status, Stopped};
use super::{Acquired, Lease, Parked, Projection, ProjectionId, ReadModel as _};
use crate::store::{EventStore, LogFilter, News, StoreError};
use crate::stream::StreamId;
use crate::version::Position;

pub(super) struct Worker<P: Projection> {
    pub(super) projection: P,
    pub(super) model: P::Model,
    pub(super) store: Arc<dyn EventStore>,
    pub(super) options: Options,
    pub(super) id: ProjectionId,
    /// Nothing while another process has it.
    pub(super) lease: Option<Lease>,
    pub(super) parked: HashMap<StreamId, Parked>,
    owner: Uuid,
    filter: LogFilter,
    news: News,
    status: watch::Sender<Status>,
    requests: mpsc::Receiver<Request>,
    /// When the lease was last prolonged.
    prolonged: Instant,
}

/// Why the work under one lease is over.
pub(super) enum Interrupted {
    /// The lease is not ours any more, or it is unknown what was committed under it: it is acquired anew.
    LeaseLost,
    /// For good.
    Stopped(Stopped),
}

impl<P: Projection> Worker<P> {
    pub(super) fn new(
        projection: P,
        model: P::Model,
        store: Arc<dyn EventStore>,
        options: Options,
        status: watch::Sender<Status>,
        requests: mpsc::Receiver<Request>,
    ) -> Self {
        Self {
            projection,
            model,
            options,
            id: ProjectionId::of::<P>(),
            lease: None,
            parked: HashMap::new(),
            owner: Uuid::now_v7(),
            filter: LogFilter::all().events_of::<P::Event>(),
            // Before the first read: what is appended from here on is news.
            news: store.news(),
            store,
            status,
            requests,
            prolonged: Instant::now(),
        }
    }

    /// Works until it can't go on.
    pub(super) async fn run(&mut self) -> Stopped {
        let mut delays = delays();
        loop {
            let interrupted = match self.acquire().await {
                Ok(()) => self.work().await,
                Err(interrupted) => interrupted,
            };
            if self.lease.take().is_some() {
                delays = self::delays();
            }
            match interrupted {
                Interrupted::Stopped(stopped) => return stopped,
                Interrupted::LeaseLost => {
                    // Never at full speed, whatever goes wrong.
                    tokio::time::sleep(delays.next().unwrap_or(LONGEST_DELAY)).await;
                }
            }
        }
    }

    /// The work is over: others may take the lease at once.
    pub(super) async fn finish(&mut self, stopped: &Stopped) {
        if let Some(lease) = self.lease.take() {
            // Otherwise it runs out by itself.
            if let Err(error) = self.model.release(&self.id, lease).await {
                tracing::debug!(projection = P::NAME, %error, "lease not given back");
            }
        }
        match stopped {
            Stopped::Asked => tracing::info!(projection = P::NAME, "stopped"),
            reason => tracing::error!(projection = P::NAME, %reason, "stopped"),
        }
        self.report(|status| {
            status.phase = Phase::Stopped;
            if !matches!(stopped, Stopped::Asked) {
                status.last_error = Some(stopped.to_string());
            }
        });
    }

    /// Waits until the lease is ours.
    async fn acquire(&mut self) -> Result<(), Interrupted> {
        loop {
            let acquired = self.model.acquire(&self.id, self.owner, self.options.lease).await;
            match acquired.map_err(|error| self.failed(error))? {
                Acquired::Lease(lease) => {
                    self.prolonged = Instant::now();
                    self.lease = Some(lease);
                    let parked = self.model.parked(P::NAME).await;
                    let parked = parked.map_err(|error| self.failed(error))?;
                    self.parked =
                        parked.into_iter().map(|parked| (parked.stream.clone(), parked)).collect();
                    let (position, parked) = (lease.position, self.parked_streams());
                    tracing::info!(projection = P::NAME, %position, "lease acquired");
                    self.report(|status| {
                        (status.position, status.parked) = (position, parked);
                        (status.phase, status.last_error) = (Phase::CatchingUp, None);
                    });
                    return Ok(());
                }
                Acquired::HeldBy { owner } => {
                    self.report(|status| status.phase = Phase::Standby { owner });
                    self.refuse_requests(self.options.lease / 4).await;
                }
                Acquired::Changed { version, events } => {
                    return Err(Interrupted::Stopped(Stopped::Changed {
                        projection: P::NAME,
                        versions: (P::VERSION, version),
                        events: (self.id.events.clone(), events),
                    }));
                }
            }
        }
    }

    /// Lets time pass, in which nothing that is asked for can be done.
    async fn refuse_requests(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while let Ok(Some(request)) = tokio::time::timeout_at(until, self.requests.recv()).await {
            // Whoever asked may have gone.
            let _ = request.answer.send(Err(ParkedError::NotRunning));
        }
    }

    /// Works under the lease.
    async fn work(&mut self) -> Interrupted {
        loop {
            match self.turn().await {
                Ok(()) => {}
                Err(interrupted) => return interrupted,
            }
        }
    }

    async fn turn(&mut self) -> Result<(), Interrupted> {
        self.serve_requests().await?;
        let position = self.position();
        let page = self.store.read_log(&self.filter, position, self.options.batch).await;
        let page = page.map_err(|error| self.failed(error))?;
        if !page.events.is_empty() {
            return self.take(page).await;
        }
        self.move_to(page.through);
        self.report(|status| (status.phase, status.last_error) = (Phase::Live, None));
        self.renew_if_due().await?;
        self.wait().await
    }

    /// Waits for news, for a request, or until the lease has to be prolonged.
    async fn wait(&mut self) -> Result<(), Interrupted> {
        let time = self.renewal().saturating_duration_since(Instant::now());
        let request = {
            let news = pin!(self.news.wait());
            let request = pin!(self.requests.recv());
            match tokio::time::timeout(time, select(news, request)).await {
                Ok(Either::Right((Some(request), _))) => request,
                // Without a handle that could send requests, the projection is being stopped.
                Ok(_) | Err(_) => return Ok(()),
            }
        };
        self.serve(request).await
    }

    /// Does what is asked for by now.
    pub(super) async fn serve_requests(&mut self) -> Result<(), Interrupted> {
        while let Ok(request) = self.requests.try_recv() {
            self.serve(request).await?;
        }
        Ok(())
    }

    async fn serve(&mut self, request: Request) -> Result<(), Interrupted> {
        let Request { stream, what, answer } = request;
        let (reply, interrupted) = match self.unpark(&stream, what).await {
            Ok(reply) => (reply, Ok(())),
            Err(interrupted) => (Err(ParkedError::NotRunning), Err(interrupted)),
        };
        // Whoever asked may have gone.
        let _ = answer.send(reply);
        interrupted
    }

    /// Prolongs the lease when a third of it is over.
    pub(super) async fn renew_if_due(&mut self) -> Result<(), Interrupted> {
        let Some(lease) = self.lease else { return Err(Interrupted::LeaseLost) };
        if Instant::now() < self.renewal() {
            return Ok(());
        }
        let renewed = self.model.renew(&self.id, lease, self.options.lease).await;
        if !renewed.map_err(|error| self.failed(error))? {
            return Err(Interrupted::LeaseLost);
        }
        self.prolonged = Instant::now();
        Ok(())
    }

    fn renewal(&self) -> Instant {
        self.prolonged + self.options.lease / 3
    }

    pub(super) fn position(&self) -> Position {
        self.lease.map_or(Position::START, |lease| lease.position)
    }

    pub(super) fn parked_streams(&self) -> Arc<BTreeSet<StreamId>> {
        Arc::new(self.parked.keys().cloned().collect())
    }

    /// The log is read up to here; the next commit or renewal stores it.
    pub(super) fn move_to(&mut self, position: Position) {
        if let Some(lease) = &mut self.lease {
            lease.position = lease.position.max(position);
        }
        let position = self.position();
        self.report(|status| status.position = position);
    }

    /// The lease was prolonged by a commit.
    pub(super) fn committed(&mut self, position: Position) {
        self.prolonged = Instant::now();
        self.move_to(position);
    }

    /// What a failure of a store means: what may pass is tried again under a new lease, which also tells what was
    /// committed.
    pub(super) fn failed(&self, error: StoreError) -> Interrupted {
        if !error.may_retry() {
            return Interrupted::Stopped(Stopped::Store(error));
        }
        tracing::warn!(projection = P::NAME, %error, "trying again");
        self.report(|status| {
            (status.phase, status.last_error) = (Phase::Retrying, Some(error.to_string()));
        });
        Interrupted::LeaseLost
    }

    /// Changes the status and wakes those who wait for it, if it is another one now.
    pub(super) fn report(&self, change: impl FnOnce(&mut Status)) {
        self.status.send_if_modified(|status| {
            let before = status.clone();
            change(status);
            *status != before
        });
    }
}

/// The first pause between attempts.
pub(super) const FIRST_DELAY: Duration = Duration::from_millis(20);

/// The longest pause between attempts.
pub(super) const LONGEST_DELAY: Duration = Duration::from_secs(5);

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

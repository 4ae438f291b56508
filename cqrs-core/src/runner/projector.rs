//! Starts projections and views.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::board::Board;
use super::consumer::{Consumer, Folds, Handlers};
use super::projections::Projections;
use super::running::{Running, Signal};
use super::worker::Worker;
use crate::projection::Projection;
use crate::read_model::Rows;
use crate::store::EventStore;
use crate::view::View;

/// How projections are run.
#[derive(Debug, Clone)]
pub(super) struct Options {
    pub(super) batch: usize,
    pub(super) lease: Duration,
    pub(super) patience: Duration,
    pub(super) attempts: u32,
    pub(super) max_parked: usize,
    pub(super) slots: u32,
    pub(super) workers: usize,
    pub(super) on_change: OnChange,
    pub(super) build_rate: Option<u32>,
    pub(super) label: Arc<str>,
}

/// What is done when the version of a projection in service is an older one than the program's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnChange {
    /// The projection stops, and says so.
    #[default]
    Refuse,
    /// The new version is built beside the old one, which stays in service meanwhile, and takes its place when it has seen
    /// as much; once: one that was [rolled back](crate::Projections::roll_back) waits to be promoted.
    Build,
    /// The same, but it takes the place of the old one only when it is told: by
    /// [`Projections::promote`](crate::Projections::promote).
    BuildAndWait,
}

/// Starts projections and views over a store.
///
/// The streams of each are divided into slots; each slot has one owner among all workers of all processes: the one that
/// holds its lease. The others stand by, and one of them takes over when the owner is gone.
#[derive(Debug, Clone)]
pub struct Projector {
    store: Arc<dyn EventStore>,
    options: Options,
}

impl Projector {
    /// Starts projections of the events in this store.
    pub fn new(store: impl EventStore) -> Self {
        let options = Options {
            batch: 10_000,
            lease: Duration::from_secs(10),
            patience: Duration::from_mins(1),
            attempts: 5,
            max_parked: 100,
            slots: 1,
            workers: 1,
            on_change: OnChange::Refuse,
            build_rate: None,
            label: format!("process {}", std::process::id()).into(),
        };
        Self { store: Arc::new(store), options }
    }

    /// At most so many events share a transaction, and are read at once; 10 000 by default. Fewer do where they take
    /// longer than a tenth of a second together, or are large.
    #[must_use]
    pub fn batch(mut self, events: usize) -> Self {
        self.options.batch = events.max(1);
        self
    }

    /// How long after the end of its owner's process a slot stands still at most, 10 seconds by default.
    #[must_use]
    pub fn lease(mut self, time: Duration) -> Self {
        self.options.lease = time;
        self
    }

    /// How long a transaction may take before it is taken for one that hangs, and fails: a minute by default. Events that
    /// take too long together are then taken in smaller parts, and one that takes too long by itself has failed.
    #[must_use]
    pub fn patience(mut self, time: Duration) -> Self {
        self.options.patience = time;
        self
    }

    /// How many times an event is tried before its stream is parked, with growing pauses between; 5 by default.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.options.attempts = attempts.max(1);
        self
    }

    /// A projection that parks a stream and then has more of them than this stops; 100 by default. What other workers have
    /// parked counts from the next settlement of the shares on, so that several together may come to a few more.
    #[must_use]
    pub fn max_parked(mut self, streams: usize) -> Self {
        self.options.max_parked = streams;
        self
    }

    /// Into how many slots, 1 to 1024, the streams of a projection are divided when its first checkpoint is made; 1 by
    /// default. More slots than one let several workers share the work. Later the number is changed by
    /// [`Projections::rescale`](crate::Projections::rescale).
    #[must_use]
    pub fn slots(mut self, slots: u32) -> Self {
        self.options.slots = slots.clamp(1, 1024);
        self
    }

    /// How many workers each projection has in this process, each with a share of the slots; 1 by default.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.options.workers = workers.max(1);
        self
    }

    /// What is done when the version in service is an older one than the program's; by default, the projection stops.
    ///
    /// A program with an *older* version than the one in service always stops: in a rolling deploy, the new one wins.
    #[must_use]
    pub fn on_change(mut self, on_change: OnChange) -> Self {
        self.options.on_change = on_change;
        self
    }

    /// Takes at most so many events a second while a version is built beside the one in service, so that it does not take
    /// the database from others; no limit by default.
    #[must_use]
    pub fn build_rate(mut self, events_per_second: u32) -> Self {
        self.options.build_rate = Some(events_per_second.max(1));
        self
    }

    /// What people know this process by, in [`ProjectionStatus::members`](crate::ProjectionStatus::members); its process
    /// id by default.
    #[must_use]
    pub fn label(mut self, label: impl Into<Arc<str>>) -> Self {
        self.options.label = label.into();
        self
    }

    /// Starts the handlers of a projection.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start<P: Projection>(&self, projection: P, model: P::Model) -> Running {
        self.start_consumer(Handlers(projection), model)
    }

    /// Starts the folds of a view.
    ///
    /// Its table is made a moment later, when it runs for the first time: a service that answers from it does well to
    /// [wait](Running::wait_for) for the end of the log before it takes questions.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start_view<V: View>(&self, model: impl Rows<V>) -> Running {
        self.start_consumer(Folds::<V, _>(PhantomData), model)
    }

    fn start_consumer<C: Consumer>(&self, consumer: C, model: C::Model) -> Running {
        let Self { store, options } = self;
        let id = C::id();
        let (consumer, options) = (Arc::new(consumer), Arc::new(options.clone()));
        let board = Board::new(&id, options.workers);
        let signals = watch::Sender::new(Signal::default());
        let mut tasks = JoinSet::new();
        for number in 0..options.workers {
            let worker = Worker::new(
                number,
                consumer.clone(),
                model.clone(),
                store.clone(),
                options.clone(),
                board.clone(),
                signals.clone(),
            );
            tasks.spawn(worker.run_to_the_end());
        }
        let patience = options.lease * 3;
        let projections = Projections::of(store.clone(), Arc::new(model), patience);
        Running { id, board: board.subscribe(), signals, tasks, projections }
    }
}

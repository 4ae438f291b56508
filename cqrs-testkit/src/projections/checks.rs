//! Checks that a projection or a view keeps its rows right, whatever happens.

use std::fmt::{self, Debug};
use std::sync::Arc;

use cqrs_core::{MemoryStore, OnChange, Position, Projection, ReadModel, Rows, View};

use super::events::GivenEvents;
use super::gate::Gate;
use super::run::{Subject, finish, see, until};
use super::tapped::{Disturbance, Faults, Tapped};
use crate::given::report::{difference, indented};

/// Most runs of a check with one thing disturbed in each; where there are more places to disturb, these are spread over
/// them evenly.
const MOST_RUNS: u64 = 40;

/// Events of a transaction, so that there are several.
const BATCH: usize = 3;

/// Checks of a projection or a view; made by [`GivenEvents::check_projection`] and [`GivenEvents::check_view`].
///
/// Each check compares the rows of runs in which something happens with those of a run in which nothing does. Each run
/// has a read model of its own.
pub struct Checks<M, Make, Read> {
    events: GivenEvents,
    subject: Subject<M>,
    make: Make,
    read: Read,
}

impl<M, Make, Read> Debug for Checks<M, Make, Read> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, subject, .. } = self;
        formatter
            .debug_struct("Checks")
            .field("projection", &subject.id)
            .field("events", &events.all.len())
            .finish_non_exhaustive()
    }
}

impl GivenEvents {
    /// Checks of a projection: `projection` makes it, for a read model that `model` makes, fresh and empty each time,
    /// and `rows` reads all that is in one.
    pub fn check_projection<P, Make, Read, T>(
        self,
        projection: impl Fn(&P::Model) -> P + 'static,
        model: Make,
        rows: Read,
    ) -> Checks<P::Model, Make, Read>
    where
        P: Projection,
        Make: AsyncFn() -> P::Model,
        Read: AsyncFn(&P::Model) -> T,
        T: PartialEq + Debug,
    {
        let subject = Subject::of_projection(projection);
        Checks { events: self, subject, make: model, read: rows }
    }

    /// Checks of a view: `model` makes a read model, fresh and empty each time, and `rows` reads all that is in one.
    pub fn check_view<V: View, M: Rows<V>, T: PartialEq + Debug>(
        self,
        model: impl AsyncFn() -> M,
        rows: impl AsyncFn(&M) -> T,
    ) -> Checks<M, impl AsyncFn() -> M, impl AsyncFn(&M) -> T> {
        Checks { events: self, subject: Subject::of_view::<V>(), make: model, read: rows }
    }
}

impl<M, Make, Read, T> Checks<M, Make, Read>
where
    M: ReadModel,
    Make: AsyncFn() -> M,
    Read: AsyncFn(&M) -> T,
    T: PartialEq + Debug,
{
    /// All checks.
    ///
    /// # Panics
    /// When the rows of a run are not right; the message says what had happened, and shows the difference.
    pub async fn all(&self) {
        self.events_count_once().await;
        self.crashes_leave_no_trace().await;
        self.rebuilt_is_the_same().await;
    }

    /// The rows are the same where commits fail, and where they succeed and nobody gets to know: at each commit, and at
    /// many in one run.
    ///
    /// This finds what is done outside of the transaction, or remembered from one event to the next.
    ///
    /// # Panics
    /// As for [`all`](Self::all).
    pub async fn events_count_once(&self) {
        let undisturbed = Arc::new(Disturbance::none());
        let right = self.rows_with(&undisturbed).await;
        for number in spread(0, undisturbed.committed()) {
            for (faults, what) in [
                (Faults::FailsAt(number), "failed and was rolled back"),
                (Faults::IsLostAt(number), "was done, but its outcome was lost"),
            ] {
                let by = Arc::new(Disturbance { faults, ..Disturbance::none() });
                let rows = self.rows_with(&by).await;
                self.compare(
                    &format!("a run in which commit {} {what}", number + 1),
                    &right,
                    &rows,
                );
            }
        }
        let by = Arc::new(Disturbance { faults: Faults::Many, ..Disturbance::none() });
        let rows = self.rows_with(&by).await;
        self.compare("a run in which many commits failed, or were done and lost", &right, &rows);
    }

    /// The rows are the same where a process ends at any await and another goes on: everything of the first is dropped
    /// where it was, and its leases run out.
    ///
    /// # Panics
    /// As for [`all`](Self::all).
    pub async fn crashes_leave_no_trace(&self) {
        let undisturbed = Arc::new(Disturbance::none());
        let right = self.rows_with(&undisturbed).await;
        let (store, end) = self.events.store().await;
        for poll in spread(1, undisturbed.gate.polls() + 1) {
            let model = (self.make)().await;
            let by = Disturbance { gate: Gate::closing_at(poll), ..Disturbance::none() };
            let by = Arc::new(by);
            let running =
                self.subject.start(&store, &model, &by, |projector| projector.batch(BATCH));
            let is_over = tokio::select! {
                () = by.gate.closed() => true,
                () = see(&running, &self.subject.id, &model, end) => false,
            };
            // What is asked after the end fails, so that the tasks come to theirs; it may also come while they do.
            tokio::select! {
                _ = running.stop() => {}
                () = by.gate.closed(), if !is_over => {}
            }
            Tapped::new(model.clone(), by).expire(&self.subject.id).await;
            let rows = self.run_on(&store, &model, end).await;
            let what = format!("a run that crashed at await {poll}, and one that went on");
            self.compare(&what, &right, &rows);
        }
    }

    /// The rows are the same whether the projection runs while the events come, or is built from all of them; whether
    /// they come one by one or in batches of any size; and however the slots that streams are divided into come
    /// forward.
    ///
    /// Where it makes its tables, that includes resetting it, and building it beside a version in service.
    ///
    /// This finds what depends on where batches end, on [`is_replay`](cqrs_core::Received::is_replay), and on the order
    /// of events in different streams.
    ///
    /// # Panics
    /// As for [`all`](Self::all).
    pub async fn rebuilt_is_the_same(&self) {
        let right = self.live().await;
        let (store, end) = self.events.store().await;
        for batch in [1, 2, self.events.all.len().max(1)] {
            let model = (self.make)().await;
            let by = Arc::new(Disturbance::none());
            let running =
                self.subject.start(&store, &model, &by, |projector| projector.batch(batch));
            finish(running, &self.subject.id, &model, end).await;
            let rows = (self.read)(&model).await;
            self.compare(&format!("a run over all events, in batches of {batch}"), &right, &rows);
        }
        let model = (self.make)().await;
        if self.subject.is_rebuildable(&model) {
            self.rebuild(&right, &store, &model, end).await;
        }
        self.partition(&right, &store, end).await;
    }

    /// The rows of a run that was there before the events.
    async fn live(&self) -> T {
        let store = MemoryStore::new();
        let model = (self.make)().await;
        let by = Arc::new(Disturbance::none());
        let running = self.subject.start(&store, &model, &by, |projector| projector);
        see(&running, &self.subject.id, &model, Position::START).await;
        // It is at its place: what comes now is no replay.
        until(&running, "the projection begins", |running| !running.status().slots.is_empty())
            .await;
        for happened in &self.events.all {
            let end = GivenEvents::append(std::slice::from_ref(happened), &store).await;
            see(&running, &self.subject.id, &model, end).await;
        }
        running.stop().await;
        (self.read)(&model).await
    }

    async fn rebuild(&self, right: &T, store: &MemoryStore, model: &M, end: Position) {
        let id = &self.subject.id;
        self.run_on(store, model, end).await;
        let reset = model.reset(id.name, id.version, end).await;
        let reset = reset.unwrap_or_else(|error| panic!("the read model failed: {error}"));
        assert!(reset, "{id} can't be reset: it is not there");
        let rows = self.run_on(store, model, end).await;
        self.compare("a run after a reset", right, &rows);
        let by = Arc::new(Disturbance { newer: 1, ..Disturbance::none() });
        let running = self.subject.start(store, model, &by, |projector| {
            projector.batch(BATCH).on_change(OnChange::Build)
        });
        let what = "the version that is built beside takes the place of the one in service";
        until(&running, what, |running| running.status().in_service).await;
        finish(running, id, model, end).await;
        let rows = (self.read)(model).await;
        self.compare("a run beside the version in service", right, &rows);
    }

    async fn partition(&self, right: &T, store: &MemoryStore, end: Position) {
        const SLOTS: u32 = 8;
        // Slots come forward by themselves: all of one may come before all of another.
        let orders: [(Vec<u32>, &str); 2] = [
            ((0..SLOTS).collect(), "slot by slot"),
            ((0..SLOTS).rev().collect(), "slot by slot, from the last to the first"),
        ];
        for (order, what) in orders {
            let model = (self.make)().await;
            for slot in order {
                let by = Arc::new(Disturbance { only: Some(slot), ..Disturbance::none() });
                let running = self
                    .subject
                    .start(store, &model, &by, |projector| projector.batch(BATCH).slots(SLOTS));
                let what = format!("slot {slot} comes to the end");
                until(&running, &what, |running| {
                    running.status().slots.get(&slot).is_some_and(|position| *position >= end)
                })
                .await;
                running.stop().await;
                // What it was not told that it has is there for the next.
                Tapped::new(model.clone(), by).expire(&self.subject.id).await;
            }
            let rows = (self.read)(&model).await;
            self.compare(&format!("a run over {SLOTS} slots, {what}"), right, &rows);
        }
        let model = (self.make)().await;
        let by = Arc::new(Disturbance::none());
        let running = self
            .subject
            .start(store, &model, &by, |projector| projector.batch(BATCH).slots(SLOTS).workers(3));
        finish(running, &self.subject.id, &model, end).await;
        let rows = (self.read)(&model).await;
        self.compare(&format!("a run of three workers over {SLOTS} slots"), right, &rows);
    }

    /// The rows of a run over all events, with a disturbance.
    async fn rows_with(&self, by: &Arc<Disturbance>) -> T {
        let (store, end) = self.events.store().await;
        let model = (self.make)().await;
        let running = self.subject.start(&store, &model, by, |projector| projector.batch(BATCH));
        finish(running, &self.subject.id, &model, end).await;
        (self.read)(&model).await
    }

    /// The rows after an undisturbed run on what is there.
    async fn run_on(&self, store: &MemoryStore, model: &M, end: Position) -> T {
        let by = Arc::new(Disturbance::none());
        let running = self.subject.start(store, model, &by, |projector| projector.batch(BATCH));
        finish(running, &self.subject.id, model, end).await;
        (self.read)(model).await
    }

    fn compare(&self, what: &str, right: &T, found: &T) {
        if found != right {
            let difference = difference(&[format!("{right:#?}")], &[format!("{found:#?}")]);
            panic!(
                "{}: {what} gave other rows\n\ngiven\n{}\nrows (- right, + found)\n{}\n",
                self.subject.id,
                indented(&self.events.to_string()),
                indented(&difference)
            );
        }
    }
}

/// Numbers from `first` to before `end`: all, or as many as there are runs, spread evenly.
fn spread(first: u64, end: u64) -> impl Iterator<Item = u64> {
    let count = end.saturating_sub(first);
    let runs = count.min(MOST_RUNS);
    (0..runs).map(move |run| first + run * count / runs)
}

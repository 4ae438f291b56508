//! Runs a projection or a view until it has seen what is there.

use std::sync::Arc;
use std::time::Duration;

use cqrs_core::{
    Maintain, MemoryStore, Phase, Position, Projection, ProjectionId, Projector, ReadModel, Rows,
    Running, View,
};

use super::events::GivenEvents;
use super::gate::GatedStore;
use super::tapped::{Disturbance, Tapped, Through};

/// How long a projection may take to see a few events.
const PATIENCE: Duration = Duration::from_mins(1);

impl GivenEvents {
    /// Has a projection take the events, and gives its read model back, to be asked for its rows.
    ///
    /// # Panics
    /// When an event fails, or the projection stops. Outside of a tokio runtime.
    pub async fn project<P: Projection>(&self, projection: P, model: P::Model) -> P::Model {
        let (store, end) = self.store().await;
        let running = Projector::new(store).start(projection, model.clone());
        let id = ProjectionId::of::<P::Event>(P::NAME, P::VERSION);
        finish(running, &id, &model, end).await;
        model
    }

    /// Has a view take the events, and gives its read model back, to be asked for its rows.
    ///
    /// # Panics
    /// When an event fails, or the view stops. Outside of a tokio runtime.
    pub async fn keep<V: View, M: Rows<V>>(&self, model: M) -> M {
        let (store, end) = self.store().await;
        let running = Projector::new(store).start_view::<V>(model.clone());
        let id = ProjectionId::of::<V::Event>(V::NAME, V::VERSION);
        finish(running, &id, &model, end).await;
        model
    }

    /// A store with the events, and its end.
    pub(super) async fn store(&self) -> (MemoryStore, Position) {
        let store = MemoryStore::new();
        let end = Self::append(&self.all, &store).await;
        (store, end)
    }
}

/// Waits until the projection has seen everything, and stops it.
pub(super) async fn finish(
    running: Running,
    id: &ProjectionId,
    model: &impl Maintain,
    end: Position,
) {
    see(&running, id, model, end).await;
    running.stop().await;
}

/// Waits until the projection has seen everything, and nothing has failed.
pub(super) async fn see(
    running: &Running,
    id: &ProjectionId,
    model: &impl Maintain,
    end: Position,
) {
    let seen = running.wait_for(end, PATIENCE).await;
    let last_error = running.status().last_error;
    let stored = model.projections(Some(id.name)).await;
    let versions = stored.unwrap_or_default().into_iter().map(|state| state.version);
    for version in versions {
        let parked = model.parked(id.name, version).await;
        if let Some(parked) = parked.unwrap_or_default().first() {
            panic!(
                "{id} failed with event `{}` at version {} of stream `{}`: {}",
                parked.event_type, parked.version, parked.stream, parked.error
            );
        }
    }
    if let Err(error) = seen {
        let why = last_error.map(|error| format!(": {error}")).unwrap_or_default();
        panic!("{error}{why}");
    }
}

type Start<M> = Box<dyn Fn(&Projector, &M, Arc<Disturbance>) -> Running>;

/// A projection or a view that can be started many times.
pub(super) struct Subject<M> {
    pub(super) id: ProjectionId,
    start: Start<M>,
    has_tables: fn(&M) -> bool,
}

impl<M: ReadModel> Subject<M> {
    pub(super) fn of_projection<P: Projection<Model = M>>(
        make: impl Fn(&M) -> P + 'static,
    ) -> Self {
        Self {
            id: ProjectionId::of::<P::Event>(P::NAME, P::VERSION),
            start: Box::new(move |projector, model, by| {
                let through = Through { projection: make(model), gate: by.gate.clone() };
                projector.start(through, Tapped::new(model.clone(), by))
            }),
            has_tables: |_| !P::TABLES.is_empty(),
        }
    }

    pub(super) fn of_view<V: View>() -> Self
    where
        M: Rows<V>,
    {
        Self {
            id: ProjectionId::of::<V::Event>(V::NAME, V::VERSION),
            start: Box::new(|projector, model, by| {
                projector.start_view::<V>(Tapped::new(model.clone(), by))
            }),
            has_tables: |model| !model.tables().is_empty(),
        }
    }

    /// Whether it can be emptied, and built beside the version in service.
    pub(super) fn is_rebuildable(&self, model: &M) -> bool {
        (self.has_tables)(model)
    }

    /// Starts it with a disturbance, as the options say.
    pub(super) fn start(
        &self,
        store: &MemoryStore,
        model: &M,
        by: &Arc<Disturbance>,
        options: impl FnOnce(Projector) -> Projector,
    ) -> Running {
        let store = GatedStore { inner: store.clone(), gate: by.gate.clone() };
        // An event that fails is to be told of at once.
        let projector = options(Projector::new(store).attempts(1));
        (self.start)(&projector, model, by.clone())
    }
}

/// Waits until something is true of a running projection.
pub(super) async fn until(running: &Running, what: &str, is_true: impl Fn(&Running) -> bool) {
    let waiting = async {
        while !is_true(running) {
            let status = running.status();
            assert!(
                status.phase != Phase::Stopped,
                "{what}: the projection has stopped: {status:?}"
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let is_so = tokio::time::timeout(PATIENCE, waiting).await.is_ok();
    assert!(is_so, "{what}: that is not so after {PATIENCE:?}: {:?}", running.status());
}

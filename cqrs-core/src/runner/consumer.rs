//! What takes events into a read model: the handlers of a projection, or the folds of a view.

use std::any::Any;
use std::borrow::Cow;
use std::collections::HashMap;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;

use crate::event::{Decoded, Event};
use crate::projection::{Projection, Received, Transaction};
use crate::read_model::{ProjectionId, ReadModel, Rows};
use crate::store::BoxError;
use crate::view::View;

/// Takes events into a read model, within a transaction.
pub(super) trait Consumer: Send + Sync + 'static {
    type Model: ReadModel;
    type Event: Event;

    fn id() -> ProjectionId;

    /// The SQL that makes the tables.
    fn tables(model: &Self::Model) -> Cow<'static, str>;

    /// Takes events in their order, all of them or, after a failure, nothing that will be committed.
    fn take(
        &self,
        model: &Self::Model,
        transaction: &mut <Self::Model as ReadModel>::Transaction,
        events: &[Received<'_>],
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// An event could not be taken.
pub(super) struct Failure {
    /// Which of the batch, where that is known.
    pub(super) index: Option<usize>,
    pub(super) error: BoxError,
    /// It is not the event's fault: a newer program has written it, and this one waits to be replaced; or the database is
    /// not there for the handler.
    pub(super) waits: bool,
    /// A newer program has written the event.
    pub(super) is_newer: bool,
}

impl Failure {
    /// Of one of the batch, or of all of it together.
    pub(super) fn new(index: Option<usize>, error: impl Into<BoxError>) -> Self {
        Self { index, error: error.into(), waits: false, is_newer: false }
    }

    fn of_database<M: ReadModel>(model: &M, index: Option<usize>, error: BoxError) -> Self {
        let waits = model.is_outage(&error);
        Self { index, error, waits, is_newer: false }
    }
}

fn decode<E: Event>(index: usize, received: &Received<'_>) -> Result<Decoded<E>, Failure> {
    E::decode(received.recorded()).map_err(|error| {
        let is_newer = error.is_newer();
        Failure { waits: is_newer, is_newer, ..Failure::new(Some(index), error) }
    })
}

/// The handlers of a projection.
pub(super) struct Handlers<P>(pub(super) P);

impl<P: Projection> Consumer for Handlers<P> {
    type Model = P::Model;
    type Event = P::Event;

    fn id() -> ProjectionId {
        ProjectionId::of::<P::Event>(P::NAME, P::VERSION)
    }

    fn tables(_: &P::Model) -> Cow<'static, str> {
        Cow::Borrowed(P::TABLES)
    }

    async fn take(
        &self,
        model: &P::Model,
        transaction: &mut Transaction<P>,
        events: &[Received<'_>],
    ) -> Result<(), Failure> {
        for (index, received) in events.iter().enumerate() {
            // Others of this thread get their turn, also where a read model is never waited for.
            tokio::task::consume_budget().await;
            for event in decode(index, received)? {
                let taking = AssertUnwindSafe(self.0.dispatch(event, received, transaction));
                // Nothing of a transaction in which a handler has panicked is committed.
                let taken =
                    taking.catch_unwind().await.unwrap_or_else(|panic| Err(panicked(&*panic)));
                taken.map_err(|error| Failure::of_database(model, Some(index), error))?;
            }
        }
        Ok(())
    }
}

/// The folds of a view.
pub(super) struct Folds<V, M>(pub(super) PhantomData<fn() -> (V, M)>);

impl<V: View, M: Rows<V>> Consumer for Folds<V, M> {
    type Model = M;
    type Event = V::Event;

    fn id() -> ProjectionId {
        ProjectionId::of::<V::Event>(V::NAME, V::VERSION)
    }

    fn tables(model: &M) -> Cow<'static, str> {
        Cow::Owned(model.tables())
    }

    async fn take(
        &self,
        model: &M,
        transaction: &mut M::Transaction,
        events: &[Received<'_>],
    ) -> Result<(), Failure> {
        let guarded = |index, work: &mut dyn FnMut() -> Result<(), BoxError>| {
            let done = std::panic::catch_unwind(AssertUnwindSafe(work));
            let done = done.unwrap_or_else(|panic| Err(panicked(&*panic)));
            done.map_err(|error| Failure::new(Some(index), error))
        };
        let mut decoded = Vec::with_capacity(events.len());
        let mut rows: HashMap<V::Key, Row<V>> = HashMap::new();
        for (index, received) in events.iter().enumerate() {
            // Others of this thread get their turn.
            tokio::task::consume_budget().await;
            for event in decode::<V::Event>(index, received)? {
                let mut keys = Vec::new();
                guarded(index, &mut || {
                    keys = V::touched(&event, received);
                    Ok(())
                })?;
                for (number, key) in keys.iter().enumerate() {
                    // A key that is named twice counts once.
                    if !keys[..number].contains(key) && !rows.contains_key(key) {
                        rows.insert(key.clone(), Row { row: None, is_stored: false });
                    }
                }
                decoded.push((index, event, keys));
            }
        }
        let mut keys: Vec<V::Key> = rows.keys().cloned().collect();
        // Always in the same order: transactions that touch the same rows then wait for each other, and not in a circle.
        keys.sort_unstable();
        let failed = |error| Failure::of_database(model, None, error);
        if !keys.is_empty() {
            let loaded = model.load(transaction, &keys).await;
            for row in loaded.map_err(|error| failed(error.into()))? {
                let key = row.key();
                let Some(asked) = rows.get_mut(&key) else {
                    let error = format!(
                        "view `{}` was asked for other rows than the one with key {key:?}: a key that does not come back \
                         from its column as it was, such as a time finer than a microsecond, can't be one",
                        V::NAME
                    );
                    return Err(Failure::new(None, error));
                };
                *asked = Row { row: Some(row), is_stored: true };
            }
        }
        for (index, event, keys) in &decoded {
            let (index, received) = (*index, &events[*index]);
            for (number, key) in keys.iter().enumerate() {
                let Some(Row { row, .. }) = rows.get_mut(key) else { continue };
                if keys[..number].contains(key) {
                    continue;
                }
                guarded(index, &mut || V::fold(row, key, event, received))?;
                if row.as_ref().is_some_and(|row| row.key() != *key) {
                    let error = format!(
                        "the fold of view `{}` made the row with key {key:?} one with another key; a row keeps its key",
                        V::NAME
                    );
                    return Err(Failure::new(Some(index), error));
                }
            }
        }
        let (mut written, mut deleted) = (Vec::with_capacity(keys.len()), Vec::new());
        for key in keys {
            match rows.remove(&key) {
                Some(Row { row: Some(row), .. }) => written.push(row),
                Some(Row { row: None, is_stored: true }) => deleted.push(key),
                _ => {}
            }
        }
        if written.is_empty() && deleted.is_empty() {
            return Ok(());
        }
        model.write(transaction, &written, &deleted).await.map_err(failed)
    }
}

/// A row while events are folded into it.
struct Row<V> {
    row: Option<V>,
    is_stored: bool,
}

fn panicked(panic: &(dyn Any + Send)) -> BoxError {
    format!("the handler panicked: {}", said(panic)).into()
}

/// What whoever panicked has said.
pub(super) fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("something that is no text")
}

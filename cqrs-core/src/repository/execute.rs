//! Carries a command out: load the aggregate, let it decide, append the events; again after a conflict.

use std::sync::Arc;
use std::time::Duration;

use super::job::{Refusal, decide};
use super::lane::Lanes;
use super::load::{Loaded, load};
use super::{Outcome, Repository};
use crate::aggregate::Aggregate;
use crate::command::{AggregateCommand, Committed, stream_of};
use crate::context::DispatchContext;
use crate::error::{DispatchError, InvalidCommand, LoadError};
use crate::event::{EventId, RecordedEvent};
use crate::metadata::Metadata;
use crate::store::{Append, AppendError, Conflict, Snapshot, StoreErrorKind, is_end_of_stream};
use crate::stream::StreamId;
use crate::version::ExpectedVersion;

impl Repository {
    /// The same as [`execute`](Self::execute), together with other commands to the same aggregate if there are some.
    pub(crate) async fn execute_in<C: AggregateCommand>(
        &self,
        lanes: &Lanes<C::Aggregate>,
        command: C,
        context: &DispatchContext,
    ) -> Outcome<C> {
        if context.key().is_some() || context.expected().is_some() {
            return self.execute(command, context).await;
        }
        let stream = stream_of(&command).map_err(|error| DispatchError::Invalid(error.into()))?;
        let metadata = Arc::new(context.event_metadata());
        lanes.execute(self, &stream, command, metadata).await
    }

    /// Loads the aggregate the command addresses, lets it decide and appends the events, again after a conflict as
    /// often as the retry policy allows.
    ///
    /// When it returns `Ok`, the events are as durable as the store makes them. When the future is dropped, they are
    /// stored all or not at all.
    ///
    /// # Errors
    /// See [`DispatchError`].
    pub async fn execute<C: AggregateCommand>(
        &self,
        command: C,
        context: &DispatchContext,
    ) -> Outcome<C> {
        let stream = stream_of(&command).map_err(|error| DispatchError::Invalid(error.into()))?;
        if context.key() == Some("") {
            return Err(DispatchError::Invalid(InvalidCommand::EmptyKey));
        }
        let metadata = Arc::new(context.event_metadata());
        let mut delays = self.retry.backoff();
        let mut attempts = 0;
        loop {
            attempts += 1;
            let attempt = self.attempt(&stream, command.clone(), context, &metadata).await;
            match attempt {
                Err(DispatchError::Conflict(conflict)) => {
                    crate::bus::telemetry::conflict(command.name());
                    let Some(delay) = delays.next() else {
                        return Err(DispatchError::Conflict(conflict));
                    };
                    tracing::debug!(%conflict, attempts, ?delay, "deciding again");
                    tokio::time::sleep(delay).await;
                }
                Ok(committed) => {
                    return Ok(Committed { attempts, ..committed });
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn attempt<C: AggregateCommand>(
        &self,
        stream: &StreamId,
        command: C,
        context: &DispatchContext,
        metadata: &Arc<Metadata>,
    ) -> Outcome<C> {
        let (name, key) = (command.name(), context.key());
        if let Some(key) = key
            && let Some(receipt) = self.receipt::<C>(stream, name, key).await?
        {
            return Ok(receipt);
        }
        let mut loaded = load::<C::Aggregate>(&*self.store, stream.clone())
            .await
            .map_err(LoadError::into_dispatch)?;
        let actual = loaded.version;
        let id = |index| {
            key.map_or_else(EventId::random, |key| EventId::of_command(stream, name, key, index))
        };
        let decided = match context.expected().filter(|expected| *expected != actual) {
            None => decide(&loaded, command, metadata, id),
            Some(expected) => {
                let (stream, expected) = (stream.clone(), expected.into());
                Err(DispatchError::Stale(Conflict { stream, expected, actual }))
            }
        };
        // What refuses it, or has nothing left to do for it, may be what it has led to itself: it was carried out
        // elsewhere after the look at its receipt and before the load.
        if let Some(key) = key
            && decided.as_ref().map_or(true, Vec::is_empty)
            && let Some(receipt) = self.receipt::<C>(stream, name, key).await?
        {
            return Ok(receipt);
        }
        let events = decided?;
        let mut committed = Committed {
            stream: stream.clone(),
            version: loaded.version,
            position: loaded.position,
            events: events.len(),
            attempts: 1,
            replayed: false,
        };
        if events.is_empty() {
            return Ok(committed);
        }
        let events = events.into_iter().map(|event| loaded.preview(event));
        let events = events.collect::<Result<Vec<_>, _>>().map_err(DispatchError::Invalid)?;
        let expected = ExpectedVersion::Exact(actual);
        let append = Append::new(stream.clone(), expected, events)
            .map_err(|error| DispatchError::Invalid(error.into()))?;
        let appended = match (self.store.append(&append).await, key) {
            (Ok(appended), _) => appended,
            // The command was carried out elsewhere after the look at its receipt and before the load.
            (Err(AppendError::Store(error)), Some(key))
                if error.kind() == StoreErrorKind::DuplicateEvent =>
            {
                let receipt = self.receipt::<C>(stream, name, key).await?;
                return receipt.ok_or(DispatchError::Store(error));
            }
            (Err(error), _) => return Err(DispatchError::from_append(error, append)),
        };
        // Where the events were found stored, under the same key, this is not the state they led to.
        let is_ours = !appended.replayed && appended.version == loaded.version;
        committed.version = appended.version;
        committed.position = appended.position;
        committed.replayed = appended.replayed;
        if is_ours {
            self.snapshot_if_due(&mut loaded).await;
        }
        Ok(committed)
    }

    /// The outcome of the command of this name and key, if it was carried out before.
    async fn receipt<C: AggregateCommand>(
        &self,
        stream: &StreamId,
        name: &str,
        key: &str,
    ) -> Result<Option<Committed>, DispatchError<Refusal<C>>> {
        let id = |index| EventId::of_command(stream, name, key, index);
        let Some(first) = self.store.find(id(0)).await.map_err(DispatchError::Store)? else {
            return Ok(None);
        };
        let mut events = 1;
        let mut last: RecordedEvent = first;
        loop {
            const PAGE: usize = 16;
            let page = self.store.read_stream(stream, last.version, PAGE).await;
            let page = page.map_err(DispatchError::Store)?;
            let (read, is_end) = (page.len(), is_end_of_stream(&page, PAGE));
            let own =
                page.into_iter().enumerate().take_while(|(at, event)| event.id == id(events + at));
            let own: Vec<RecordedEvent> = own.map(|(_, event)| event).collect();
            let (kept, newest) = (own.len(), own.into_iter().next_back());
            events += kept;
            last = newest.unwrap_or(last);
            if kept < read || is_end {
                break;
            }
        }
        Ok(Some(Committed {
            stream: stream.clone(),
            version: last.version,
            position: last.position,
            events,
            attempts: 1,
            replayed: true,
        }))
    }

    /// Takes a snapshot if the aggregate's policy says so. A snapshot that fails is only logged: the command has
    /// succeeded, and the state can be had from the events (G9).
    pub(super) async fn snapshot_if_due<A: Aggregate>(&self, loaded: &mut Loaded<A>) {
        /// The command is carried out; its caller does not wait long for what only saves time later.
        const PATIENCE: Duration = Duration::from_secs(1);
        let Some(snapshots) = A::snapshots() else { return };
        let Loaded { stream, version, last_event: Some(event_id), .. } = &*loaded else { return };
        if !snapshots.is_due(loaded.snapshot, *version, loaded.took) {
            return;
        }
        let state = match snapshots.encode(&loaded.state) {
            Ok(state) => state,
            Err(error) => return tracing::warn!(%stream, %version, %error, "no snapshot was taken"),
        };
        let (version, event_id, fingerprint) = (*version, *event_id, snapshots.fingerprint());
        let snapshot = Snapshot { version, event_id, fingerprint, state };
        let saved = self.store.save_snapshot(stream, snapshot);
        match tokio::time::timeout(PATIENCE, saved).await {
            Ok(Ok(())) => loaded.snapshot = loaded.version,
            Ok(Err(error)) => tracing::warn!(%stream, %version, %error, "no snapshot was taken"),
            Err(_) => {
                tracing::warn!(%stream, %version, "no snapshot was taken within {PATIENCE:?}");
            }
        }
    }
}

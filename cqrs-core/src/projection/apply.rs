//! Takes events into the read model: in batches, one by one where one fails, and from parked streams (G7, G8).

use super::runner::{ParkedError, What};
use super::status::{Phase, Stopped};
use super::worker::{FIRST_DELAY, Interrupted, LONGEST_DELAY, Worker, delays};
use super::{Parked, Projection, ReadModel as _, Transaction};
use crate::event::{DecodeReason, Event as _, RecordedEvent};
use crate::store::{BoxError, LogPage};
use crate::stream::StreamId;
use crate::version::{Position, Version};

/// An event that could not be taken.
struct Failure {
    /// Which of the batch.
    index: usize,
    error: BoxError,
    /// It is not the event's fault: a newer program has written it, and this one waits to be replaced; or the database is
    /// not there for the handler.
    waits: bool,
}

impl<P: Projection> Worker<P> {
    /// Takes a page of events: all in one transaction, or, where one fails, those before it, that one by itself, and
    /// those behind it.
    pub(super) async fn take(&mut self, page: LogPage) -> Result<(), Interrupted> {
        let mut events = &page.events[..];
        while let Some(last) = events.last() {
            let end = last.position;
            let Some(failure) = self.take_batch(events, end).await? else {
                break;
            };
            let (before, rest) = events.split_at(failure.index);
            if let Some(last) = before.last() {
                // Where one of these fails as well this time, it is its turn now.
                if self.take_batch(before, last.position).await?.is_some() {
                    // What fails now and then must not keep us busy.
                    tokio::time::sleep(FIRST_DELAY).await;
                    self.renew_if_due().await?;
                    continue;
                }
            }
            let Some((failed, behind)) = rest.split_first() else {
                break;
            };
            self.take_or_park(failed, failure).await?;
            events = behind;
        }
        self.move_to(page.through);
        Ok(())
    }

    /// Takes events in one transaction that moves the checkpoint to `end`; or nothing, if one of them fails.
    async fn take_batch(
        &mut self,
        events: &[RecordedEvent],
        end: Position,
    ) -> Result<Option<Failure>, Interrupted> {
        let mut transaction = self.model.begin().await.map_err(|error| self.failed(error))?;
        for (index, event) in events.iter().enumerate() {
            // The event waits with those of its stream that came before it.
            if self.parked.contains_key(&event.stream) {
                continue;
            }
            if let Err((error, waits)) = self.take_one(event, &mut transaction).await {
                return Ok(Some(Failure { index, error, waits }));
            }
        }
        self.commit(transaction, end).await?;
        Ok(None)
    }

    async fn take_one(
        &self,
        event: &RecordedEvent,
        transaction: &mut Transaction<P>,
    ) -> Result<(), (BoxError, bool)> {
        let decoded = P::Event::decode(event).map_err(|error| {
            let is_newer = matches!(error.reason, DecodeReason::SchemaVersion { current }
                if event.schema_version > current);
            (BoxError::from(error), is_newer)
        })?;
        let taken = self.projection.dispatch(decoded, event, transaction).await;
        taken.map_err(|error| {
            let is_outage = self.model.is_outage(&error);
            (error, is_outage)
        })
    }

    async fn commit(
        &mut self,
        transaction: Transaction<P>,
        end: Position,
    ) -> Result<(), Interrupted> {
        let Some(mut lease) = self.lease else { return Err(Interrupted::LeaseLost) };
        lease.position = lease.position.max(end);
        let committed = self.model.commit(transaction, &self.id, lease, self.options.lease).await;
        if !committed.map_err(|error| self.failed(error))? {
            return Err(Interrupted::LeaseLost);
        }
        self.committed(lease.position);
        Ok(())
    }

    /// Tries an event that has failed once more and more slowly, and parks its stream if it does not pass.
    async fn take_or_park(
        &mut self,
        event: &RecordedEvent,
        mut failure: Failure,
    ) -> Result<(), Interrupted> {
        let mut delays = delays();
        let mut attempts = 1;
        while attempts < self.options.attempts || failure.waits {
            let reason = describe(event, &failure.error);
            tracing::warn!(projection = P::NAME, reason, attempts, "trying again");
            self.report(|status| {
                (status.phase, status.last_error) = (Phase::Retrying, Some(reason));
            });
            tokio::time::sleep(delays.next().unwrap_or(LONGEST_DELAY)).await;
            self.renew_if_due().await?;
            self.serve_requests().await?;
            match self.take_batch(std::slice::from_ref(event), event.position).await? {
                None => {
                    self.report(|status| {
                        (status.phase, status.last_error) = (Phase::CatchingUp, None);
                    });
                    return Ok(());
                }
                Some(again) => failure = again,
            }
            attempts += 1;
        }
        self.park(event, attempts, &failure.error).await
    }

    async fn park(
        &mut self,
        event: &RecordedEvent,
        attempts: u32,
        error: &BoxError,
    ) -> Result<(), Interrupted> {
        let parked = parked_at(event, attempts, error);
        let mut transaction = self.model.begin().await.map_err(|error| self.failed(error))?;
        let noted = self.model.park(&mut transaction, &self.id, &parked).await;
        noted.map_err(|error| self.failed(error))?;
        self.parked.insert(parked.stream.clone(), parked);
        let (streams, parked) = (self.parked_streams(), self.parked.len());
        // Before the position moves behind the event: nobody is to think that it is shown.
        self.report(|status| status.parked = streams);
        self.commit(transaction, event.position).await?;
        tracing::error!(projection = P::NAME, reason = describe(event, error), "stream parked");
        if parked > self.options.max_parked {
            let stopped = Stopped::TooManyParked { projection: P::NAME, parked };
            return Err(Interrupted::Stopped(stopped));
        }
        Ok(())
    }

    /// Takes the events of a parked stream up to where the projection is, in order. Each page is a transaction, which
    /// also moves the place where the stream is parked: behind what was taken, or to the event that fails now.
    pub(super) async fn unpark(
        &mut self,
        stream: &StreamId,
        what: What,
    ) -> Result<Result<(), ParkedError>, Interrupted> {
        let mut discarded = None;
        loop {
            let Some(parked) = self.parked.get(stream).cloned() else {
                return Ok(Err(ParkedError::NotParked(stream.clone())));
            };
            // Where a replay was interrupted, nothing has failed that could be given up.
            if what == What::Discard && discarded.is_none() && parked.attempts > 0 {
                discarded = Some(parked.version);
            }
            let after = parked.version.previous();
            let page = match self.store.read_stream(stream, after, self.options.batch).await {
                Ok(page) => page,
                Err(error) => return Ok(Err(error.into())),
            };
            let end = self.position();
            let waiting = page.iter().take_while(|event| event.position <= end);
            let waiting: Vec<&RecordedEvent> = waiting.collect();
            let is_last = page.len() < self.options.batch || waiting.len() < page.len();
            let (mut transaction, failure) = self.take_waiting(&waiting, discarded).await?;
            let next = match &failure {
                None if is_last => None,
                // More to come: the stream stays parked behind what is taken.
                None => Some(Parked {
                    version: waiting.last().map_or(parked.version, |event| event.version.plus(1)),
                    attempts: 0,
                    error: "the replay was interrupted; replay the stream again".to_owned(),
                    ..parked
                }),
                Some((event, error)) => {
                    let again = event.version == parked.version;
                    let attempts = if again { parked.attempts.saturating_add(1) } else { 1 };
                    Some(parked_at(event, attempts, error))
                }
            };
            let noted = match &next {
                None => self.model.unpark(&mut transaction, &self.id, stream).await,
                Some(parked) => self.model.park(&mut transaction, &self.id, parked).await,
            };
            noted.map_err(|error| self.failed(error))?;
            self.commit(transaction, end).await?;
            match next {
                None => self.parked.remove(stream),
                Some(parked) => self.parked.insert(stream.clone(), parked),
            };
            let streams = self.parked_streams();
            self.report(|status| status.parked = streams);
            if let Some((event, error)) = failure {
                return Ok(Err(ParkedError::Failed {
                    stream: stream.clone(),
                    version: event.version,
                    event_type: event.event_type.to_string(),
                    error: error.to_string(),
                }));
            }
            if is_last {
                return Ok(Ok(()));
            }
        }
    }

    /// A transaction in which the waiting events are taken, or those before the first that fails, and that one.
    async fn take_waiting<'e>(
        &self,
        waiting: &[&'e RecordedEvent],
        discarded: Option<Version>,
    ) -> Result<(Transaction<P>, Option<(&'e RecordedEvent, BoxError)>), Interrupted> {
        let mut failure = None;
        let mut waiting = waiting;
        // One more time after a failure, with what comes before it.
        'again: loop {
            let mut transaction = self.model.begin().await.map_err(|error| self.failed(error))?;
            for (index, event) in waiting.iter().enumerate() {
                if discarded == Some(event.version) || !P::Event::knows(&event.event_type) {
                    continue;
                }
                if let Err((error, _)) = self.take_one(event, &mut transaction).await {
                    failure = Some((*event, error));
                    waiting = &waiting[..index];
                    continue 'again;
                }
            }
            return Ok((transaction, failure));
        }
    }
}

fn parked_at(event: &RecordedEvent, attempts: u32, error: &BoxError) -> Parked {
    Parked {
        stream: event.stream.clone(),
        version: event.version,
        position: event.position,
        event_type: event.event_type.to_string(),
        attempts,
        error: error.to_string(),
    }
}

fn describe(event: &RecordedEvent, error: &BoxError) -> String {
    format!(
        "event `{}` v{} at version {} of stream `{}` (position {}): {error}",
        event.event_type, event.schema_version, event.version, event.stream, event.position
    )
}

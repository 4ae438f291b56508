//! Does what is asked for about parked streams (G8).

use std::sync::Arc;

use super::batch::parked_at;
use super::consumer::{Consumer, Failure};
use super::share::Group;
use super::worker::{Interrupted, Worker};
use crate::event::{Event as _, RecordedEvent};
use crate::read_model::{Parked, ParkedRequest, ReadModel as _};
use crate::store::{BoxError, is_end_of_stream};
use crate::stream::StreamId;
use crate::version::Version;

/// Events of a parked stream that are taken in one transaction.
const PAGE: usize = 500;

impl<C: Consumer> Worker<C> {
    /// Does what was asked for about the parked streams of its slots.
    pub(super) async fn serve_requests(&mut self) -> Result<(), Interrupted> {
        let asked = self.parked.values().filter(|parked| parked.request.is_some());
        let asked: Vec<(StreamId, Option<ParkedRequest>)> =
            asked.map(|parked| (parked.stream.clone(), parked.request)).collect();
        for (stream, request) in asked {
            if let (Some(request), Some(group)) = (request, self.group_of(&stream)) {
                self.unpark(&stream, request, &group).await?;
            }
        }
        Ok(())
    }

    /// Takes the events of a parked stream up to where its slot is, in order. Each page is a transaction, which also moves
    /// the place where the stream is parked: behind what was taken, or to the event that fails now.
    async fn unpark(
        &mut self,
        stream: &StreamId,
        request: ParkedRequest,
        group: &Group,
    ) -> Result<(), Interrupted> {
        let mut discarded = None;
        while let Some(parked) = self.parked.get(stream).cloned() {
            // Where a replay was interrupted, nothing has failed that could be given up.
            if request == ParkedRequest::Discard && discarded.is_none() && parked.attempts > 0 {
                discarded = Some(parked.version);
            }
            let after = parked.version.previous();
            let page = self.store.read_stream(stream, after, PAGE).await;
            let page = page.map_err(|error| self.failed(error))?;
            let waiting = page.iter().take_while(|event| event.position <= group.after);
            let waiting: Vec<&RecordedEvent> = waiting.collect();
            let is_last = is_end_of_stream(&page, PAGE) || waiting.len() < page.len();
            let (next, taken) = self.replay(&parked, &waiting, discarded, is_last, group).await?;
            // An event has failed, or waits.
            let is_held_up = next
                .as_ref()
                .is_some_and(|next| next.request.is_none() || next.version == parked.version);
            // One that waits is asked for again and again.
            if taken > 0 || !is_held_up {
                tracing::info!(
                    projection = self.id.name,
                    %stream,
                    taken,
                    is_unparked = next.is_none(),
                    "parked events taken"
                );
            }
            match next {
                None => self.parked.remove(stream),
                Some(parked) => self.parked.insert(stream.clone(), parked),
            };
            self.tell_parked();
            if is_held_up {
                break;
            }
        }
        Ok(())
    }

    /// Takes waiting events, or those before the first that fails, in a transaction. Where the stream is parked
    /// afterwards, if it is, and how many events were taken.
    async fn replay(
        &mut self,
        parked: &Parked,
        waiting: &[&RecordedEvent],
        discarded: Option<Version>,
        is_last: bool,
        group: &Group,
    ) -> Result<(Option<Parked>, usize), Interrupted> {
        let is_wanted = |event: &&&RecordedEvent| {
            discarded != Some(event.version) && C::Event::knows(&event.event_type)
        };
        let wanted: Vec<&RecordedEvent> = waiting.iter().filter(is_wanted).copied().collect();
        let mut failed: Option<(&RecordedEvent, Failure)> = None;
        let mut count = wanted.len();
        loop {
            let received: Vec<_> =
                wanted[..count].iter().map(|event| self.received(event)).collect();
            let mut transaction = match self.in_transaction(&received, group).await? {
                Ok(transaction) => transaction,
                // None of them is at fault: once more, soon.
                Err(Failure { index: None, waits: true, error, .. }) => {
                    return Err(self.trying_again(error.to_string()));
                }
                Err(failure) => {
                    // One more time, with what comes before it; where it is not known which it is, with half of them.
                    let index = failure.index.or((count <= 1).then_some(0));
                    let failing = index.and_then(|index| wanted.get(index));
                    failed = failing.map(|event| (*event, failure));
                    count = index.unwrap_or(count / 2);
                    continue;
                }
            };
            let next = match &failed {
                Some((event, failure)) if failure.waits => {
                    Some(waiting_at(event, parked, &failure.error))
                }
                Some((event, failure)) => {
                    let again = event.version == parked.version;
                    let attempts = if again { parked.attempts.saturating_add(1) } else { 1 };
                    Some(parked_at(event, attempts, &failure.error))
                }
                None if is_last && count == wanted.len() => None,
                // More to come: the stream stays parked behind what is taken.
                None => {
                    let last =
                        if count == wanted.len() { waiting.last() } else { wanted[..count].last() };
                    Some(Parked {
                        version: last.map_or(parked.version, |event| event.version.plus(1)),
                        attempts: 0,
                        error: "the replay goes on".to_owned(),
                        request: Some(ParkedRequest::Replay),
                        ..parked.clone()
                    })
                }
            };
            let noted = match &next {
                None => self.model.unpark(&mut transaction, &self.id, &parked.stream).await,
                Some(parked) => self.model.park(&mut transaction, &self.id, parked).await,
            };
            noted.map_err(|error| self.failed(error))?;
            match self.commit(transaction, group, group.after, count).await? {
                None => return Ok((next, count)),
                Some(_) if count > 1 => (failed, count) = (None, count / 2),
                Some(failure) => {
                    failed = wanted.first().map(|event| (*event, failure));
                    count = 0;
                }
            }
        }
    }

    pub(super) fn tell_parked(&self) {
        let parked = Arc::new(self.parked.keys().cloned().collect());
        self.tell(|board| board.parked = parked);
    }
}

/// The stream waits at an event that is not at fault, until that can be taken: what was asked for is still to be done, and
/// it counts as no attempt.
fn waiting_at(event: &RecordedEvent, parked: &Parked, error: &BoxError) -> Parked {
    let attempts = if event.version == parked.version { parked.attempts } else { 0 };
    Parked { request: Some(ParkedRequest::Replay), ..parked_at(event, attempts, error) }
}

//! Answers that are given again whenever they change.

use std::fmt;
use std::pin::pin;
use std::time::Duration;

use futures_core::Stream;
use futures_util::future::{Either, select};
use futures_util::stream;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use super::changes::Change;
use super::send::views_show;
use super::{AskQuery, Bus};
use crate::error::QueryError;
use crate::query::Query;
use crate::runner::Target;
use crate::store::LogFilter;
use crate::stream::StreamId;
use crate::version::Position;

/// What an answer depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concern(Of);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Of {
    Stream(StreamId),
    Log(LogFilter),
}

impl From<StreamId> for Concern {
    fn from(stream: StreamId) -> Self {
        Self(Of::Stream(stream))
    }
}

impl From<LogFilter> for Concern {
    fn from(filter: LogFilter) -> Self {
        Self(Of::Log(filter))
    }
}

impl Concern {
    /// What there was up to a position, as far as it concerns the answer.
    fn up_to(&self, position: Position) -> Target {
        match &self.0 {
            Of::Stream(stream) => Target { position, stream: Some(stream.clone()) },
            Of::Log(_) => position.into(),
        }
    }

    /// What a change has views wait for, if it concerns the answer.
    fn target(&self, change: Change) -> Option<Target> {
        let Change { stream, event_type, position } = change;
        match &self.0 {
            Of::Stream(wanted) => {
                (*wanted == stream).then_some(Target { position, stream: Some(stream) })
            }
            Of::Log(filter) => {
                filter.wants(stream.category(), &event_type).then(|| position.into())
            }
        }
    }
}

/// The answer to a query, and then again whenever it is another one. Made by [`AskQuery::updates`].
///
/// When an event that concerns the answer is appended, by whatever process, the query is asked again as soon as all
/// [views](crate::BusBuilder::view) of the bus have seen the event. The first answer does not wait for views, or for a moment
/// at most; where one was behind then, the query is asked once more when it has caught up. An answer that equals the one before is left out, and
/// who is slow gets the latest one instead of all those between. The log is followed once for all updates of a bus.
///
/// The answers are fit for server-sent events: each is whole, and one who has lost the connection asks again.
pub struct Updates<Q: Query> {
    ask: AskQuery<Q>,
    concern: Concern,
    changes: Option<broadcast::Receiver<Change>>,
    last: Option<Q::Output>,
    due: Option<Due>,
    /// What no change tells of, and the views may not have seen: the question is asked once more when they have.
    behind: Option<Target>,
}

/// When the question is to be asked.
#[derive(Debug, Clone)]
enum Due {
    Now,
    /// Once the views have seen this.
    After(Target),
}

/// How long the first answer waits for views that are behind: what they need where nothing is wrong.
const MOMENT: Duration = Duration::from_millis(10);

/// How long views that are behind are waited for, while changes are answered.
const LONG: Duration = Duration::from_hours(1);

impl<Q: Query> Updates<Q>
where
    Q::Output: PartialEq + Clone,
{
    pub(super) fn new(ask: AskQuery<Q>, concern: Concern) -> Self {
        Self { ask, concern, changes: None, last: None, due: None, behind: None }
    }

    /// The next answer: the first one at once, then each that differs from the one before; waits until there is one.
    ///
    /// When the future is dropped, no update is lost: the next call goes on.
    ///
    /// # Errors
    /// When the query fails, the store can't be read, or a view does not see a change in time
    /// ([`patience`](AskQuery::patience)). The next call asks again, at once, so a caller who goes on does well to pause.
    pub async fn next(&mut self) -> Result<Q::Output, QueryError<Q::Error>> {
        loop {
            if self.changes.is_none() {
                // Before the question: what changes while it is answered is noticed.
                let bus = self.ask.bus();
                let watched = bus.shared.changes.watch(bus.store()).await;
                let (changes, before) = watched.map_err(QueryError::Store)?;
                (self.changes, self.due) = (Some(changes), Some(Due::Now));
                self.behind = Some(self.concern.up_to(before));
            }
            if let Some(due) = self.due.clone() {
                let ask = self.ask.again();
                let answer = match due {
                    Due::Now => {
                        if let Some(target) = &self.behind
                            && views_show(ask.bus(), target, MOMENT).await
                        {
                            self.behind = None;
                        }
                        ask.await?
                    }
                    Due::After(target) => ask.after(target).await?,
                };
                self.due = None;
                if self.last.as_ref() != Some(&answer) {
                    self.last = Some(answer.clone());
                    return Ok(answer);
                }
            }
            self.wait().await;
        }
    }

    /// The same as a [`Stream`]; it never ends, and goes on after an error as [`next`](Self::next) does.
    pub fn into_stream(self) -> impl Stream<Item = Result<Q::Output, QueryError<Q::Error>>> + Send {
        stream::unfold(self, |mut updates| async move {
            let next = updates.next().await;
            Some((next, updates))
        })
    }

    /// Waits until something has changed that concerns the answer.
    async fn wait(&mut self) {
        let Self { ask, changes, concern, due, behind, .. } = self;
        let Some(receiver) = changes else { return };
        let mut has_missed = false;
        loop {
            // What else is there by now is answered together.
            let heard = match receiver.try_recv() {
                Err(TryRecvError::Empty) if due.is_some() => return,
                Err(TryRecvError::Empty) => {
                    let Some(heard) = hear(receiver, ask.bus(), behind.as_ref()).await else {
                        (*behind, *due) = (None, Some(Due::Now));
                        return;
                    };
                    heard
                }
                Err(TryRecvError::Lagged(count)) => Err(RecvError::Lagged(count)),
                Err(TryRecvError::Closed) => Err(RecvError::Closed),
                Ok(change) => Ok(change),
            };
            match heard {
                // What was missed is before this.
                Ok(change) if has_missed => {
                    has_missed = false;
                    *due = Some(Due::After(change.position.into()));
                }
                Ok(change) => {
                    if let Some(target) = concern.target(change) {
                        *due = Some(Due::After(target));
                    }
                }
                Err(RecvError::Lagged(_)) => has_missed = true,
                // The log is not followed any more; it will be from here on.
                Err(RecvError::Closed) => {
                    *changes = None;
                    return;
                }
            }
        }
    }
}

/// The next change; or nothing, when there is no more to wait for of what views are behind.
async fn hear(
    changes: &mut broadcast::Receiver<Change>,
    bus: &Bus,
    behind: Option<&Target>,
) -> Option<Result<Change, RecvError>> {
    let Some(target) = behind else { return Some(changes.recv().await) };
    // Whether they have caught up, have come to an end, or do without a parked stream.
    let caught_up = views_show(bus, target, LONG);
    match select(pin!(changes.recv()), pin!(caught_up)).await {
        Either::Left((heard, _)) => Some(heard),
        Either::Right(_) => None,
    }
}

impl<Q: Query> fmt::Debug for Updates<Q> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Updates")
            .field("query", &Q::NAME)
            .field("concern", &self.concern)
            .field("due", &self.due)
            .finish_non_exhaustive()
    }
}

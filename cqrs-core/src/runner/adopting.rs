//! A version that is there for other events than this program's: going on from it where none was missed (G10).

use super::consumer::Consumer;
use super::status::Stopped;
use super::worker::{Interrupted, Worker};
use crate::event::RecordedEvent;
use crate::read_model::{Maintain as _, ReadModel as _, added};
use crate::store::{EventStore as _, LogFilter};
use crate::version::Position;

impl<C: Consumer> Worker<C> {
    /// What becomes of a projection that can't go on from what is there as it is: another version, or the same made from
    /// other events.
    pub(super) async fn changed(
        &self,
        version: u32,
        events: String,
        may_build: bool,
    ) -> Interrupted {
        let mut missed = None;
        if version == self.id.version
            && let Some(names) = added(&self.id.events, &events)
        {
            match self.adopt(&events, &names).await {
                Ok(None) => return Interrupted::Changed,
                Ok(Some(event)) => missed = Some((event.event_type.to_string(), event.position)),
                Err(interrupted) => return interrupted,
            }
        }
        Interrupted::Stopped(Stopped::Changed {
            projection: self.id.name,
            versions: (self.id.version, version),
            events: (self.id.events.clone(), events),
            may_build: may_build && version < self.id.version,
            missed,
        })
    }

    /// Has this version, which is made from `events`, go on with those of the `names` as well, if that is all that is new
    /// to it: all that is stored under them is behind its checkpoints. Else returns an event that was missed.
    async fn adopt(
        &self,
        events: &str,
        names: &[&str],
    ) -> Result<Option<RecordedEvent>, Interrupted> {
        // Before the log is read, which is then known further than this, if it is the one these were moved along.
        let furthest = self.furthest().await?;
        let filter = names.iter().copied().fold(LogFilter::all(), LogFilter::event_type);
        let page = self.store.read_log(&filter, Position::START, 1).await;
        let page = page.map_err(|error| self.failed(error))?;
        let through = match page.events.into_iter().next() {
            Some(event) if event.position <= furthest => return Ok(Some(event)),
            Some(event) => Position::new(event.position.get() - 1),
            None => page.through,
        };
        if through < furthest {
            let error = format!(
                "its checkpoint is at position {furthest}, but the log can be read up to position {through} only: \
                 whether events under {names:?} were missed is not known yet"
            );
            return Err(self.trying_again(error));
        }
        let adopted = self.base.adopt(&self.id, events, through).await;
        if adopted.map_err(|error| self.failed(error))? {
            let (projection, version) = (self.id.name, self.id.version);
            tracing::info!(projection, version, ?names, %through, "adopted for more events");
        }
        // Otherwise somebody else has adopted it, or has moved it on: once more.
        Ok(None)
    }

    /// How far the slots of this version have come: the most of them.
    async fn furthest(&self) -> Result<Position, Interrupted> {
        let states = self.base.projections(Some(self.id.name)).await;
        let states = states.map_err(|error| self.failed(error))?;
        let this = states.iter().filter(|state| state.version == self.id.version);
        let positions = this.flat_map(|state| &state.slots).map(|slot| slot.position);
        Ok(positions.max().unwrap_or_default())
    }

    /// Why there is no share of this version any more: it was removed, or is made from other events by now.
    pub(super) async fn without_share(&self) -> Interrupted {
        let states = match self.base.projections(Some(self.id.name)).await {
            Ok(states) => states,
            Err(error) => return self.failed(error),
        };
        if states.iter().any(|state| state.version == self.id.version) {
            return Interrupted::Changed;
        }
        self.replaced()
    }
}

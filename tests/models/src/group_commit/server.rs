//! What the server makes of a statement that has taken its snapshot.

use super::{Append, BatchReply, Expected, Flaw, Protocol, Reply, State, Versions};

impl Protocol {
    pub(super) fn is_met(&self, append: usize, versions: Versions) -> bool {
        let Append { stream, expected, .. } = self.appends[append];
        match expected {
            Expected::Any => true,
            Expected::Exact(version) => version == versions[stream],
        }
    }

    fn has_id(&self, state: &State, append: usize) -> bool {
        self.flaw != Flaw::NoIds && state.row(append).is_some()
    }

    /// One append, in the state of its snapshot.
    pub(super) fn store_one(&self, state: &mut State, append: usize, looked: Versions) -> Reply {
        let Append { stream, is_refused, .. } = self.appends[append];
        if is_refused {
            return Reply::Failed;
        }
        if self.has_id(state, append) {
            // Found by the statement, or in the way at a constraint.
            return Reply::Stored(state.row(append).map_or(0, |row| row.version));
        }
        if !self.is_met(append, looked) {
            return Reply::Conflict(looked[stream]);
        }
        if looked[stream] == state.version(stream) {
            return Reply::Stored(state.push(stream, Some(append), self.flaw));
        }
        if self.is_met(append, state.versions()) {
            Reply::Raced
        } else {
            Reply::Conflict(state.version(stream))
        }
    }

    /// A batch, in the state of its snapshot.
    pub(super) fn store_many(
        &self,
        state: &mut State,
        appends: &[usize],
        looked: Versions,
    ) -> BatchReply {
        let met = |append: &usize| self.is_met(*append, looked);
        let is_in_the_way = |append: &usize| {
            let Append { stream, is_refused, .. } = self.appends[*append];
            is_refused
                || (met(append)
                    && (self.has_id(state, *append) || looked[stream] != state.version(stream)))
        };
        if appends.iter().any(is_in_the_way) {
            return None;
        }
        let store = |append: &usize| {
            met(append).then(|| state.push(self.appends[*append].stream, Some(*append), self.flaw))
        };
        Some(appends.iter().map(store).collect())
    }
}

//! Which aggregates are kept in memory.

use std::fmt;

/// How many aggregates of a type a bus keeps in memory. The derive makes one from `cache = …`.
///
/// A command on an aggregate that is kept costs one round trip to the database, that of its append: the version it
/// expects tells whether the state was still that of the stream. If it was not, what is missing is read, and the command is
/// decided on again (G9). So is a command that is refused, or leads to nothing: it costs the round trip of asking whether
/// there is more.
pub struct Cached<A> {
    aggregates: u64,
    clone: fn(&A) -> A,
}

impl<A: Clone> Cached<A> {
    /// The `aggregates` that were used last, or most often.
    pub fn most(aggregates: u64) -> Self {
        Self { aggregates: aggregates.max(1), clone: A::clone }
    }
}

impl<A> Cached<A> {
    pub(crate) fn aggregates(&self) -> u64 {
        self.aggregates
    }

    /// The same state once more: commands are decided on in a copy, which is dropped if it comes to nothing.
    pub(crate) fn copy(&self, state: &A) -> A {
        (self.clone)(state)
    }
}

impl<A> fmt::Debug for Cached<A> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Cached")
            .field("aggregates", &self.aggregates)
            .finish_non_exhaustive()
    }
}

//! What a stored event is to this program.

/// What a stored event is to this program: one event, as a rule. Upcasters may have made several of it, or none.
///
/// ```
/// # use cqrs_core::Decoded;
/// let mut total = 0;
/// for amount in Decoded::One(5) {
///     total += amount;
/// }
/// assert_eq!(total, 5);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded<E> {
    /// The one.
    One(E),
    /// Any number, in order.
    Many(Vec<E>),
}

impl<E> Decoded<E> {
    /// Nothing.
    pub const fn none() -> Self {
        Self::Many(Vec::new())
    }

    /// The events, in order.
    pub fn as_slice(&self) -> &[E] {
        match self {
            Self::One(event) => std::slice::from_ref(event),
            Self::Many(events) => events,
        }
    }

    /// What `change` makes of each.
    pub fn map<F>(self, mut change: impl FnMut(E) -> F) -> Decoded<F> {
        match self {
            Self::One(event) => Decoded::One(change(event)),
            Self::Many(events) => Decoded::Many(events.into_iter().map(change).collect()),
        }
    }

    /// All that `change` makes of each, one after the other.
    pub(crate) fn try_flat_map<F, X>(
        self,
        mut change: impl FnMut(E) -> Result<Decoded<F>, X>,
    ) -> Result<Decoded<F>, X> {
        match self {
            Self::One(event) => change(event),
            Self::Many(events) => {
                let mut all = Vec::with_capacity(events.len());
                for event in events {
                    all.extend(change(event)?);
                }
                Ok(Decoded::from(all))
            }
        }
    }

    /// These events and then the others.
    #[doc(hidden)]
    #[must_use]
    pub fn and(self, others: Self) -> Self {
        if self.as_slice().is_empty() {
            return others;
        }
        if others.as_slice().is_empty() {
            return self;
        }
        Self::Many(self.into_iter().chain(others).collect())
    }
}

impl<E> From<E> for Decoded<E> {
    fn from(event: E) -> Self {
        Self::One(event)
    }
}

impl<E> From<Vec<E>> for Decoded<E> {
    fn from(mut events: Vec<E>) -> Self {
        match (events.len(), events.pop()) {
            (1, Some(event)) => Self::One(event),
            (_, last) => {
                events.extend(last);
                Self::Many(events)
            }
        }
    }
}

impl<E> From<Option<E>> for Decoded<E> {
    fn from(event: Option<E>) -> Self {
        event.map_or_else(Self::none, Self::One)
    }
}

impl<E> IntoIterator for Decoded<E> {
    type Item = E;
    type IntoIter = std::iter::Chain<std::option::IntoIter<E>, std::vec::IntoIter<E>>;

    fn into_iter(self) -> Self::IntoIter {
        match self {
            Self::One(event) => Some(event).into_iter().chain(Vec::new()),
            Self::Many(events) => None.into_iter().chain(events),
        }
    }
}

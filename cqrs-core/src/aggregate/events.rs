//! The events a command leads to.

use std::fmt;

use super::Aggregate;
use crate::event::Event;

/// The events a command leads to, in order. One event, the usual case, needs no allocation.
pub struct Events<A: Aggregate>(List<A::Event>);

enum List<E> {
    None,
    One(E),
    Many(Vec<E>),
}

impl<A: Aggregate> Events<A> {
    /// No events.
    pub(crate) fn none() -> Self {
        Self(List::None)
    }

    /// Adds an event after the others.
    pub fn push(&mut self, event: impl Into<A::Event>) {
        let event = event.into();
        self.0 = match std::mem::replace(&mut self.0, List::None) {
            List::None => List::One(event),
            List::One(first) => List::Many(vec![first, event]),
            List::Many(mut events) => {
                events.push(event);
                List::Many(events)
            }
        };
    }

    /// Adds an event after the others. That of a type that is retired does not compile.
    fn add<E: Event + Into<A::Event>>(&mut self, event: E) {
        const { E::EMITTED };
        self.push(event);
    }

    /// The events, in order.
    pub fn as_slice(&self) -> &[A::Event] {
        match &self.0 {
            List::None => &[],
            List::One(event) => std::slice::from_ref(event),
            List::Many(events) => events,
        }
    }

    /// The events as a list.
    pub fn into_vec(self) -> Vec<A::Event> {
        match self.0 {
            List::None => Vec::new(),
            List::One(event) => vec![event],
            List::Many(events) => events,
        }
    }
}

impl<A: Aggregate> fmt::Debug for Events<A>
where
    A::Event: fmt::Debug,
{
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.as_slice()).finish()
    }
}

/// What a command may lead to: one event, a tuple, an array, a `Vec` or an `Option` of events, or `()` for none.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event of the aggregate `{A}`",
    label = "not an event of `{A}`",
    note = "list its type in `#[aggregate(events(…))]` of `{A}`"
)]
pub trait IntoEvents<A: Aggregate> {
    /// Adds these events to the list, in order.
    fn add_to(self, events: &mut Events<A>);
}

#[diagnostic::do_not_recommend]
impl<A: Aggregate, E: Event + Into<A::Event>> IntoEvents<A> for E {
    fn add_to(self, events: &mut Events<A>) {
        events.add(self);
    }
}

impl<A: Aggregate> IntoEvents<A> for () {
    fn add_to(self, _: &mut Events<A>) {}
}

impl<A: Aggregate, E: Event + Into<A::Event>> IntoEvents<A> for Option<E> {
    fn add_to(self, events: &mut Events<A>) {
        if let Some(event) = self {
            events.add(event);
        }
    }
}

impl<A: Aggregate, E: Event + Into<A::Event>> IntoEvents<A> for Vec<E> {
    fn add_to(self, events: &mut Events<A>) {
        for event in self {
            events.add(event);
        }
    }
}

impl<A: Aggregate, E: Event + Into<A::Event>, const N: usize> IntoEvents<A> for [E; N] {
    fn add_to(self, events: &mut Events<A>) {
        for event in self {
            events.add(event);
        }
    }
}

macro_rules! tuples {
    ($($($member:ident)+;)*) => {$(
        impl<A: Aggregate, $($member: IntoEvents<A>),+> IntoEvents<A> for ($($member,)+) {
            fn add_to(self, events: &mut Events<A>) {
                #[allow(non_snake_case, reason = "the type's name serves as the variable's")]
                let ($($member,)+) = self;
                $($member.add_to(events);)+
            }
        }
    )*};
}

tuples! {
    E1;
    E1 E2;
    E1 E2 E3;
    E1 E2 E3 E4;
    E1 E2 E3 E4 E5;
    E1 E2 E3 E4 E5 E6;
    E1 E2 E3 E4 E5 E6 E7;
    E1 E2 E3 E4 E5 E6 E7 E8;
}

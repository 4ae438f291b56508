//! The events of a member at version 4 of the program, and what became of those of versions 1 to 3.

use cqrs::Upcast;
use cqrs::prelude::*;
use serde::{Deserialize, Serialize};

use crate::upcasters::{
    address_nested, cents_from_euros, joined_of_both, names_apart, paid_of_both, to_basic,
    to_premium, with_day,
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(prefix = "member")]
pub enum MemberEvent {
    /// Version 1 had the whole name in one field. It also had an event for people who joined and paid at once, which is
    /// this one and `Paid` now.
    #[event(
        version = 2,
        upcast(1 => names_apart),
        from("member.joined_and_paid", upcast(1 => joined_of_both), into = 1),
    )]
    Joined { given: String, family: String, plan: Plan },

    /// Version 1 had whole euros, version 2 cents beside the currency.
    #[event(
        version = 3,
        upcast(1 => cents_from_euros, 2 => type PaidV2),
        from("member.joined_and_paid", upcast(1 => paid_of_both), into = 1),
    )]
    Paid { amount: Money },

    /// It was called `moved`, and had the parts of the address side by side.
    #[event(version = 2, alias = "member.moved", upcast(1 => address_nested))]
    AddressChanged { address: Address },

    /// There were two events for it.
    #[event(
        from("member.upgraded", upcast(1 => to_premium)),
        from("member.downgraded", upcast(1 => to_basic)),
    )]
    PlanChanged { plan: Plan },

    /// Version 1 did not say when: it was the day on which the event was stored.
    #[event(version = 2, upcast(1 => with_day))]
    Left { day: u64, reason: Option<String> },
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Plan {
    #[default]
    Basic,
    Premium,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    pub cents: u64,
    pub currency: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    pub street: String,
    pub city: String,
}

/// `member.paid` at version 2.
#[derive(Deserialize, Upcast)]
#[upcast(into = MemberEvent)]
pub struct PaidV2 {
    cents: u64,
    currency: String,
}

impl From<PaidV2> for MemberEvent {
    fn from(PaidV2 { cents, currency }: PaidV2) -> Self {
        Self::Paid { amount: Money { cents, currency } }
    }
}

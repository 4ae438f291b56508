//! Members: what they may do at version 4. Nothing here knows of earlier versions.

use cqrs::prelude::*;
use serde::{Deserialize, Serialize};

use crate::events::{MemberEvent, Money, Plan};

/// A member. What they read was of interest to version 1 only.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(
    category = "member",
    events(MemberEvent),
    ignore("member.newsletter_read"),
    error = MemberError,
    snapshot(every = 100),
)]
pub struct Member {
    pub has_joined: bool,
    pub plan: Plan,
    pub paid_cents: u64,
}

impl Apply<MemberEvent> for Member {
    fn apply(&mut self, event: MemberEvent) {
        match event {
            MemberEvent::Joined { plan, .. } => {
                self.has_joined = true;
                self.plan = plan;
            }
            MemberEvent::Paid { amount } => self.paid_cents += amount.cents,
            MemberEvent::AddressChanged { .. } => {}
            MemberEvent::PlanChanged { plan } => self.plan = plan,
            MemberEvent::Left { .. } => self.has_joined = false,
        }
    }
}

/// Why a member can't do something.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    #[error("nobody of this number is a member")]
    NoMember,
    #[error("the plan is {0:?} already")]
    SamePlan(Plan),
}

/// A member pays.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
#[command(aggregate = Member, id = member)]
pub struct Pay {
    pub member: String,
    pub amount: Money,
}

impl Handle<Pay> for Member {
    fn handle(&self, Pay { amount, .. }: Pay) -> Decision<Self> {
        ensure(self.has_joined, MemberError::NoMember)?;
        emit(MemberEvent::Paid { amount })
    }
}

/// A member takes another plan.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
#[command(aggregate = Member, id = member)]
pub struct ChangePlan {
    pub member: String,
    pub plan: Plan,
}

impl Handle<ChangePlan> for Member {
    fn handle(&self, ChangePlan { plan, .. }: ChangePlan) -> Decision<Self> {
        ensure(self.has_joined, MemberError::NoMember)?;
        ensure(self.plan != plan, MemberError::SamePlan(plan))?;
        emit(MemberEvent::PlanChanged { plan })
    }
}

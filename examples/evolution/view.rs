//! A row a member, whichever version of the program their events were written by.

use cqrs::prelude::*;
use cqrs::{BoxError, Received};

use crate::events::{MemberEvent, Plan};

#[derive(Debug, Clone, PartialEq, View)]
#[view(name = "members", key(member), events(MemberEvent))]
pub struct MemberRow {
    pub member: String,
    pub name: String,
    pub city: Option<String>,
    pub is_premium: bool,
    pub paid_cents: i64,
    pub has_left: bool,
}

impl Fold<MemberEvent> for MemberRow {
    fn rows(_: &MemberEvent, received: &Received<'_>) -> impl IntoIterator<Item = String> {
        [received.stream.key().to_owned()]
    }

    fn fold(
        row: &mut Option<Self>,
        member: &String,
        event: &MemberEvent,
        _: &Received<'_>,
    ) -> Result<(), BoxError> {
        let row = row.get_or_insert_with(|| Self {
            member: member.clone(),
            name: String::new(),
            city: None,
            is_premium: false,
            paid_cents: 0,
            has_left: false,
        });
        match event {
            MemberEvent::Joined { given, family, plan } => {
                row.name = format!("{given} {family}");
                row.is_premium = *plan == Plan::Premium;
            }
            MemberEvent::Paid { amount } => row.paid_cents += i64::try_from(amount.cents)?,
            MemberEvent::AddressChanged { address } => row.city = Some(address.city.clone()),
            MemberEvent::PlanChanged { plan } => row.is_premium = *plan == Plan::Premium,
            MemberEvent::Left { .. } => row.has_left = true,
        }
        Ok(())
    }
}

//! The view that catches up with the last events of a large store.

use cqrs::BoxError;
use cqrs::prelude::*;

use crate::write_side::TellerEvent;

/// A row an account.
#[derive(Debug, Clone, PartialEq, View)]
#[view(name = "totals", key(account), events(TellerEvent))]
pub struct Total {
    pub account: String,
    pub cents: i64,
    pub events: i64,
}

impl Fold<TellerEvent> for Total {
    fn rows(_: &TellerEvent, received: &Received<'_>) -> impl IntoIterator<Item = String> {
        [received.stream.key().to_owned()]
    }

    fn fold(
        row: &mut Option<Self>,
        key: &String,
        event: &TellerEvent,
        _: &Received<'_>,
    ) -> Result<(), BoxError> {
        let row = row.get_or_insert_with(|| Self { account: key.clone(), cents: 0, events: 0 });
        row.events += 1;
        match event {
            TellerEvent::Deposited { cents, .. } => row.cents += i64::try_from(*cents)?,
            TellerEvent::Withdrawn { cents } => row.cents -= i64::try_from(*cents)?,
        }
        Ok(())
    }
}

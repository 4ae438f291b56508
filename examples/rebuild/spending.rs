//! What customers spent: a view, and the view it is to become.

use cqrs::prelude::*;
use cqrs::{BoxError, Received};

use crate::customer::Bought;

/// What a customer spent, as version 1 of the view has it.
#[derive(Debug, Clone, PartialEq, View)]
#[view(name = "spending", version = 1, key(customer), events(Bought))]
pub struct Spending {
    pub customer: String,
    pub cents: i64,
}

impl Fold<Bought> for Spending {
    fn rows(_: &Bought, received: &Received<'_>) -> impl IntoIterator<Item = String> {
        Some(received.stream.key().to_owned())
    }

    fn fold(
        row: &mut Option<Self>,
        customer: &String,
        bought: &Bought,
        _: &Received<'_>,
    ) -> Result<(), BoxError> {
        let row = row.get_or_insert(Self { customer: customer.clone(), cents: 0 });
        row.cents += bought.cents;
        Ok(())
    }
}

/// The same view in version 2, which also tells how many things a customer bought, and the most expensive one.
#[derive(Debug, Clone, PartialEq, View)]
#[view(name = "spending", version = 2, key(customer), events(Bought), index(largest))]
pub struct DetailedSpending {
    pub customer: String,
    pub cents: i64,
    pub purchases: u32,
    pub largest: i64,
}

impl Fold<Bought> for DetailedSpending {
    fn rows(_: &Bought, received: &Received<'_>) -> impl IntoIterator<Item = String> {
        Some(received.stream.key().to_owned())
    }

    fn fold(
        row: &mut Option<Self>,
        customer: &String,
        bought: &Bought,
        _: &Received<'_>,
    ) -> Result<(), BoxError> {
        let customer = customer.clone();
        let row = row.get_or_insert(Self { customer, cents: 0, purchases: 0, largest: 0 });
        row.cents += bought.cents;
        row.purchases += 1;
        row.largest = row.largest.max(bought.cents);
        Ok(())
    }
}

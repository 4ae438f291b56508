//! Customers, who buy things.

use cqrs::prelude::*;
use serde::{Deserialize, Serialize};

/// A customer bought something.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(name = "customer.bought")]
pub struct Bought {
    pub cents: i64,
}

/// A customer, who may buy whatever there is.
#[derive(Debug, Default, Aggregate)]
#[aggregate(category = "customer", events(Bought))]
pub struct Customer;

impl Apply<Bought> for Customer {
    fn apply(&mut self, _: Bought) {}
}

/// A customer buys some things.
#[derive(Debug, Clone, Command)]
#[command(aggregate = Customer, id = customer)]
pub struct Buy {
    pub customer: String,
    pub cents: Vec<i64>,
}

impl Handle<Buy> for Customer {
    fn handle(&self, Buy { cents, .. }: Buy) -> Decision<Self> {
        emit(cents.into_iter().map(|cents| Bought { cents }).collect::<Vec<_>>())
    }
}

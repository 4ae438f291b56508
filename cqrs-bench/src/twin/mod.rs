//! What one would write by hand, in plain `sqlx`: the measure of what the framework adds.
//!
//! A batch is read by position from the same table of events, decoded, and taken in one transaction that moves a
//! checkpoint. Nothing is read ahead, nothing is leased, and nobody asks whether the log is complete.

pub mod postgres;
pub mod sqlite;

use std::collections::{BTreeSet, HashMap};

use cqrs::BoxError;

use crate::bank::{self, AccountEvent, Balance};

/// An event as a twin reads it.
struct Read {
    account: String,
    event: AccountEvent,
}

impl Read {
    fn of(account: &str, event_type: &str, payload: &str) -> Result<Self, BoxError> {
        Ok(Self { account: account.to_owned(), event: bank::decode(event_type, payload)? })
    }
}

/// The accounts of a batch, each once.
fn accounts(events: &[Read]) -> Vec<&str> {
    let accounts: BTreeSet<&str> = events.iter().map(|read| &read.account[..]).collect();
    accounts.into_iter().collect()
}

/// Folds a batch into the rows it touches.
fn fold(rows: &mut HashMap<String, Balance>, events: &[Read]) {
    for Read { account, event } in events {
        if let Some(row) = rows.get_mut(account) {
            row.take(event);
        } else {
            let mut row = Balance::none(account);
            row.take(event);
            rows.insert(account.clone(), row);
        }
    }
}

/// How many times each account comes.
fn counts<'a>(accounts: impl Iterator<Item = &'a str>) -> HashMap<&'a str, i64> {
    let mut counts = HashMap::new();
    for account in accounts {
        *counts.entry(account).or_default() += 1;
    }
    counts
}

//! What is in the rows, and what should be.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Debug;

use cqrs::prelude::*;
use cqrs::{EventStore, LogFilter, Position, Rows};

use crate::customer::Bought;
use crate::spending::{DetailedSpending, Spending};
use crate::traffic::customers;

/// Prints a few rows of version 2.
pub async fn show_some(model: &impl Rows<DetailedSpending>) -> Result<(), Box<dyn Error>> {
    for customer in customers().take(3) {
        if let Some(row) = model.row(&customer).await? {
            let DetailedSpending { customer, cents, purchases, largest } = row;
            println!("  {customer} spent {cents} cents on {purchases} things, at most {largest}");
        }
    }
    Ok(())
}

/// Compares the rows that are in service with what the events in the log come to; tells how many there are.
pub async fn rows_follow_from_events<V>(
    store: &impl EventStore,
    model: &impl Rows<V>,
) -> Result<usize, Box<dyn Error>>
where
    V: View<Key = String> + PartialEq + Debug + From<DetailedSpending>,
{
    let mut expected = fold_log(store).await?;
    let rows = expected.len();
    for customer in customers() {
        let row = model.row(&customer).await?;
        let expected = expected.remove(&customer).map(V::from);
        if row != expected {
            return Err(format!("the row is {row:?}, the events come to {expected:?}").into());
        }
    }
    Ok(rows)
}

/// What each customer spent, as the log tells.
async fn fold_log(
    store: &impl EventStore,
) -> Result<BTreeMap<String, DetailedSpending>, Box<dyn Error>> {
    let filter = LogFilter::all().events_of::<Bought>();
    let mut all = BTreeMap::new();
    let mut position = Position::START;
    loop {
        let page = store.read_log(&filter, position, 10_000).await?;
        if page.events.is_empty() {
            return Ok(all);
        }
        for event in &page.events {
            let customer = event.stream.key().to_owned();
            let none =
                DetailedSpending { customer: customer.clone(), cents: 0, purchases: 0, largest: 0 };
            let row = all.entry(customer).or_insert(none);
            for Bought { cents } in Bought::decode(event)? {
                row.cents += cents;
                row.purchases += 1;
                row.largest = row.largest.max(cents);
            }
        }
        position = page.through;
    }
}

/// What version 1 has of it.
impl From<DetailedSpending> for Spending {
    fn from(DetailedSpending { customer, cents, .. }: DetailedSpending) -> Self {
        Self { customer, cents }
    }
}

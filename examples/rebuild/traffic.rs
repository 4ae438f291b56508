//! What goes on in the shop all the time: customers buy, and others ask what they spent.

use std::convert::Infallible;
use std::error::Error;
use std::time::{Duration, Instant};

use cqrs::prelude::*;
use cqrs::{Rows, StoreError};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::customer::Buy;
use crate::spending::Spending;

/// How many customers there are.
const CUSTOMERS: u64 = 100;

/// What a customer is called.
pub fn customer(number: u64) -> String {
    format!("c-{:03}", number % CUSTOMERS)
}

/// All customers.
pub fn customers() -> impl Iterator<Item = String> {
    (0..CUSTOMERS).map(customer)
}

/// The price of the thing with this number: any will do.
fn cents(number: u64) -> i64 {
    100 + (number * 7_919 % 10_000).cast_signed()
}

/// Has customers buy this many things, or a few more.
pub async fn buy_many(bus: &Bus, things: u64) -> Result<(), Box<dyn Error>> {
    const AT_ONCE: u64 = 100;
    for first in (0..things).step_by(100) {
        let cents = (first..first + AT_ONCE).map(cents).collect();
        bus.send(Buy { customer: customer(first / AT_ONCE), cents }).await?;
    }
    Ok(())
}

/// Customers who buy, and others who ask, until they are told to go home.
pub struct Traffic {
    is_open: watch::Sender<bool>,
    buying: JoinHandle<Result<u64, DispatchError<Infallible>>>,
    asking: JoinHandle<Result<Answers, StoreError>>,
}

/// The answers there were.
#[derive(Debug, Default)]
pub struct Answers {
    pub count: u64,
    pub slowest: Duration,
}

impl Traffic {
    pub fn start(bus: &Bus, model: &impl Rows<Spending>) -> Self {
        let is_open = watch::Sender::new(true);
        let buying = tokio::spawn(buy(bus.clone(), is_open.subscribe()));
        let asking = tokio::spawn(ask(model.clone(), is_open.subscribe()));
        Self { is_open, buying, asking }
    }

    /// Ends it; tells how many commands and how many queries there were.
    pub async fn end(self) -> Result<(u64, Answers), Box<dyn Error>> {
        self.is_open.send_replace(false);
        Ok((self.buying.await??, self.asking.await??))
    }
}

/// One customer after another buys one thing.
async fn buy(bus: Bus, is_open: watch::Receiver<bool>) -> Result<u64, DispatchError<Infallible>> {
    let mut sent = 0;
    while *is_open.borrow() {
        bus.send(Buy { customer: customer(sent), cents: vec![cents(sent)] }).await?;
        sent += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(sent)
}

/// Asks for one row after another, from the version that is in service, whichever it is: the columns it needs are in both.
async fn ask(
    model: impl Rows<Spending>,
    is_open: watch::Receiver<bool>,
) -> Result<Answers, StoreError> {
    let mut answers = Answers::default();
    while *is_open.borrow() {
        let began = Instant::now();
        model.row(&customer(answers.count)).await?;
        answers.slowest = answers.slowest.max(began.elapsed());
        answers.count += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(answers)
}

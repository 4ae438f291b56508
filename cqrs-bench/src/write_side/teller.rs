//! The aggregate of the benchmark: an account that takes deposits.

use cqrs::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(prefix = "teller")]
pub enum TellerEvent {
    Deposited { cents: u64, reference: String },
    Withdrawn { cents: u64 },
}

#[derive(Debug, Clone, Default, PartialEq, Aggregate)]
#[aggregate(category = "teller", events(TellerEvent), cache = 10_000)]
pub struct Teller {
    pub cents: u64,
    pub deposits: u64,
}

impl Apply<TellerEvent> for Teller {
    fn apply(&mut self, event: TellerEvent) {
        match event {
            TellerEvent::Deposited { cents, .. } => {
                self.cents += cents;
                self.deposits += 1;
            }
            TellerEvent::Withdrawn { cents } => self.cents -= cents,
        }
    }
}

#[derive(Debug, Clone, Command)]
#[command(aggregate = Teller, id = teller)]
pub struct Deposit {
    pub teller: String,
    pub cents: u64,
}

impl Handle<Deposit> for Teller {
    fn handle(&self, Deposit { cents, .. }: Deposit) -> Decision<Self> {
        emit(TellerEvent::Deposited { cents, reference: "RF18 5390 0754 7034".to_owned() })
    }
}

/// The first deposit, which opens the account.
#[derive(Debug, Clone, Command)]
#[command(aggregate = Teller, id = teller, likely_new)]
pub struct Open {
    pub teller: String,
    pub cents: u64,
}

impl Handle<Open> for Teller {
    fn handle(&self, Open { teller, cents }: Open) -> Decision<Self> {
        self.handle(Deposit { teller, cents })
    }
}

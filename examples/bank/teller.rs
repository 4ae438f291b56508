//! Carries instructions out, one after the other.

use std::error::Error;

use cqrs::prelude::*;
use cqrs::{DispatchContext, Store};

use crate::account::{Account, AccountCommand, AccountError};
use crate::input::{Instruction, Order};
use crate::ledger::Ledger;
use crate::refusal::{Refusal, Refuse};
use crate::transfer::{Transfer, Transfers};
use crate::views::INSTRUCTION;

/// Carries instructions out, each once.
pub struct Teller {
    bus: Bus,
    ledger: Ledger,
}

/// What came of an instruction.
pub enum Outcome {
    /// It was carried out.
    Done,
    /// It was refused, and the refusal is recorded.
    Refused,
    /// It was carried out or refused before.
    DoneBefore,
    /// It can't be carried out as it stands in the input.
    Bad(String),
}

impl Teller {
    /// Opens the bank over this store and finds out what was done before.
    pub async fn new(store: impl Store) -> Result<Self, Box<dyn Error>> {
        let bus = Bus::builder(store)
            .aggregate::<Account>()
            .aggregate::<Refusal>()
            .command_handler(Transfers)
            .build()?;
        let ledger = Ledger::read(&**bus.store()).await?;
        Ok(Self { bus, ledger })
    }

    /// Carries an instruction out, unless that was done before.
    ///
    /// The events carry the id of the instruction, which is also their idempotency key. A refusal is recorded before
    /// the next instruction, so that a run that is killed takes up where it was, whatever the accounts hold by then.
    pub async fn carry_out(&mut self, instruction: Instruction) -> Result<Outcome, Box<dyn Error>> {
        let Instruction { id, order } = instruction;
        if self.ledger.is_done(&id) {
            return Ok(Outcome::DoneBefore);
        }
        let outcome = match self.dispatch(&id, order).await {
            Ok(()) => Outcome::Done,
            Err(DispatchError::Rejected(reason)) => {
                let refuse = Refuse { instruction: id.clone(), reason: reason.to_string() };
                self.bus.send(refuse).await?;
                Outcome::Refused
            }
            Err(DispatchError::Invalid(error)) => return Ok(Outcome::Bad(error.to_string())),
            Err(error) => return Err(error.into()),
        };
        self.ledger.mark_done(id);
        Ok(outcome)
    }

    async fn dispatch(&self, id: &str, order: Order) -> Result<(), DispatchError<AccountError>> {
        let command = match order {
            Order::Open { account, owner } => AccountCommand::Open { account, owner },
            Order::Deposit { account, cents } => {
                AccountCommand::Deposit { account, cents: cents.get() }
            }
            Order::Withdraw { account, cents } => {
                AccountCommand::Withdraw { account, cents: cents.get() }
            }
            Order::Close { account } => AccountCommand::Close { account },
            Order::Transfer { from, to, cents } => {
                let transfer = Transfer { id: id.to_owned(), from, to, cents: cents.get() };
                return self.bus.send(transfer).context(Self::context(id)).await;
            }
        };
        let context = Self::context(id).idempotency_key(id);
        self.bus.send(command).context(context).await.map(|_| ())
    }

    fn context(id: &str) -> DispatchContext {
        DispatchContext::new().actor("teller").extra(INSTRUCTION, id)
    }
}

//! What can be read of the bank: tables that are folded from its events.

use std::time::SystemTime;

use cqrs::prelude::*;
use cqrs::{BoxError, Received};

use crate::account::AccountEvent;
use crate::refusal::Refused;

/// Name of the entry in an event's metadata that tells which instruction led to it.
pub const INSTRUCTION: &str = "instruction";

/// An account: a row of the table `balances`.
#[derive(Debug, Clone, PartialEq, View)]
#[view(name = "balances", key(account), events(AccountEvent), index(owner))]
pub struct Balance {
    pub account: String,
    pub owner: String,
    pub cents: u64,
    pub closed: bool,
}

impl Fold<AccountEvent> for Balance {
    fn rows(_: &AccountEvent, received: &Received<'_>) -> impl IntoIterator<Item = String> {
        Some(received.stream.key().to_owned())
    }

    fn fold(
        row: &mut Option<Self>,
        account: &String,
        event: &AccountEvent,
        _: &Received<'_>,
    ) -> Result<(), BoxError> {
        if let AccountEvent::Opened { owner } = event {
            let (account, owner) = (account.clone(), owner.clone());
            *row = Some(Self { account, owner, cents: 0, closed: false });
            return Ok(());
        }
        let row = row.as_mut().ok_or("the account was never opened")?;
        row.cents =
            row.cents.checked_add_signed(event.change()?).ok_or("the account is overdrawn")?;
        row.closed |= matches!(event, AccountEvent::Closed);
        Ok(())
    }
}

/// Something that happened to an account: a row of the table `statement`.
#[derive(Debug, Clone, PartialEq, View)]
#[view(name = "statement", key(account, number), events(AccountEvent), index(instruction))]
pub struct Movement {
    pub account: String,
    /// Counts what happened to the account, from 1.
    pub number: u64,
    pub kind: String,
    /// What it changed the balance by.
    pub cents: i64,
    pub counterparty: Option<String>,
    pub time: SystemTime,
    pub instruction: Option<String>,
}

impl Fold<AccountEvent> for Movement {
    fn rows(_: &AccountEvent, received: &Received<'_>) -> impl IntoIterator<Item = (String, u64)> {
        Some((received.stream.key().to_owned(), received.version.get()))
    }

    fn fold(
        row: &mut Option<Self>,
        (account, number): &(String, u64),
        event: &AccountEvent,
        received: &Received<'_>,
    ) -> Result<(), BoxError> {
        let (kind, counterparty) = match event {
            AccountEvent::Opened { .. } => ("opened", None),
            AccountEvent::Deposited { .. } => ("deposit", None),
            AccountEvent::Withdrawn { .. } => ("withdrawal", None),
            AccountEvent::TransferSent { to, .. } => ("transfer to", Some(to)),
            AccountEvent::TransferReceived { from, .. } => ("transfer from", Some(from)),
            AccountEvent::TransferReturned { to, .. } => ("not taken by", Some(to)),
            AccountEvent::Closed => ("closed", None),
        };
        *row = Some(Self {
            account: account.clone(),
            number: *number,
            kind: kind.to_owned(),
            cents: event.change()?,
            counterparty: counterparty.cloned(),
            time: received.recorded_at,
            instruction: received.metadata.details.extra.get(INSTRUCTION).cloned(),
        });
        Ok(())
    }
}

/// An instruction that was refused: a row of the table `refusals`.
#[derive(Debug, Clone, PartialEq, View)]
#[view(name = "refusals", key(position), events(Refused))]
pub struct RefusedInstruction {
    /// Where it is in the log.
    pub position: u64,
    pub instruction: String,
    pub reason: String,
}

impl Fold<Refused> for RefusedInstruction {
    fn rows(_: &Refused, received: &Received<'_>) -> impl IntoIterator<Item = u64> {
        Some(received.position.get())
    }

    fn fold(
        row: &mut Option<Self>,
        position: &u64,
        Refused { instruction, reason }: &Refused,
        _: &Received<'_>,
    ) -> Result<(), BoxError> {
        let (instruction, reason) = (instruction.clone(), reason.clone());
        *row = Some(Self { position: *position, instruction, reason });
        Ok(())
    }
}

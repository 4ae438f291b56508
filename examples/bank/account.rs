//! The accounts of the bank, and the record of what it refused.

use std::collections::BTreeSet;
use std::num::TryFromIntError;

use cqrs::prelude::*;
use serde::{Deserialize, Serialize};

/// What happens to an account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(prefix = "account")]
pub enum AccountEvent {
    Opened { owner: String },
    Deposited { cents: u64 },
    Withdrawn { cents: u64 },
    TransferSent { to: String, cents: u64 },
    TransferReceived { from: String, cents: u64 },
    TransferReturned { transfer: String, to: String, cents: u64 },
    Closed,
}

impl AccountEvent {
    /// What it changes the balance by.
    pub fn change(&self) -> Result<i64, TryFromIntError> {
        match self {
            Self::Opened { .. } | Self::Closed => Ok(0),
            Self::Deposited { cents }
            | Self::TransferReceived { cents, .. }
            | Self::TransferReturned { cents, .. } => i64::try_from(*cents),
            Self::Withdrawn { cents } | Self::TransferSent { cents, .. } => {
                i64::try_from(*cents).map(|cents| -cents)
            }
        }
    }
}

/// Why an account refuses a command.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AccountError {
    #[error("the account is open already")]
    AlreadyOpen,
    #[error("there is no such account")]
    NotOpen,
    #[error("the account is closed")]
    Closed,
    #[error("insufficient funds")]
    InsufficientFunds,
    #[error("the account still holds money")]
    NotEmpty,
    #[error("the account would hold more than can be counted")]
    TooMuch,
    #[error("the receiving account does not take it: {0}")]
    Receiver(Box<AccountError>),
    #[error("the receiving account did not take it")]
    CameBack,
}

/// What can be asked of an account.
#[derive(Debug, Clone, Command)]
#[command(aggregate = Account, id = account)]
pub enum AccountCommand {
    #[command(likely_new)]
    Open {
        account: String,
        owner: String,
    },
    Deposit {
        account: String,
        cents: u64,
    },
    Withdraw {
        account: String,
        cents: u64,
    },
    SendTransfer {
        account: String,
        to: String,
        cents: u64,
    },
    ReceiveTransfer {
        account: String,
        from: String,
        cents: u64,
    },
    ReturnTransfer {
        account: String,
        transfer: String,
        to: String,
        cents: u64,
    },
    Close {
        account: String,
    },
}

/// The most an account may hold: what a column of a database counts.
const MOST_CENTS: u64 = i64::MAX as u64;

/// An account as its events left it.
#[derive(Debug, Default, Aggregate)]
#[aggregate(category = "account", events(AccountEvent), error = AccountError)]
pub struct Account {
    status: Status,
    cents: u64,
    /// Transfers that came back.
    returned: BTreeSet<String>,
}

#[derive(Debug, Default)]
enum Status {
    #[default]
    Missing,
    Open,
    Closed,
}

impl Apply<AccountEvent> for Account {
    fn apply(&mut self, event: AccountEvent) {
        match event {
            AccountEvent::Opened { .. } => self.status = Status::Open,
            AccountEvent::Deposited { cents } | AccountEvent::TransferReceived { cents, .. } => {
                self.cents += cents;
            }
            AccountEvent::TransferReturned { transfer, cents, .. } => {
                self.cents += cents;
                self.returned.insert(transfer);
            }
            AccountEvent::Withdrawn { cents } | AccountEvent::TransferSent { cents, .. } => {
                self.cents -= cents;
            }
            AccountEvent::Closed => self.status = Status::Closed,
        }
    }
}

impl Handle<AccountCommand> for Account {
    fn handle(&self, command: AccountCommand) -> Decision<Self> {
        use AccountCommand as Command;
        match (&self.status, command) {
            (Status::Missing, Command::Open { owner, .. }) => emit(AccountEvent::Opened { owner }),
            (_, Command::Open { .. }) => Err(AccountError::AlreadyOpen),
            (Status::Missing, _) => Err(AccountError::NotOpen),
            // What was sent comes back even to an account closed since.
            (_, Command::ReturnTransfer { transfer, to, cents, .. }) => {
                self.holds_also(cents)?;
                emit(AccountEvent::TransferReturned { transfer, to, cents })
            }
            (Status::Closed, _) => Err(AccountError::Closed),
            (Status::Open, Command::Deposit { cents, .. }) => {
                self.holds_also(cents)?;
                emit(AccountEvent::Deposited { cents })
            }
            (Status::Open, Command::ReceiveTransfer { from, cents, .. }) => {
                self.holds_also(cents)?;
                emit(AccountEvent::TransferReceived { from, cents })
            }
            (Status::Open, Command::Withdraw { cents, .. }) => {
                self.can_spend(cents)?;
                emit(AccountEvent::Withdrawn { cents })
            }
            (Status::Open, Command::SendTransfer { to, cents, .. }) => {
                self.can_spend(cents)?;
                emit(AccountEvent::TransferSent { to, cents })
            }
            (Status::Open, Command::Close { .. }) => {
                ensure(self.cents == 0, AccountError::NotEmpty)?;
                emit(AccountEvent::Closed)
            }
        }
    }
}

impl Account {
    /// Whether the money of this transfer has come back.
    pub fn has_back(&self, transfer: &str) -> bool {
        self.returned.contains(transfer)
    }

    fn can_spend(&self, cents: u64) -> Result<(), AccountError> {
        ensure(cents <= self.cents, AccountError::InsufficientFunds)
    }

    fn holds_also(&self, cents: u64) -> Result<(), AccountError> {
        let sum = self.cents.checked_add(cents);
        ensure(sum.is_some_and(|sum| sum <= MOST_CENTS), AccountError::TooMuch)
    }
}

#[cfg(test)]
mod tests {
    use cqrs_testkit::given;

    use super::*;

    fn opened() -> AccountEvent {
        AccountEvent::Opened { owner: "Ada".into() }
    }

    #[test]
    fn an_account_is_opened_once() {
        let open = AccountCommand::Open { account: "1".into(), owner: "Ada".into() };
        given(()).when(open.clone()).then([opened()]);
        given(opened()).when(open).then_err(AccountError::AlreadyOpen);
    }

    #[test]
    fn an_account_is_never_overdrawn() {
        let send =
            |cents| AccountCommand::SendTransfer { account: "1".into(), to: "2".into(), cents };
        let history = || [opened(), AccountEvent::Deposited { cents: 300 }];
        given(history()).when(send(301)).then_err(AccountError::InsufficientFunds);
        given(history())
            .when(send(300))
            .then([AccountEvent::TransferSent { to: "2".into(), cents: 300 }]);
    }

    #[test]
    fn an_account_holds_no_more_than_can_be_counted() {
        let deposit = |cents| AccountCommand::Deposit { account: "1".into(), cents };
        let history = || [opened(), AccountEvent::Deposited { cents: 300 }];
        given(history()).when(deposit(MOST_CENTS - 299)).then_err(AccountError::TooMuch);
        given(history()).when(deposit(u64::MAX)).then_err(AccountError::TooMuch);
        let cents = MOST_CENTS - 300;
        given(history()).when(deposit(cents)).then([AccountEvent::Deposited { cents }]);
    }

    #[test]
    fn a_closed_account_takes_only_what_comes_back() {
        let history = || [opened(), AccountEvent::Closed];
        let account = String::from("1");
        given(history())
            .when(AccountCommand::Deposit { account: account.clone(), cents: 1 })
            .then_err(AccountError::Closed);
        given(history())
            .when(AccountCommand::ReturnTransfer {
                account,
                transfer: "t".into(),
                to: "2".into(),
                cents: 5,
            })
            .then([AccountEvent::TransferReturned {
                transfer: "t".into(),
                to: "2".into(),
                cents: 5,
            }]);
    }
}

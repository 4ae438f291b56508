//! A bank account, complete: events, commands, decisions, a query, the wiring and a test.
//!
//! ```sh
//! cargo run --example account
//! ```

use cqrs::SqliteStore;
use cqrs::prelude::*;
use serde::{Deserialize, Serialize};

use AccountCommand::{Deposit, Open, Withdraw};
use AccountEvent::{Deposited, Opened, Withdrawn};

// domain: begin
#[derive(Debug, Serialize, Deserialize, Event)]
#[event(prefix = "account")]
enum AccountEvent {
    Opened { owner: String },
    Deposited { cents: u64 },
    Withdrawn { cents: u64 },
}

#[derive(Debug, PartialEq, thiserror::Error)]
enum AccountError {
    #[error("the account is open already")]
    AlreadyOpen,
    #[error("there is no such account")]
    NotOpen,
    #[error("only {available} cents are available")]
    InsufficientFunds { available: u128 },
}

#[derive(Debug, Clone, Command)]
#[command(aggregate = Account, id = account)]
enum AccountCommand {
    Open { account: u32, owner: String },
    Deposit { account: u32, cents: u64 },
    Withdraw { account: u32, cents: u64 },
}

#[derive(Debug, Default, Aggregate)]
#[aggregate(category = "account", events(AccountEvent), error = AccountError)]
struct Account {
    owner: Option<String>,
    cents: u128,
}

impl Apply<AccountEvent> for Account {
    fn apply(&mut self, event: AccountEvent) {
        match event {
            Opened { owner } => self.owner = Some(owner),
            Deposited { cents } => self.cents += u128::from(cents),
            Withdrawn { cents } => self.cents -= u128::from(cents),
        }
    }
}

impl Handle<AccountCommand> for Account {
    fn handle(&self, command: AccountCommand) -> Decision<Self> {
        match command {
            Open { .. } if self.owner.is_some() => Err(AccountError::AlreadyOpen),
            Open { owner, .. } => emit(Opened { owner }),
            _ if self.owner.is_none() => Err(AccountError::NotOpen),
            Deposit { cents, .. } => emit(Deposited { cents }),
            Withdraw { cents, .. } if u128::from(cents) > self.cents => {
                Err(AccountError::InsufficientFunds { available: self.cents })
            }
            Withdraw { cents, .. } => emit(Withdrawn { cents }),
        }
    }
}
// domain: end

#[derive(Debug, Clone, Query)]
#[query(output = u128, error = cqrs::LoadError)]
struct Balance {
    account: u32,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = SqliteStore::in_memory().await?;
    let accounts = cqrs::Repository::new(store.clone());
    let bus = Bus::builder(store)
        .aggregate::<Account>()
        .query_handler(move |query: Balance| {
            let accounts = accounts.clone();
            async move {
                let account = accounts.load::<Account>(&query.account.to_string()).await?;
                Ok(account.state.cents)
            }
        })
        .build()?;

    bus.send(Open { account: 1, owner: "Ada".into() }).await?;
    bus.send(Deposit { account: 1, cents: 300 }).await?;
    if let Err(refused) = bus.send(Withdraw { account: 1, cents: 500 }).await {
        println!("refused: {refused}");
    }
    println!("balance: {} cents", bus.ask(Balance { account: 1 }).await?);
    Ok(())
}

#[test]
fn an_account_can_not_be_overdrawn() {
    cqrs_testkit::given([Opened { owner: "Ada".into() }, Deposited { cents: 300 }])
        .when(Withdraw { account: 1, cents: 500 })
        .then_err(AccountError::InsufficientFunds { available: 300 });
}

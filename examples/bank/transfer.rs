//! Transfers: a command that spans two accounts.

use cqrs::LoadError;
use cqrs::prelude::*;

use crate::account::{Account, AccountCommand, AccountError};

/// Moves money from one account to another.
#[derive(Debug, Clone, Command)]
#[command(error = AccountError)]
pub struct Transfer {
    /// Names the transfer; sent again with the same id, it goes on where it was interrupted.
    pub id: String,
    pub from: String,
    pub to: String,
    pub cents: u64,
}

/// Carries transfers out step by step. Each step is idempotent under the transfer's id, so that after a crash the
/// whole transfer is simply sent again.
pub struct Transfers;

impl CommandHandler<Transfer> for Transfers {
    const IDEMPOTENT: bool = true;

    async fn handle(
        &self,
        transfer: Transfer,
        context: &CommandContext,
    ) -> Result<(), DispatchError<AccountError>> {
        let Transfer { id, from, to, cents } = transfer;
        let send = |command| context.send(command).idempotency_key(id.as_str());

        let (account, other) = (from.clone(), to.clone());
        send(AccountCommand::SendTransfer { account, to: other, cents }).await?;

        // The receiver may take now what it did not take when this was tried before: the money is back already.
        let sender = context.load::<Account>(&from).await.map_err(LoadError::into_dispatch)?;
        ensure(!sender.state.has_back(&id), AccountError::CameBack)?;

        let (account, other) = (to.clone(), from.clone());
        let received = send(AccountCommand::ReceiveTransfer { account, from: other, cents }).await;
        let refused = match received {
            Err(DispatchError::Rejected(reason)) => {
                DispatchError::Rejected(AccountError::Receiver(Box::new(reason)))
            }
            Err(error @ DispatchError::Invalid(_)) => error,
            received => return received.map(|_| ()),
        };
        let transfer = id.clone();
        send(AccountCommand::ReturnTransfer { account: from, transfer, to, cents }).await?;
        Err(refused)
    }
}

//! What the processes do under faults: money in two pockets of wallets, which are cached, and of vaults, which have
//! snapshots. Events tell which operation they are part of and the state it was decided in, so that each can be checked
//! by itself.

use cqrs::prelude::*;
use serde::{Deserialize, Serialize};

use crate::history::now;
use crate::random::Random;

/// The state of a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purse {
    /// Money in one pocket, never below zero.
    pub left: i64,
    /// Money in the other.
    pub right: i64,
    /// How many events have led here.
    pub events: u64,
}

impl Purse {
    /// The state after an event with these changes.
    #[must_use]
    pub fn after(self, left: i64, right: i64) -> Self {
        Self { left: self.left + left, right: self.right + right, events: self.events + 1 }
    }
}

/// Which operation an event is part of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The operation; it has one effect, however often it is tried.
    pub op: String,
    /// Which of its events this is, from 0.
    pub part: u32,
    /// How many events it has in the stream.
    pub parts: u32,
    /// The state in which it was decided on.
    pub seen: Purse,
}

/// What happens to a purse.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(prefix = "purse")]
pub enum PurseEvent {
    /// Money comes.
    Added {
        /// The operation.
        mark: Mark,
        /// What the pockets change by.
        left: i64,
        /// See `left`.
        right: i64,
    },
    /// Money goes.
    Taken {
        /// The operation.
        mark: Mark,
        /// What the pockets change by.
        left: i64,
        /// See `left`.
        right: i64,
    },
    /// No money moves, and what follows the log fails on it until it is mended.
    Spoiled {
        /// The operation.
        mark: Mark,
    },
}

impl PurseEvent {
    /// The operation and the changes of the pockets.
    pub fn parts(&self) -> (&Mark, i64, i64) {
        match self {
            Self::Added { mark, left, right } | Self::Taken { mark, left, right } => {
                (mark, *left, *right)
            }
            Self::Spoiled { mark } => (mark, 0, 0),
        }
    }
}

/// What is wanted of a purse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Money comes from outside, in so many events.
    Deposit {
        /// How much in each event.
        cents: i64,
        /// How many events.
        parts: u32,
    },
    /// Money leaves from the left pocket.
    Withdraw {
        /// How much.
        cents: i64,
    },
    /// Money goes from the left pocket to the right one, or back where there is more: two events that are stored both
    /// or not at all.
    Shift {
        /// How much.
        cents: i64,
    },
    /// An event is stored that readers can't take.
    Spoil,
}

/// There is not enough money.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("there is not enough: {} and {} after {} events", .seen.left, .seen.right, .seen.events)]
pub struct Short {
    /// The state in which the order was refused.
    pub seen: Purse,
}

impl Purse {
    /// What an order leads to.
    pub(crate) fn decide(self, op: &str, order: Order) -> Result<Vec<PurseEvent>, Short> {
        let mark = |part: u32, parts: u32| Mark { op: op.to_owned(), part, parts, seen: self };
        let added = |mark, left, right| PurseEvent::Added { mark, left, right };
        let taken = |mark, left, right| PurseEvent::Taken { mark, left, right };
        let has = |enough: bool| ensure(enough, Short { seen: self });
        Ok(match order {
            Order::Deposit { cents, parts } => {
                (0..parts).map(|part| added(mark(part, parts), cents, 0)).collect()
            }
            Order::Withdraw { cents } => {
                has(self.left >= cents)?;
                vec![taken(mark(0, 1), -cents, 0)]
            }
            Order::Shift { cents } if self.left >= self.right => {
                has(self.left >= cents)?;
                vec![taken(mark(0, 2), -cents, 0), added(mark(1, 2), 0, cents)]
            }
            Order::Shift { cents } => {
                has(self.right >= cents)?;
                vec![taken(mark(0, 2), 0, -cents), added(mark(1, 2), cents, 0)]
            }
            Order::Spoil => vec![PurseEvent::Spoiled { mark: mark(0, 1) }],
        })
    }

    fn apply(&mut self, event: &PurseEvent) {
        let (_, left, right) = event.parts();
        *self = self.after(left, right);
    }
}

/// A purse that is kept in memory.
#[derive(Debug, Default, Clone, Aggregate)]
#[aggregate(category = "wallet", events(PurseEvent), error = Short, cache = 1000)]
pub struct Wallet(pub Purse);

/// A purse of which there are snapshots.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(category = "vault", events(PurseEvent), error = Short, snapshot(every = 20))]
pub struct Vault(pub Purse);

/// An order to a wallet, which is taken to be new where it is not kept in memory, most often wrongly.
#[derive(Debug, Clone, Command)]
#[command(aggregate = Wallet, id = key, likely_new)]
pub struct ToWallet {
    /// The key of the wallet.
    pub key: String,
    /// The operation.
    pub op: String,
    /// What is wanted.
    pub order: Order,
}

/// An order to a vault.
#[derive(Debug, Clone, Command)]
#[command(aggregate = Vault, id = key)]
pub struct ToVault {
    /// The key of the vault.
    pub key: String,
    /// The operation.
    pub op: String,
    /// What is wanted.
    pub order: Order,
}

impl Apply<PurseEvent> for Wallet {
    fn apply(&mut self, event: PurseEvent) {
        self.0.apply(&event);
    }
}

impl Apply<PurseEvent> for Vault {
    fn apply(&mut self, event: PurseEvent) {
        self.0.apply(&event);
    }
}

impl Handle<ToWallet> for Wallet {
    fn handle(&self, ToWallet { op, order, .. }: ToWallet) -> Decision<Self> {
        emit(self.0.decide(&op, order)?)
    }
}

impl Handle<ToVault> for Vault {
    fn handle(&self, ToVault { op, order, .. }: ToVault) -> Decision<Self> {
        emit(self.0.decide(&op, order)?)
    }
}

/// The name of a stream, as it stands in histories: `wallet/3`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// Whether it is a wallet, or else a vault.
    pub is_wallet: bool,
    /// Its key.
    pub key: String,
}

impl Place {
    /// One of those that are in use now, some time after the beginning in milliseconds since 1970. All processes use
    /// the same ones.
    pub fn in_use(began: u64, random: &mut Random) -> Self {
        /// Purses of a kind that are in use at the same time.
        const PURSES: u64 = 8;
        /// For how long, so that streams do not become long in long rounds.
        const GENERATION: u64 = 20_000;
        let generation = now().saturating_sub(began) / GENERATION;
        let is_wallet = random.percent(50);
        Self { is_wallet, key: format!("{generation}-{}", random.below(PURSES)) }
    }

    /// The category of the stream.
    pub fn category(&self) -> &'static str {
        if self.is_wallet { Wallet::CATEGORY } else { Vault::CATEGORY }
    }

    /// The stream, as text.
    pub fn stream(&self) -> String {
        format!("{}/{}", self.category(), self.key)
    }
}

/// Moves money from one purse to another, in two steps.
#[derive(Debug, Clone, Command)]
#[command(error = Short)]
pub struct Transfer {
    /// The operation; its steps are operations of their own, see [`Transfer::steps`].
    pub op: String,
    /// Where the money comes from.
    pub from: Place,
    /// Where it goes.
    pub to: Place,
    /// How much.
    pub cents: i64,
}

impl Transfer {
    /// The operations on the purse that the money comes from, and on the one it goes to.
    pub fn steps(op: &str) -> [String; 2] {
        [format!("{op}/out"), format!("{op}/in")]
    }
}

/// Carries transfers out. Each step has a key, so that a transfer is sent again until it is done.
#[derive(Debug, Clone, Copy)]
pub struct Transfers;

impl CommandHandler<Transfer> for Transfers {
    const IDEMPOTENT: bool = true;

    async fn handle(
        &self,
        Transfer { op, from, to, cents }: Transfer,
        context: &CommandContext,
    ) -> Result<(), DispatchError<Short>> {
        let [out, into] = Transfer::steps(&op);
        step(context, from, out, Order::Withdraw { cents }).await?;
        step(context, to, into, Order::Deposit { cents, parts: 1 }).await
    }
}

async fn step(
    context: &CommandContext,
    Place { is_wallet, key }: Place,
    op: String,
    order: Order,
) -> Result<(), DispatchError<Short>> {
    let step = context.step_key(&op);
    if is_wallet {
        context.send(ToWallet { key, op, order }).idempotency_key(step).await?;
    } else {
        context.send(ToVault { key, op, order }).idempotency_key(step).await?;
    }
    Ok(())
}

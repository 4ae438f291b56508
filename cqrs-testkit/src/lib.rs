//! Tests for what is built with `cqrs`: aggregates, what reacts to a failing store, and stores themselves.
//!
//! # Aggregates: given, when, then
//!
//! [`given`] events have happened, [`when`](Given::when) a command comes, [`then`](Decided::then) these events happen:
//!
//! ```
//! # mod domain {
//! #     use cqrs_core::{*, __private as codec};
//! #     #[derive(serde::Serialize, serde::Deserialize)]
//! #     pub enum AccountEvent { Opened { owner: String }, Deposited { cents: u64 }, Withdrawn { cents: u64 } }
//! #     impl Event for AccountEvent {
//! #         const TYPES: &'static [EventType] = &[
//! #             EventType::new("account.opened", 1),
//! #             EventType::new("account.deposited", 1),
//! #             EventType::new("account.withdrawn", 1),
//! #         ];
//! #         fn event_type(&self) -> EventType {
//! #             Self::TYPES[match self { Self::Opened { .. } => 0, Self::Deposited { .. } => 1, Self::Withdrawn { .. } => 2 }]
//! #         }
//! #         fn encode(&self) -> Result<Payload, EncodeError> { codec::encode_variant(self) }
//! #         fn decode(event: &RecordedEvent) -> Result<Decoded<Self>, DecodeError> { codec::decode_variant(event, &[]) }
//! #     }
//! #     #[derive(Debug, Default)]
//! #     pub struct Account { pub cents: u64 }
//! #     impl Aggregate for Account {
//! #         const CATEGORY: &'static str = "account";
//! #         type Event = AccountEvent;
//! #         type Error = AccountError;
//! #         fn dispatch(&mut self, event: AccountEvent) {
//! #             match event {
//! #                 AccountEvent::Opened { .. } => {}
//! #                 AccountEvent::Deposited { cents } => self.cents += cents,
//! #                 AccountEvent::Withdrawn { cents } => self.cents -= cents,
//! #             }
//! #         }
//! #     }
//! #     #[derive(Debug, PartialEq, thiserror::Error)]
//! #     pub enum AccountError { #[error("only {available} cents are there")] InsufficientFunds { available: u64 } }
//! #     #[derive(Clone)]
//! #     pub struct Withdraw { pub account: u32, pub cents: u64 }
//! #     impl Command for Withdraw {
//! #         const NAME: &'static str = "Withdraw";
//! #         type Outcome = Committed;
//! #         type Error = AccountError;
//! #         type Route = codec::ToAggregate;
//! #     }
//! #     impl AggregateCommand for Withdraw {
//! #         type Aggregate = Account;
//! #         fn stream_key(&self) -> impl StreamKey + '_ { self.account }
//! #     }
//! #     impl Handle<Withdraw> for Account {
//! #         fn handle(&self, Withdraw { cents, .. }: Withdraw) -> Decision<Self> {
//! #             let available = self.cents;
//! #             ensure(available >= cents, AccountError::InsufficientFunds { available })?;
//! #             emit(AccountEvent::Withdrawn { cents })
//! #         }
//! #     }
//! # }
//! # use domain::{AccountError, Withdraw, AccountEvent::*};
//! use cqrs_testkit::given;
//!
//! let history = || [Opened { owner: "Ada".into() }, Deposited { cents: 300 }];
//!
//! given(history())
//!     .when(Withdraw { account: 1, cents: 200 })
//!     .then([Withdrawn { cents: 200 }])
//!     .then_state(|account| assert_eq!(account.cents, 100));
//!
//! given(history())
//!     .when(Withdraw { account: 1, cents: 500 })
//!     .then_err(AccountError::InsufficientFunds { available: 300 });
//! ```
//!
//! # Events of earlier versions
//!
//! [`stored`] is an event as an earlier program has stored it: it [`becomes`](Stored::becomes) these events.
//! [`check_lock`] fails when the stored form of an event changes without a new version, [`check_samples`] when an event that
//! was once stored can no longer be read.
//!
//! # Views and projections
//!
//! [`projections`] has tests of folds as functions, runs handlers over given events, and checks that the rows are right
//! whatever happens: commits that fail, crashes, rebuilds.
//!
//! # A store that fails
//!
//! [`FaultyStore`] stands before any store and fails when it is told to: with conflicts, before it stored, after it
//! stored. [`ManualClock`] stands still until it is moved.
//!
//! # Stores
//!
//! [`conformance`] is the suite that every store passes: one line in the tests of a store runs it. [`read_model`] is
//! that of read models.

mod clock;
pub mod conformance;
mod faulty;
mod given;
mod lock;
pub mod projections;
pub mod read_model;
mod stored;

pub use self::clock::ManualClock;
pub use self::faulty::FaultyStore;
pub use self::given::{Decided, Given, given};
pub use self::lock::{
    LockError, Mode, Samples, SamplesError, check_lock, check_samples, record_samples, verify_lock,
};
pub use self::stored::{Stored, stored};

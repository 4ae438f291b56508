//! A view and projections of accounts, right ones and broken ones, as the derives would write them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use cqrs_core::__private::{decode_variant, encode_variant};
use cqrs_core::{
    BoxError, Column as _, ColumnError, ColumnInfo, ColumnType, DecodeError, Decoded, EncodeError,
    Event, EventType, MemoryModel, Payload, Projection, Received, RecordedEvent, Table,
    Transaction, Value, View,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(super) enum AccountEvent {
    Opened { owner: String },
    Deposited { cents: u64 },
    Moved { cents: u64, to: String },
    Closed,
    Refused,
}

pub(super) use AccountEvent::{Closed, Deposited, Moved, Opened, Refused};

impl Event for AccountEvent {
    const TYPES: &'static [EventType] = &[
        EventType::new("account.opened", 1),
        EventType::new("account.deposited", 1),
        EventType::new("account.moved", 1),
        EventType::new("account.closed", 1),
        EventType::new("account.refused", 1),
    ];

    fn event_type(&self) -> EventType {
        Self::TYPES[match self {
            Self::Opened { .. } => 0,
            Self::Deposited { .. } => 1,
            Self::Moved { .. } => 2,
            Self::Closed => 3,
            Self::Refused => 4,
        }]
    }

    fn encode(&self) -> Result<Payload, EncodeError> {
        encode_variant(self)
    }

    fn decode(event: &RecordedEvent) -> Result<Decoded<Self>, DecodeError> {
        decode_variant(event, &[])
    }
}

/// Of no interest to anybody.
#[derive(Serialize, Deserialize)]
pub(super) enum OtherEvent {
    Happened,
}

impl Event for OtherEvent {
    const TYPES: &'static [EventType] = &[EventType::new("other.happened", 1)];

    fn event_type(&self) -> EventType {
        Self::TYPES[0]
    }

    fn encode(&self) -> Result<Payload, EncodeError> {
        encode_variant(self)
    }

    fn decode(event: &RecordedEvent) -> Result<Decoded<Self>, DecodeError> {
        decode_variant(event, &[])
    }
}

const ROW: &[ColumnInfo] = &[
    ColumnInfo { name: "account", column_type: ColumnType::Text, nullable: false },
    ColumnInfo { name: "owner", column_type: ColumnType::Text, nullable: true },
    ColumnInfo { name: "cents", column_type: ColumnType::Integer, nullable: false },
];

macro_rules! view {
    ($view:ident, $name:literal) => {
        #[derive(Debug, Clone, PartialEq)]
        pub(super) struct $view {
            pub(super) account: String,
            pub(super) owner: Option<String>,
            pub(super) cents: u64,
        }

        impl View for $view {
            const NAME: &'static str = $name;
            const VERSION: u32 = 1;
            const TABLE: Table = Table { name: $name, columns: ROW, key: &[0], indexes: &[] };
            type Event = AccountEvent;
            type Key = String;

            fn key(&self) -> String {
                self.account.clone()
            }

            fn touched(event: &AccountEvent, received: &Received<'_>) -> Vec<String> {
                Self::rows(event, received)
            }

            fn fold(
                row: &mut Option<Self>,
                account: &String,
                event: &AccountEvent,
                received: &Received<'_>,
            ) -> Result<(), BoxError> {
                Self::change(row, account, event, received)
            }

            fn values(&self) -> Result<Vec<Value<'_>>, ColumnError> {
                Ok(vec![
                    self.account.to_value()?,
                    self.owner.to_value()?,
                    self.cents.to_value().map_err(|error| error.of("cents"))?,
                ])
            }

            fn from_values(values: Vec<Value<'_>>) -> Result<Self, ColumnError> {
                let [account, owner, cents]: [Value<'_>; 3] = values.try_into().unwrap();
                Ok(Self {
                    account: String::from_value(account)?,
                    owner: Option::from_value(owner)?,
                    cents: u64::from_value(cents)?,
                })
            }

            fn key_values(key: &String) -> Result<Vec<Value<'_>>, ColumnError> {
                Ok(vec![key.to_value()?])
            }
        }
    };
}

view!(Balance, "balances");
view!(LastTouched, "last_touched");

impl Balance {
    pub(super) fn of(account: &str, owner: Option<&str>, cents: u64) -> Self {
        Self { account: account.to_owned(), owner: owner.map(ToOwned::to_owned), cents }
    }

    fn rows(event: &AccountEvent, received: &Received<'_>) -> Vec<String> {
        let own = received.stream.key().to_owned();
        match event {
            // Named twice where an account moves money to itself.
            Moved { to, .. } => vec![own, to.clone()],
            _ => vec![own],
        }
    }

    fn change(
        row: &mut Option<Self>,
        account: &str,
        event: &AccountEvent,
        received: &Received<'_>,
    ) -> Result<(), BoxError> {
        let balance = row.get_or_insert(Self::of(account, None, 0));
        match event {
            Opened { owner } => balance.owner = Some(owner.clone()),
            Deposited { cents } => balance.cents += cents,
            Moved { cents, to } if to == account => {
                balance.cents += cents;
                if received.stream.key() == account {
                    balance.cents -= cents;
                }
            }
            Moved { cents, .. } => {
                let less = balance.cents.checked_sub(*cents);
                balance.cents = less.ok_or("there is not enough to move")?;
            }
            Closed => *row = None,
            Refused => "another".clone_into(&mut balance.account),
        }
        Ok(())
    }
}

/// Broken: what is in the row depends on the order of events in different streams.
impl LastTouched {
    fn rows(_: &AccountEvent, _: &Received<'_>) -> Vec<String> {
        vec!["last".to_owned()]
    }

    #[allow(clippy::unnecessary_wraps, reason = "as views have it")]
    fn change(
        row: &mut Option<Self>,
        account: &str,
        _: &AccountEvent,
        received: &Received<'_>,
    ) -> Result<(), BoxError> {
        let owner = Some(received.stream.key().to_owned());
        *row = Some(Self { account: account.to_owned(), owner, cents: 0 });
        Ok(())
    }
}

pub(super) type Totals = BTreeMap<String, u64>;

macro_rules! projection {
    ($projection:ty, $tables:literal) => {
        impl Projection for $projection {
            const NAME: &'static str = "totals";
            const VERSION: u32 = 1;
            const TABLES: &'static str = $tables;
            type Event = AccountEvent;
            type Model = MemoryModel<Totals>;

            async fn dispatch(
                &self,
                event: AccountEvent,
                received: &Received<'_>,
                transaction: &mut Transaction<Self>,
            ) -> Result<(), BoxError> {
                // A handler that waits for something.
                tokio::task::yield_now().await;
                match event {
                    Deposited { cents } => {
                        self.add(cents, received, &mut transaction.value);
                        Ok(())
                    }
                    Refused => Err("it is refused".into()),
                    _ => Ok(()),
                }
            }
        }
    };
}

fn key(received: &Received<'_>) -> String {
    received.stream.key().to_owned()
}

/// What was paid into each account.
pub(super) struct Total;

projection!(Total, "");

/// The same, with tables of its own.
pub(super) struct OwnTotal;

projection!(OwnTotal, "totals");

impl Total {
    #[allow(clippy::unused_self, reason = "as the others have it")]
    fn add(&self, cents: u64, received: &Received<'_>, totals: &mut Totals) {
        *totals.entry(key(received)).or_default() += cents;
    }
}

impl OwnTotal {
    #[allow(clippy::unused_self, reason = "as the others have it")]
    fn add(&self, cents: u64, received: &Received<'_>, totals: &mut Totals) {
        *totals.entry(key(received)).or_default() += cents;
    }
}

/// Broken: it counts outside of the transaction.
#[derive(Default)]
pub(super) struct CountsOutside(AtomicU64);

projection!(CountsOutside, "");

impl CountsOutside {
    fn add(&self, cents: u64, _: &Received<'_>, totals: &mut Totals) {
        let all = self.0.fetch_add(cents, Ordering::Relaxed) + cents;
        totals.insert("all".to_owned(), all);
    }
}

/// Broken: it counts in what all runs of the program share.
pub(super) struct CountsInStatic;

projection!(CountsInStatic, "");

impl CountsInStatic {
    #[allow(clippy::unused_self, reason = "as the others have it")]
    fn add(&self, _: u64, _: &Received<'_>, totals: &mut Totals) {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        totals.insert("all".to_owned(), COUNT.fetch_add(1, Ordering::Relaxed) + 1);
    }
}

/// Broken: it reads what is committed, which the transaction is ahead of.
pub(super) struct ReadsOutside(pub(super) MemoryModel<Totals>);

projection!(ReadsOutside, "");

impl ReadsOutside {
    fn add(&self, cents: u64, received: &Received<'_>, totals: &mut Totals) {
        let key = key(received);
        let before = self.0.read(|totals| totals.get(&key).copied().unwrap_or(0));
        totals.insert(key, before + cents);
    }
}

/// Broken: it takes what is replayed for something else.
pub(super) struct SkipsReplays;

projection!(SkipsReplays, "");

impl SkipsReplays {
    #[allow(clippy::unused_self, reason = "as the others have it")]
    fn add(&self, cents: u64, received: &Received<'_>, totals: &mut Totals) {
        if !received.is_replay() {
            *totals.entry(key(received)).or_default() += cents;
        }
    }
}

/// Broken: it remembers which events it has seen in which read model, and does not take them again.
pub(super) struct RemembersEvents(pub(super) Arc<Mutex<BTreeSet<(u64, u64)>>>);

projection!(RemembersEvents, "totals");

impl RemembersEvents {
    fn add(&self, cents: u64, received: &Received<'_>, totals: &mut Totals) {
        let event = (totals[MODEL], received.position.get());
        if self.0.lock().unwrap().insert(event) {
            *totals.entry(key(received)).or_default() += cents;
        }
    }
}

/// What tells read models apart.
pub(super) const MODEL: &str = "model";

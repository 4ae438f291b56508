// What the examples in the documentation are about, as the derives would write it.

use cqrs_core::{__private as codec, *};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub enum AccountEvent {
    Opened { owner: String },
    Deposited { cents: u64 },
    Closed,
}

impl Event for AccountEvent {
    const TYPES: &'static [EventType] = &[
        EventType::new("account.opened", 1),
        EventType::new("account.deposited", 1),
        EventType::new("account.closed", 1),
    ];

    fn event_type(&self) -> EventType {
        Self::TYPES[match self {
            Self::Opened { .. } => 0,
            Self::Deposited { .. } => 1,
            Self::Closed => 2,
        }]
    }

    fn encode(&self) -> Result<Payload, EncodeError> {
        codec::encode_variant(self)
    }

    fn decode(event: &RecordedEvent) -> Result<Decoded<Self>, DecodeError> {
        codec::decode_variant(event, &[])
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Balance {
    pub account: String,
    pub owner: String,
    pub cents: u64,
}

impl View for Balance {
    const NAME: &'static str = "balances";
    const VERSION: u32 = 1;
    const TABLE: Table = Table {
        name: "balances",
        columns: &[
            ColumnInfo { name: "account", column_type: ColumnType::Text, nullable: false },
            ColumnInfo { name: "owner", column_type: ColumnType::Text, nullable: false },
            ColumnInfo { name: "cents", column_type: ColumnType::Integer, nullable: false },
        ],
        key: &[0],
        indexes: &[],
    };
    type Event = AccountEvent;
    type Key = String;

    fn key(&self) -> String {
        self.account.clone()
    }

    fn touched(_: &AccountEvent, received: &Received<'_>) -> Vec<String> {
        vec![received.stream.key().to_owned()]
    }

    fn fold(
        row: &mut Option<Self>,
        account: &String,
        event: &AccountEvent,
        _: &Received<'_>,
    ) -> Result<(), BoxError> {
        let (account, owner) = (account.clone(), String::new());
        let balance = row.get_or_insert(Self { account, owner, cents: 0 });
        match event {
            AccountEvent::Opened { owner } => balance.owner.clone_from(owner),
            AccountEvent::Deposited { cents } => balance.cents += cents,
            AccountEvent::Closed => *row = None,
        }
        Ok(())
    }

    fn values(&self) -> Result<Vec<Value<'_>>, ColumnError> {
        Ok(vec![self.account.to_value()?, self.owner.to_value()?, self.cents.to_value()?])
    }

    fn from_values(values: Vec<Value<'_>>) -> Result<Self, ColumnError> {
        let mut values = values.into_iter();
        let mut next = || values.next().ok_or_else(|| ColumnError::new("there are too few values"));
        Ok(Self {
            account: String::from_value(next()?)?,
            owner: String::from_value(next()?)?,
            cents: u64::from_value(next()?)?,
        })
    }

    fn key_values(key: &String) -> Result<Vec<Value<'_>>, ColumnError> {
        Ok(vec![key.to_value()?])
    }
}

/// What is in all accounts together.
pub struct Total;

impl Projection for Total {
    const NAME: &'static str = "total";
    const VERSION: u32 = 1;
    const TABLES: &'static str = "";
    type Event = AccountEvent;
    type Model = MemoryModel<u64>;

    async fn dispatch(
        &self,
        event: AccountEvent,
        _: &Received<'_>,
        transaction: &mut Transaction<Self>,
    ) -> Result<(), BoxError> {
        if let AccountEvent::Deposited { cents } = event {
            transaction.value += cents;
        }
        Ok(())
    }
}

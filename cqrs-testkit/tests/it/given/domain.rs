//! An aggregate of one event type and one of several, as the derives would write them. The events are neither `Debug`
//! nor `PartialEq`.

use cqrs_core::__private::{
    ToAggregate, UnionMember, decode_struct, decode_union, decode_variant, encode_struct,
    encode_variant,
};
use cqrs_core::{
    Aggregate, AggregateCommand, Apply, Command, Committed, Decision, DecodeError, Decoded,
    EncodeError, Event, EventType, Handle, Payload, RecordedEvent, StreamKey, emit, ensure,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(super) enum AccountEvent {
    Opened { owner: String },
    Deposited { cents: u64 },
    Withdrawn { cents: u64 },
    Rated { score: f64 },
    Closed,
}

impl Event for AccountEvent {
    const TYPES: &'static [EventType] = &[
        EventType::new("account.opened", 1),
        EventType::new("account.deposited", 2),
        EventType::new("account.withdrawn", 1),
        EventType::new("account.rated", 1),
        EventType::new("account.closed", 1),
    ];

    fn event_type(&self) -> EventType {
        Self::TYPES[match self {
            Self::Opened { .. } => 0,
            Self::Deposited { .. } => 1,
            Self::Withdrawn { .. } => 2,
            Self::Rated { .. } => 3,
            Self::Closed => 4,
        }]
    }

    fn encode(&self) -> Result<Payload, EncodeError> {
        encode_variant(self)
    }

    fn decode(event: &RecordedEvent) -> Result<Decoded<Self>, DecodeError> {
        decode_variant(event, &[])
    }
}

#[derive(Default)]
pub(super) struct Account {
    pub(super) owner: Option<String>,
    pub(super) cents: u64,
}

impl Aggregate for Account {
    const CATEGORY: &'static str = "account";
    type Event = AccountEvent;
    type Error = AccountError;

    fn dispatch(&mut self, event: AccountEvent) {
        match event {
            AccountEvent::Opened { owner } => self.owner = Some(owner),
            AccountEvent::Deposited { cents } => self.cents += cents,
            AccountEvent::Withdrawn { cents } => self.cents -= cents,
            AccountEvent::Rated { .. } => {}
            AccountEvent::Closed => self.owner = None,
        }
    }
}

#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum AccountError {
    #[error("there is no such account")]
    NotOpen,
    #[error("only {available} cents are available")]
    InsufficientFunds { available: u64 },
}

macro_rules! command {
    ($command:ty, $name:literal, $aggregate:ty, $error:ty) => {
        impl Command for $command {
            const NAME: &'static str = $name;
            type Outcome = Committed;
            type Error = $error;
            type Route = ToAggregate;
        }

        impl AggregateCommand for $command {
            type Aggregate = $aggregate;

            fn stream_key(&self) -> impl StreamKey + '_ {
                "1"
            }
        }
    };
}

#[derive(Clone)]
pub(super) struct Withdraw {
    pub(super) cents: u64,
}

command!(Withdraw, "Withdraw", Account, AccountError);

impl Handle<Withdraw> for Account {
    fn handle(&self, Withdraw { cents }: Withdraw) -> Decision<Self> {
        ensure(self.owner.is_some(), AccountError::NotOpen)?;
        let available = self.cents;
        ensure(cents <= available, AccountError::InsufficientFunds { available })?;
        match cents {
            0 => emit(()),
            _ if cents == available => {
                emit([AccountEvent::Withdrawn { cents }, AccountEvent::Closed])
            }
            _ => emit(AccountEvent::Withdrawn { cents }),
        }
    }
}

/// Leads to an event that can't be stored.
#[derive(Clone)]
pub(super) struct Rate;

command!(Rate, "Rate", Account, AccountError);

impl Handle<Rate> for Account {
    fn handle(&self, Rate: Rate) -> Decision<Self> {
        emit(AccountEvent::Rated { score: f64::NAN })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct Placed {
    pub(super) lines: Vec<String>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Shipped {
    pub(super) parcel: Option<String>,
}

/// Its stored form does not read back.
#[derive(Serialize, Deserialize)]
pub(super) struct Noted {
    #[serde(rename(deserialize = "words"))]
    pub(super) text: String,
}

macro_rules! struct_event {
    ($event:ident, $name:literal) => {
        impl Event for $event {
            const TYPES: &'static [EventType] = &[EventType::new($name, 1)];

            fn event_type(&self) -> EventType {
                Self::TYPES[0]
            }

            fn encode(&self) -> Result<Payload, EncodeError> {
                encode_struct(self)
            }

            fn decode(event: &RecordedEvent) -> Result<Decoded<Self>, DecodeError> {
                decode_struct(event, &[])
            }
        }

        impl From<$event> for OrderEvent {
            fn from(event: $event) -> Self {
                Self::$event(event)
            }
        }
    };
}

struct_event!(Placed, "order.placed");
struct_event!(Shipped, "parcel.shipped");
struct_event!(Noted, "order.noted");

pub(super) enum OrderEvent {
    Placed(Placed),
    Shipped(Shipped),
    Noted(Noted),
}

impl Event for OrderEvent {
    const TYPES: &'static [EventType] = &[Placed::TYPES[0], Shipped::TYPES[0], Noted::TYPES[0]];

    fn event_type(&self) -> EventType {
        match self {
            Self::Placed(event) => event.event_type(),
            Self::Shipped(event) => event.event_type(),
            Self::Noted(event) => event.event_type(),
        }
    }

    fn encode(&self) -> Result<Payload, EncodeError> {
        match self {
            Self::Placed(event) => event.encode(),
            Self::Shipped(event) => event.encode(),
            Self::Noted(event) => event.encode(),
        }
    }

    fn decode(event: &RecordedEvent) -> Result<Decoded<Self>, DecodeError> {
        decode_union(
            event,
            &[
                UnionMember::of::<Placed>(),
                UnionMember::of::<Shipped>(),
                UnionMember::of::<Noted>(),
            ],
        )
    }
}

#[derive(Default)]
pub(super) struct Order {
    lines: usize,
}

impl Apply<Placed> for Order {
    fn apply(&mut self, event: Placed) {
        self.lines += event.lines.len();
    }
}

impl Aggregate for Order {
    const CATEGORY: &'static str = "order";
    type Event = OrderEvent;
    type Error = OrderError;

    fn dispatch(&mut self, event: OrderEvent) {
        if let OrderEvent::Placed(event) = event {
            self.apply(event);
        }
    }
}

/// Can't be compared; events of the aggregate can be expected all the same.
#[derive(Debug, thiserror::Error)]
#[error("the order is empty")]
pub(super) struct OrderError;

#[derive(Clone)]
pub(super) struct Ship {
    pub(super) parcel: &'static str,
}

command!(Ship, "Ship", Order, OrderError);

impl Handle<Ship> for Order {
    fn handle(&self, Ship { parcel }: Ship) -> Decision<Self> {
        ensure(self.lines > 0, OrderError)?;
        emit((Placed { lines: vec![] }, Shipped { parcel: Some(parcel.to_owned()) }))
    }
}

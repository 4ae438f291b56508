//! What the log of the benchmarks is made of: the events of a bank, and what is kept of them.

use std::collections::BTreeMap;

use cqrs::prelude::*;
use cqrs::{BoxError, EventId, NewEvent, Payload};
use serde::{Deserialize, Serialize};

/// The category of the streams.
pub const CATEGORY: &str = "account";

/// What happens to an account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(prefix = "account")]
pub enum AccountEvent {
    Opened { owner: String },
    Deposited { cents: i64 },
    Withdrawn { cents: i64 },
    Noted { text: String },
}

/// A rare event, among many of the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "account.flagged")]
pub struct Flagged {
    pub reason: String,
}

/// The view of all workloads: a row an account.
#[derive(Debug, Clone, PartialEq, View)]
#[view(name = "balances", key(account), events(AccountEvent))]
pub struct Balance {
    pub account: String,
    pub owner: String,
    pub cents: i64,
    /// How many events: one that is taken twice, or not at all, shows.
    pub events: i64,
}

impl Fold<AccountEvent> for Balance {
    fn rows(_: &AccountEvent, received: &Received<'_>) -> impl IntoIterator<Item = String> {
        [received.stream.key().to_owned()]
    }

    fn fold(
        row: &mut Option<Self>,
        key: &String,
        event: &AccountEvent,
        _: &Received<'_>,
    ) -> Result<(), BoxError> {
        let row = row.get_or_insert_with(|| Self::none(key));
        row.take(event);
        Ok(())
    }
}

impl Balance {
    pub fn none(account: &str) -> Self {
        Self { account: account.to_owned(), owner: String::new(), cents: 0, events: 0 }
    }

    pub fn take(&mut self, event: &AccountEvent) {
        self.events += 1;
        match event {
            AccountEvent::Opened { owner } => self.owner.clone_from(owner),
            AccountEvent::Deposited { cents } => self.cents += cents,
            AccountEvent::Withdrawn { cents } => self.cents -= cents,
            AccountEvent::Noted { .. } => {}
        }
    }

    /// What a statement that adds to a row has to know of an event: the owner, if it tells one, and the cents.
    pub fn change(event: &AccountEvent) -> (&str, i64) {
        match event {
            AccountEvent::Opened { owner } => (owner, 0),
            AccountEvent::Deposited { cents } => ("", *cents),
            AccountEvent::Withdrawn { cents } => ("", -cents),
            AccountEvent::Noted { .. } => ("", 0),
        }
    }
}

/// A view of the rare events.
#[derive(Debug, Clone, PartialEq, View)]
#[view(name = "flags", key(account), events(Flagged))]
pub struct Flags {
    pub account: String,
    pub flags: i64,
}

impl Fold<Flagged> for Flags {
    fn rows(_: &Flagged, received: &Received<'_>) -> impl IntoIterator<Item = String> {
        [received.stream.key().to_owned()]
    }

    fn fold(
        row: &mut Option<Self>,
        key: &String,
        _: &Flagged,
        _: &Received<'_>,
    ) -> Result<(), BoxError> {
        row.get_or_insert_with(|| Self { account: key.clone(), flags: 0 }).flags += 1;
        Ok(())
    }
}

/// What is in the log: so many events of accounts that take turns by chance, the same in every run.
#[derive(Debug, Clone, Copy)]
pub struct Log {
    pub events: usize,
    pub content: Content,
}

/// What most events of a log are.
#[derive(Debug, Clone, Copy)]
pub enum Content {
    /// Deposits and withdrawals, and one flag in a hundred.
    Bank,
    /// Notes of so many bytes.
    Notes(usize),
}

/// An event of the log before it is stored.
#[derive(Debug)]
pub struct Entry {
    pub account: String,
    pub version: i64,
    pub event_type: &'static str,
    pub payload: Payload,
    pub event: Option<AccountEvent>,
}

impl Log {
    /// The events, in their order.
    pub fn entries(self) -> impl Iterator<Item = Entry> {
        let mut chance = Chance(7);
        // An account has 20 events on average.
        let mut versions = vec![0_i64; (self.events / 20).max(1)];
        (0..self.events).map(move |_| {
            let number = chance.below(versions.len());
            versions[number] += 1;
            let (account, version) = (format!("a{number:07}"), versions[number]);
            let amount = i64::try_from(chance.below(10_000)).unwrap_or_default();
            let event = match (version, self.content) {
                (1, _) => AccountEvent::Opened { owner: format!("owner of {account}") },
                (_, Content::Notes(bytes)) => AccountEvent::Noted { text: "x".repeat(bytes) },
                (_, Content::Bank) => match chance.below(100) {
                    0 => return Entry::flag(account, version),
                    1..60 => AccountEvent::Deposited { cents: amount },
                    _ => AccountEvent::Withdrawn { cents: amount },
                },
            };
            Entry::of(account, version, event)
        })
    }

    /// The rows that must come of it.
    pub fn balances(self) -> Vec<Balance> {
        let mut rows: BTreeMap<String, Balance> = BTreeMap::new();
        for Entry { account, event, .. } in self.entries() {
            if let Some(event) = event {
                let none = Balance::none(&account);
                rows.entry(account).or_insert(none).take(&event);
            }
        }
        rows.into_values().collect()
    }

    /// The flags that must come of it.
    pub fn flags(self) -> Vec<Flags> {
        let mut rows: BTreeMap<String, i64> = BTreeMap::new();
        for entry in self.entries().filter(|entry| entry.event.is_none()) {
            *rows.entry(entry.account).or_default() += 1;
        }
        rows.into_iter().map(|(account, flags)| Flags { account, flags }).collect()
    }
}

impl Entry {
    fn of(account: String, version: i64, event: AccountEvent) -> Self {
        let (event_type, payload) = (event.event_type().name, payload(&event));
        Self { account, version, event_type, payload, event: Some(event) }
    }

    fn flag(account: String, version: i64) -> Self {
        let event = Flagged { reason: "looked at".to_owned() };
        let (event_type, payload) = (event.event_type().name, payload(&event));
        Self { account, version, event_type, payload, event: None }
    }

    /// The event as it is appended.
    pub fn to_new_event(&self) -> Result<NewEvent, BoxError> {
        let id = EventId::random();
        let metadata = std::sync::Arc::new(cqrs::Metadata::of(id.as_uuid()));
        Ok(NewEvent::from_parts(id, self.event_type, 1, self.payload.clone(), metadata)?)
    }
}

fn payload(event: &impl Event) -> Payload {
    event.encode().expect("text and numbers have a JSON form")
}

/// Numbers that look like chance and are the same every time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % end
    }
}

/// The form in which a hand-written loop reads the payloads.
#[derive(Deserialize)]
struct Owner {
    owner: String,
}

#[derive(Deserialize)]
struct Cents {
    cents: i64,
}

#[derive(Deserialize)]
struct Text {
    text: String,
}

/// What a hand-written loop does to decode an event.
pub fn decode(event_type: &str, payload: &str) -> Result<AccountEvent, BoxError> {
    Ok(match event_type {
        "account.opened" => {
            AccountEvent::Opened { owner: serde_json::from_str::<Owner>(payload)?.owner }
        }
        "account.deposited" => {
            AccountEvent::Deposited { cents: serde_json::from_str::<Cents>(payload)?.cents }
        }
        "account.withdrawn" => {
            AccountEvent::Withdrawn { cents: serde_json::from_str::<Cents>(payload)?.cents }
        }
        "account.noted" => {
            AccountEvent::Noted { text: serde_json::from_str::<Text>(payload)?.text }
        }
        other => return Err(format!("there is no event type `{other}`").into()),
    })
}

/// The event types that a hand-written loop over accounts asks for.
pub const ACCOUNT_EVENTS: [&str; 4] =
    ["account.opened", "account.deposited", "account.withdrawn", "account.noted"];

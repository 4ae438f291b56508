//! When snapshots of an aggregate are taken, and how its state is written and read.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Aggregate;
use crate::event::{EncodeError, Event, Payload, UpcastStep};
use crate::version::Version;

/// Whether and how snapshots of an aggregate are taken. The derive makes one from `snapshot(…)`.
pub struct Snapshots<A> {
    policy: Policy,
    fingerprint: u64,
    encode: fn(&A) -> Result<Payload, EncodeError>,
    decode: fn(&Payload) -> Result<A, serde_json::Error>,
    same: fn(&A, &A) -> bool,
}

#[derive(Debug, Clone, Copy)]
enum Policy {
    EveryEvents(u64),
    ReplayLongerThan(Duration),
}

impl<A: Aggregate + PartialEq + Serialize + DeserializeOwned> Snapshots<A> {
    /// How many events there are between snapshots where nothing else is asked for. A snapshot costs about as much as
    /// an append, and reading this many events no more than that; `docs/performance.md` has the measurements.
    pub const DEFAULT_EVERY: u64 = 100;

    /// A snapshot every [`DEFAULT_EVERY`](Self::DEFAULT_EVERY) events.
    ///
    /// `shape` tells the shape of `A` as in [`every`](Self::every).
    pub fn by_default(shape: &str) -> Self {
        Self::every(Self::DEFAULT_EVERY, shape)
    }

    /// A snapshot whenever a command has brought the stream `events` events beyond the last one.
    ///
    /// `shape` tells the shape of `A` as far as the derive can see it: a change of it means that older snapshots are
    /// not used.
    pub fn every(events: u64, shape: &str) -> Self {
        Self::new(Policy::EveryEvents(events.max(1)), shape)
    }

    /// A snapshot whenever loading the aggregate for a command took longer than `time`.
    pub fn when_replay_exceeds(time: Duration, shape: &str) -> Self {
        Self::new(Policy::ReplayLongerThan(time), shape)
    }

    fn new(policy: Policy, shape: &str) -> Self {
        Self {
            policy,
            fingerprint: fingerprint::<A>(shape),
            encode: |state| Payload::of(state),
            decode: Payload::parse,
            same: A::eq,
        }
    }
}

impl<A> Snapshots<A> {
    /// Whether a snapshot is due at version `now`, when the last one is of version `last` and loading took `took`.
    pub(crate) fn is_due(&self, last: Version, now: Version, took: Duration) -> bool {
        match self.policy {
            Policy::EveryEvents(events) => now.get().saturating_sub(last.get()) >= events,
            Policy::ReplayLongerThan(time) => now > last && took > time,
        }
    }

    /// Tells the shape of the aggregate: a snapshot with another fingerprint is not used.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// The serialized state, if it reads back as the same state: a field that serde skips shows here (G9).
    pub(crate) fn encode(&self, state: &A) -> Result<Payload, Unfaithful> {
        let stored = (self.encode)(state)?;
        let again = (self.decode)(&stored)?;
        if (self.same)(&again, state) { Ok(stored) } else { Err(Unfaithful::Differs) }
    }

    /// The state that was serialized, if this program would write it in the same way: a field that has come or gone
    /// since, in whatever type inside the state, shows here and means replay (G9).
    pub(crate) fn decode(&self, stored: &Payload) -> Result<A, Unfaithful> {
        let state = (self.decode)(stored)?;
        let again = (self.encode)(&state)?;
        let same = again == *stored || canonical(again.parse()?) == canonical(stored.parse()?);
        if same { Ok(state) } else { Err(Unfaithful::Differs) }
    }
}

/// The value with its arrays sorted: maps and sets without an order of their own may be written in another one. Lists
/// can't change their order by being read and written.
fn canonical(value: Value) -> Value {
    match value {
        Value::Array(elements) => {
            let mut elements: Vec<Value> = elements.into_iter().map(canonical).collect();
            elements.sort_by_cached_key(Value::to_string);
            Value::Array(elements)
        }
        Value::Object(entries) => {
            entries.into_iter().map(|(key, value)| (key, canonical(value))).collect()
        }
        value => value,
    }
}

/// Why a state and its serialized form do not stand for each other.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfaithful {
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error(transparent)]
    Decode(#[from] serde_json::Error),
    #[error(
        "the state does not survive being written and read; look for skipped or defaulted fields"
    )]
    Differs,
}

impl<A> fmt::Debug for Snapshots<A> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Snapshots")
            .field("policy", &self.policy)
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

/// FNV-1a of the aggregate's shape and of its event types with their versions and upcasters: the same in every build of
/// the same source.
fn fingerprint<A: Aggregate>(shape: &str) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut add = |bytes: &[u8]| {
        for byte in bytes.iter().chain(&[0xff]) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    add(A::CATEGORY.as_bytes());
    add(shape.as_bytes());
    for event_type in A::Event::TYPES {
        add(event_type.name.as_bytes());
        add(&event_type.schema_version.to_be_bytes());
        event_type.aliases.iter().for_each(|alias| add(alias.as_bytes()));
        for UpcastStep { from, to, by } in event_type.steps {
            for (name, version) in [from, to] {
                add(name.as_bytes());
                add(&version.to_be_bytes());
            }
            add(by.as_bytes());
        }
    }
    for ignored in A::IGNORED {
        add(ignored.as_bytes());
    }
    hash
}

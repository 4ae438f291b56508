//! Aggregates: one listed type, several, parameters, snapshots.

use std::marker::PhantomData;

use cqrs::{Aggregate, Apply, DecodeReason, Event};
use serde::{Deserialize, Serialize};

use crate::{decode, record};

/// What several aggregates have in common.
mod shared {
    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize, cqrs::Event)]
    #[event(name = "audited", version = 2, upcast(1 => by_of_who))]
    pub(super) struct Audited {
        pub(super) by: String,
    }

    fn by_of_who(draft: &mut cqrs::Draft) -> Result<(), cqrs::UpcastError> {
        draft.rename("who", "by")
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
enum AccountEvent {
    Opened { owner: String },
    Deposited(u64),
}

#[derive(Debug, PartialEq, cqrs::Event)]
#[event(name = "account.closed")]
struct Closed;

#[derive(Debug, thiserror::Error, PartialEq)]
#[error("refused")]
struct Refused;

#[derive(Debug, Default, Aggregate)]
#[aggregate(category = "account", events(AccountEvent), error = Refused)]
struct Simple {
    seen: Vec<String>,
}

impl Apply<AccountEvent> for Simple {
    fn apply(&mut self, event: AccountEvent) {
        self.seen.push(format!("{event:?}"));
    }
}

#[test]
fn one_listed_type_is_the_event_type_itself() {
    let mut simple = Simple::default();
    let event: <Simple as Aggregate>::Event = AccountEvent::Deposited(1);
    simple.dispatch(event);
    assert_eq!(simple.seen, ["Deposited(1)"]);
    assert_eq!(Simple::CATEGORY, "account");
    assert!(Simple::snapshots().is_none());
    let _: <Simple as Aggregate>::Error = Refused;
}

// More visible than the events it lists.
#[derive(Debug, Default, Aggregate)]
#[aggregate(events(AccountEvent, shared::Audited, Closed))]
pub(crate) struct HTTPAccount {
    seen: Vec<String>,
}

impl Apply<AccountEvent> for HTTPAccount {
    fn apply(&mut self, event: AccountEvent) {
        self.seen.push(format!("{event:?}"));
    }
}

impl Apply<shared::Audited> for HTTPAccount {
    fn apply(&mut self, event: shared::Audited) {
        self.seen.push(format!("{event:?}"));
    }
}

impl Apply<Closed> for HTTPAccount {
    fn apply(&mut self, event: Closed) {
        self.seen.push(format!("{event:?}"));
    }
}

type AllEvents = <HTTPAccount as Aggregate>::Event;

#[test]
fn several_listed_types_become_one() {
    assert_eq!(HTTPAccount::CATEGORY, "http_account");
    let types: Vec<_> = AllEvents::TYPES.iter().map(ToString::to_string).collect();
    let expected = ["account.opened v1", "account.deposited v1", "audited v2", "account.closed v1"];
    assert_eq!(types, expected);

    let audited = shared::Audited { by: "me".into() };
    let events: [AllEvents; 3] = [AccountEvent::Deposited(1).into(), audited.into(), Closed.into()];
    let mut account = HTTPAccount::default();
    for event in events {
        let recorded = record(&event);
        assert_eq!(event.event_type().name, &*recorded.event_type);
        for event in AllEvents::decode(&recorded).unwrap() {
            account.dispatch(event);
        }
    }
    assert_eq!(account.seen, ["Deposited(1)", "Audited { by: \"me\" }", "Closed"]);
}

#[test]
fn several_listed_types_are_stored_as_each_is_alone() {
    let event: AllEvents = AccountEvent::Opened { owner: "a".into() }.into();
    let recorded = record(&event);
    assert_eq!(&*recorded.event_type, "account.opened");
    assert_eq!(recorded.payload.as_str(), "{\"owner\":\"a\"}");
    assert!(AccountEvent::decode(&recorded).is_ok());
}

#[test]
fn g11_an_event_of_none_of_the_listed_types_is_an_error_that_lists_all() {
    let error = decode::<AllEvents>("account.gone", 1, "{}").err().unwrap();
    assert!(matches!(
        error.reason,
        DecodeReason::UnknownType { known, .. } if known == AllEvents::TYPES
    ));
    let error = decode::<AllEvents>("audited", 3, "{}").err().unwrap();
    assert!(matches!(error.reason, DecodeReason::Newer { newest: 2 }));
}

// Parameters, in the aggregate and in some of its events.
trait Currency: Default + Send + Sync + 'static {}

#[derive(Default, PartialEq, Serialize, Deserialize)]
struct Euro;
impl Currency for Euro {}

#[derive(Serialize, Deserialize, Event)]
#[event(name = "paid")]
struct Paid<C> {
    cents: u64,
    currency: PhantomData<C>,
}

#[derive(Default, Aggregate)]
#[aggregate(category = "purse", events(Paid<C>))]
struct Purse<C> {
    cents: u64,
    currency: PhantomData<C>,
}

impl<C: Currency> Apply<Paid<C>> for Purse<C> {
    fn apply(&mut self, event: Paid<C>) {
        self.cents += event.cents;
    }
}

#[derive(Default, Aggregate)]
#[aggregate(category = "wallet", events(Paid<C>, Closed, AccountEvent), snapshot(every = 1))]
#[derive(PartialEq, Serialize, Deserialize)]
struct Wallet<C: Currency, const N: usize = 3> {
    cents: u64,
    currency: PhantomData<C>,
}

impl<C: Currency, const N: usize> Apply<Paid<C>> for Wallet<C, N> {
    fn apply(&mut self, event: Paid<C>) {
        self.cents += event.cents;
    }
}

impl<C: Currency, const N: usize> Apply<Closed> for Wallet<C, N> {
    fn apply(&mut self, _: Closed) {
        self.cents = 0;
    }
}

impl<C: Currency, const N: usize> Apply<AccountEvent> for Wallet<C, N> {
    fn apply(&mut self, _: AccountEvent) {}
}

#[test]
fn aggregates_may_have_parameters() {
    let paid = || Paid::<Euro> { cents: 5, currency: PhantomData };
    let mut purse = Purse::<Euro>::default();
    purse.dispatch(paid());
    assert_eq!(purse.cents, 5);

    let mut wallet = Wallet::<Euro>::default();
    wallet.dispatch(paid().into());
    assert_eq!(wallet.cents, 5);
    wallet.dispatch(Closed.into());
    assert_eq!(wallet.cents, 0);
    let types = <Wallet<Euro> as Aggregate>::Event::TYPES.iter();
    let names: Vec<_> = types.map(|known| known.name).collect();
    let expected = ["paid", "account.closed", "account.opened", "account.deposited"];
    assert_eq!(names, expected);
}

// State that is an enum, and has variants of the names of associated items.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(events(Closed, shared::Audited), snapshot(replay_ms = 20, version = 3))]
enum Door {
    #[default]
    Event,
    Error,
}

impl Apply<Closed> for Door {
    fn apply(&mut self, _: Closed) {
        *self = Self::Error;
    }
}

impl Apply<shared::Audited> for Door {
    fn apply(&mut self, _: shared::Audited) {}
}

#[test]
fn state_may_be_an_enum() {
    let mut door = Door::default();
    door.dispatch(Closed.into());
    assert_eq!(door, Door::Error);
    let policy = format!("{:?}", Door::snapshots().unwrap());
    assert!(policy.contains("ReplayLongerThan(20ms)"), "{policy}");
}

/// An aggregate of the category `counter` over `Closed`, with this attribute and these fields.
macro_rules! counter {
    ($module:ident, $(#[$attribute:meta])* { $($fields:tt)* }) => {
        mod $module {
            use super::*;

            #[derive(Debug, Default, PartialEq, Serialize, Deserialize, Aggregate)]
            $(#[$attribute])*
            pub(super) struct Counter { $($fields)* }

            impl Apply<Closed> for Counter {
                fn apply(&mut self, _: Closed) {}
            }
        }
    };
}

counter!(plain, #[aggregate(events(Closed), snapshot(every = 7))] { count: u32 });
counter!(documented, #[doc = "More"] #[aggregate(events(Closed), snapshot(every = 9))] {
    /// Text.
    #[allow(dead_code)]
    pub(super) count: u32
});
counter!(wider, #[aggregate(events(Closed), snapshot(every = 7))] { count: u64 });
counter!(renamed, #[aggregate(events(Closed), snapshot(every = 7))] { counts: u32 });
counter!(more, #[aggregate(events(Closed), snapshot(every = 7))] { count: u32, other: u8 });
counter!(serde_renamed, #[aggregate(events(Closed), snapshot(every = 7))] {
    #[serde(rename = "c")]
    count: u32
});
counter!(versioned, #[aggregate(events(Closed), snapshot(every = 7, version = 2))] { count: u32 });

counter!(bare, #[aggregate(snapshot, events(Closed))] { count: u32 });
counter!(empty, #[aggregate(events(Closed), snapshot())] { count: u32 });
counter!(only_version, #[aggregate(events(Closed), snapshot(version = 2))] { count: u32 });

#[test]
fn without_a_number_snapshots_are_taken_at_the_default() {
    let policies = [
        format!("{:?}", bare::Counter::snapshots().unwrap()),
        format!("{:?}", empty::Counter::snapshots().unwrap()),
        format!("{:?}", only_version::Counter::snapshots().unwrap()),
    ];
    for policy in policies {
        assert!(policy.contains("EveryEvents(100)"), "{policy}");
    }
    assert_eq!(fingerprint::<bare::Counter>(), fingerprint::<plain::Counter>());
    assert_eq!(fingerprint::<only_version::Counter>(), fingerprint::<versioned::Counter>());
}

fn fingerprint<A: Aggregate>() -> String {
    let snapshots = format!("{:?}", A::snapshots().unwrap());
    let (_, fingerprint) = snapshots.split_once("fingerprint: ").unwrap();
    fingerprint.to_owned()
}

#[test]
fn g9_the_fingerprint_changes_with_the_shape_of_the_state_and_only_then() {
    let plain = fingerprint::<plain::Counter>();
    assert_eq!(plain, fingerprint::<documented::Counter>());
    for other in [
        fingerprint::<wider::Counter>(),
        fingerprint::<renamed::Counter>(),
        fingerprint::<more::Counter>(),
        fingerprint::<serde_renamed::Counter>(),
        fingerprint::<versioned::Counter>(),
    ] {
        assert_ne!(plain, other);
    }
    let policy = format!("{:?}", plain::Counter::snapshots().unwrap());
    assert!(policy.contains("EveryEvents(7)"), "{policy}");
}

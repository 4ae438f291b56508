//! Event types that were stored under other names, that were split, joined, retired or ignored.

use cqrs::{
    Aggregate, Apply, DecodeReason, Draft, Event, EventType, LogFilter, Upcast, UpcastError,
    UpcastStep,
};
use serde::{Deserialize, Serialize};

use crate::{decode, decode_all, raw};

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
#[event(prefix = "account")]
enum AccountEvent {
    #[event(
        alias = "account.created",
        alias = "acct.new",
        from("account.opened-with-deposit", upcast(1 => amount_of_units, 2 => owner_alone))
    )]
    Opened { owner: String },
    #[event(
        version = 3,
        upcast(1 => cents_of_units, 2 => type DepositedV2),
        alias = "account.paid-in",
        from("account.opened-with-deposit", upcast(1 => amount_of_units, 2 => deposit_alone), into = 2),
        from("bonus", upcast(1 => type Bonus), into = 3)
    )]
    Deposited { cents: u64, currency: String },
    #[event(retired)]
    Audited { by: String },
}

fn amount_of_units(draft: &mut Draft) -> Result<(), UpcastError> {
    draft.rename("units", "amount")
}

fn owner_alone(draft: &mut Draft) -> Result<(), UpcastError> {
    draft.remove("amount")
}

/// Nothing is deposited with nothing.
fn deposit_alone(mut draft: Draft) -> Result<Vec<Draft>, UpcastError> {
    let units: u64 = draft.get("amount")?;
    if units == 0 {
        return Ok(Vec::new());
    }
    let mut deposit = Draft::empty();
    deposit.set("cents", &(units * 100))?;
    Ok(vec![deposit])
}

fn cents_of_units(draft: &mut Draft) -> Result<(), UpcastError> {
    draft.rename("units", "cents")?;
    draft.map("cents", |units: u64| units * 100)
}

#[derive(Deserialize, Upcast)]
#[upcast(into = AccountEvent)]
struct DepositedV2 {
    cents: u64,
}

impl From<DepositedV2> for AccountEvent {
    fn from(old: DepositedV2) -> Self {
        Self::Deposited { cents: old.cents, currency: "EUR".into() }
    }
}

#[derive(Deserialize, Upcast)]
#[upcast(try_into = AccountEvent)]
struct Bonus(u64);

impl TryFrom<Bonus> for AccountEvent {
    type Error = String;

    fn try_from(Bonus(cents): Bonus) -> Result<Self, String> {
        if cents == 0 { Err("no bonus".into()) } else { Ok(DepositedV2 { cents }.into()) }
    }
}

fn opened(owner: &str) -> AccountEvent {
    AccountEvent::Opened { owner: owner.into() }
}

fn deposited(cents: u64) -> AccountEvent {
    AccountEvent::Deposited { cents, currency: "EUR".into() }
}

#[test]
fn an_alias_has_the_versions_of_the_name() {
    for name in ["account.opened", "account.created", "acct.new"] {
        assert_eq!(decode::<AccountEvent>(name, 1, r#"{"owner":"a"}"#).unwrap(), opened("a"));
        assert!(decode::<AccountEvent>(name, 2, "{}").unwrap_err().is_newer());
    }
    for name in ["account.deposited", "account.paid-in"] {
        let decode = |version, payload| decode::<AccountEvent>(name, version, payload).unwrap();
        assert_eq!(decode(1, r#"{"units":5}"#), deposited(500));
        assert_eq!(decode(2, r#"{"cents":5}"#), deposited(5));
        assert_eq!(decode(3, r#"{"cents":5,"currency":"EUR"}"#), deposited(5));
    }
}

#[test]
fn a_stored_event_becomes_several_in_order_of_declaration() {
    let split = |version, payload| {
        decode_all::<AccountEvent>("account.opened-with-deposit", version, payload)
    };
    let both = [opened("a"), deposited(500)];
    assert_eq!(split(1, r#"{"owner":"a","units":5}"#).unwrap(), both);
    assert_eq!(split(2, r#"{"owner":"a","amount":5}"#).unwrap(), both);
    assert_eq!(split(1, r#"{"owner":"a","units":0}"#).unwrap(), [opened("a")]);
    assert!(split(3, "{}").unwrap_err().is_newer());
    let error = split(1, r#"{"owner":"a"}"#).unwrap_err();
    assert!(error.to_string().contains("deposit` v1 failed: field `units` is missing"), "{error}");
}

#[test]
fn stored_events_of_several_names_become_one_type() {
    assert_eq!(decode::<AccountEvent>("bonus", 1, "7").unwrap(), deposited(7));
    let error = decode::<AccountEvent>("bonus", 1, "0").unwrap_err();
    assert!(error.to_string().ends_with("no bonus"), "{error}");
    assert!(decode::<AccountEvent>("bonus", 2, "7").unwrap_err().is_newer());
}

#[test]
fn filters_want_all_stored_names() {
    let filter = LogFilter::all().events_of::<AccountEvent>();
    let names: Vec<&str> = filter.event_types().iter().map(|name| &**name).collect();
    let all = [
        "account.opened",
        "account.created",
        "acct.new",
        "account.opened-with-deposit",
        "account.deposited",
        "account.paid-in",
        "bonus",
        "account.audited",
    ];
    assert_eq!(names, all);
    assert!(all.into_iter().all(AccountEvent::knows));
}

#[test]
fn the_history_is_listed() {
    const SPLIT: &str = "account.opened-with-deposit";
    const DEPOSITED: &str = "account.deposited";
    let step = |from, to, by| UpcastStep { from, to, by };
    let [opened, deposited, audited] = AccountEvent::TYPES else { panic!("three variants") };
    assert_eq!(opened.aliases, ["account.created", "acct.new"]);
    assert_eq!(
        opened.steps,
        [
            step((SPLIT, 1), (SPLIT, 2), "amount_of_units"),
            step((SPLIT, 2), ("account.opened", 1), "owner_alone"),
        ]
    );
    assert_eq!(
        deposited.steps,
        [
            step((DEPOSITED, 1), (DEPOSITED, 2), "cents_of_units"),
            step((DEPOSITED, 2), (DEPOSITED, 3), "DepositedV2"),
            step((SPLIT, 1), (SPLIT, 2), "amount_of_units"),
            step((SPLIT, 2), (DEPOSITED, 2), "deposit_alone"),
            step(("bonus", 1), (DEPOSITED, 3), "Bonus"),
        ]
    );
    assert_eq!(*audited, EventType::new("account.audited", 1).retired());
}

// The same split, into types of their own.
#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "door.hung", from("door.hung-and-locked", upcast(1 => frame_alone)))]
struct Hung {
    frame: String,
}

fn frame_alone(draft: &mut Draft) -> Result<(), UpcastError> {
    draft.remove("key")
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
#[event(
    name = "door.locked",
    version = 2,
    upcast(1 => key_of_number),
    from("door.hung-and-locked", upcast(1 => number_alone), into = 1),
    from("door.shut", upcast(1 => without_key), into = 2)
)]
struct Locked {
    key: String,
}

fn key_of_number(draft: &mut Draft) -> Result<(), UpcastError> {
    draft.rename("number", "key")?;
    draft.map("key", |number: u32| number.to_string())
}

fn number_alone(draft: &mut Draft) -> Result<(), UpcastError> {
    draft.remove("frame")?;
    draft.rename("key", "number")
}

fn without_key(draft: &mut Draft) -> Result<(), UpcastError> {
    draft.set("key", "none")
}

#[derive(Debug, Default, Aggregate)]
#[aggregate(category = "door", events(Locked, Hung), ignore("door.painted", "door.oiled"))]
struct Door {
    seen: Vec<String>,
}

impl Apply<Hung> for Door {
    fn apply(&mut self, event: Hung) {
        self.seen.push(format!("{event:?}"));
    }
}

impl Apply<Locked> for Door {
    fn apply(&mut self, event: Locked) {
        self.seen.push(format!("{event:?}"));
    }
}

#[test]
fn a_stored_event_becomes_several_types_of_one_list() {
    let door = |name, payload| {
        let mut door = Door::default();
        let events = decode_all::<<Door as Aggregate>::Event>(name, 1, payload).unwrap();
        for event in events {
            door.dispatch(event);
        }
        door.seen
    };
    let locked = r#"Locked { key: "7" }"#;
    let both = [locked, r#"Hung { frame: "oak" }"#];
    assert_eq!(door("door.hung-and-locked", r#"{"frame":"oak","key":7}"#), both);
    assert_eq!(door("door.locked", r#"{"number":7}"#), [locked]);
    assert_eq!(door("door.shut", "{}"), [r#"Locked { key: "none" }"#]);
    // Each type alone takes its part.
    let payload = r#"{"frame":"oak","key":7}"#;
    let hung = decode::<Hung>("door.hung-and-locked", 1, payload).unwrap();
    assert_eq!(hung, Hung { frame: "oak".into() });
    let locked = decode::<Locked>("door.hung-and-locked", 1, payload).unwrap();
    assert_eq!(locked, Locked { key: "7".into() });
}

#[test]
fn g11_one_part_that_cannot_be_read_is_an_error_of_the_whole() {
    type Events = <Door as Aggregate>::Event;
    let payload = r#"{"frame":"oak","key":"seven"}"#;
    assert!(decode::<Hung>("door.hung-and-locked", 1, payload).is_ok());
    assert!(decode_all::<Events>("door.hung-and-locked", 1, payload).is_err());
}

/// Steps on both sides of a change of name, each of which fails if it is told to.
#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
#[event(
    name = "lamp.lit",
    version = 6,
    alias = "lamp.on",
    upcast(1 => own_1, 2 => own_2, 3 => own_3, 4 => own_4, 5 => own_5),
    from("candle.lit", upcast(1 => source_1, 2 => source_2, 3 => source_3), into = 2)
)]
struct Lit {
    fails: String,
}

fn fail_if(draft: &mut Draft, step: &str) -> Result<(), UpcastError> {
    let told: String = draft.get("fails")?;
    if told == step { Err(UpcastError::Other("as told".into())) } else { Ok(()) }
}

macro_rules! steps {
    ($($name:ident),*) => {
        $(fn $name(draft: &mut Draft) -> Result<(), UpcastError> {
            fail_if(draft, stringify!($name))
        })*
    };
}

steps!(source_1, source_2, source_3, own_1, own_2, own_3, own_4, own_5);

#[test]
fn a_step_that_fails_is_named_as_it_is_declared_on_both_sides_of_a_change_of_name() {
    let failed_at = |name, version, step: &str| {
        let payload = format!(r#"{{"fails":"{step}"}}"#);
        match decode::<Lit>(name, version, &payload).unwrap_err().reason {
            DecodeReason::Upcast { from, .. } => from,
            other => panic!("{other}"),
        }
    };
    for (step, from) in [
        ("source_1", ("candle.lit", 1)),
        ("source_2", ("candle.lit", 2)),
        ("source_3", ("candle.lit", 3)),
        ("own_2", ("lamp.lit", 2)),
        ("own_3", ("lamp.lit", 3)),
        ("own_5", ("lamp.lit", 5)),
    ] {
        assert_eq!(failed_at("candle.lit", 1, step), from, "{step}");
    }
    for name in ["lamp.lit", "lamp.on"] {
        assert_eq!(failed_at(name, 1, "own_1"), ("lamp.lit", 1), "{name}");
        assert_eq!(failed_at(name, 1, "own_5"), ("lamp.lit", 5), "{name}");
    }
}

#[test]
fn g11_a_version_from_before_the_first_is_no_version() {
    // No event has it that was made here; another program may have written the row.
    for (name, newest) in [("lamp.lit", 6), ("lamp.on", 6), ("candle.lit", 3)] {
        let mut event = raw(name, 1, r#"{"fails":""}"#);
        event.schema_version = 0;
        let reason = Lit::decode(&event).unwrap_err().reason;
        assert!(
            matches!(reason, DecodeReason::NoSteps { newest: known } if known == newest),
            "{name}: {reason}"
        );
    }
}

#[test]
fn g11_only_what_is_ignored_by_name_is_passed_over() {
    assert_eq!(Door::IGNORED, ["door.painted", "door.oiled"]);
    let error = decode::<<Door as Aggregate>::Event>("door.painted", 1, "{}").err().unwrap();
    assert!(error.is_unknown_type(), "only the aggregate ignores it");
}

/// A list with parameters is checked where it is used.
#[derive(Debug, Default, Aggregate)]
#[aggregate(events(Locked, Hung), ignore("door.painted"))]
struct Marked<T: Default + Send + Sync + 'static>(T);

impl<T: Default + Send + Sync + 'static> Apply<Hung> for Marked<T> {
    fn apply(&mut self, _: Hung) {}
}

impl<T: Default + Send + Sync + 'static> Apply<Locked> for Marked<T> {
    fn apply(&mut self, _: Locked) {}
}

#[test]
fn types_with_parameters_ignore_events() {
    assert_eq!(Marked::<u8>::IGNORED, ["door.painted"]);
}

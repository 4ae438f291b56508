//! Changes after which stored events would no longer be what they were: each is refused, with what to do about it.

use cqrs_core::{
    Catalogue, DecodeError, Decoded, EncodeError, Event, EventType, Payload, RecordedEvent,
};
use cqrs_testkit::Mode;

use super::{Locked, release};

const CHANGED: &str = "✗ the stored form of `account.paid` v1 has changed, but not its version";

fn paid() -> Locked {
    Locked::of(&release! {
        events { Paid { cents: u64, by: Person } }

        #[derive(Serialize, Deserialize)]
        #[allow(dead_code, reason = "only described")]
        struct Person { name: String }
    })
}

#[test]
fn a_shape_that_changed_without_a_new_version() {
    let message = paid().refuses(
        &release! {
            events { Paid { cents: u64, by: Person, currency: String } }

            #[derive(Serialize, Deserialize)]
            #[allow(dead_code, reason = "only described")]
            struct Person { name: String }
        },
        &[
            CHANGED,
            "  cents: u64 as `u64`",
            "+ currency: text as `String`",
            "raise `version` of `account.paid` to 2, and keep v1 readable with `upcast(1 => …)`",
            "if no event of v1 was ever stored, accept it with `EVENTS_LOCK=accept cargo test`",
        ],
    );
    assert!(!message.contains("EVENTS_LOCK=write"), "{message}");
}

#[test]
fn what_changes_inside_of_a_nested_type() {
    for (catalogue, difference) in [
        (
            release! {
                events { Paid { cents: u64, by: Person } }

                #[derive(Serialize, Deserialize)]
                #[allow(dead_code, reason = "only described")]
                struct Person { #[serde(rename = "n")] name: String }
            },
            "-   name: text\n    +   n: text",
        ),
        (
            release! {
                events { Paid { cents: u64, by: Person } }

                #[derive(Serialize, Deserialize)]
                #[allow(dead_code, reason = "only described")]
                struct Person { #[serde(default)] name: String }
            },
            "-   name: text\n    +   name?: text",
        ),
        (
            release! {
                events { Paid { cents: u64, by: Person } }

                #[derive(Serialize, Deserialize)]
                #[allow(dead_code, reason = "only described")]
                struct Person { name: char }
            },
            "-   name: text\n    +   name: char",
        ),
    ] {
        paid().refuses(&catalogue, &[CHANGED, difference]);
    }
}

#[test]
fn serde_attributes_of_a_field() {
    paid().refuses(
        &release! {
            events { Paid { #[serde(rename = "amount")] cents: u64, by: Person } }

            #[derive(Serialize, Deserialize)]
            #[allow(dead_code, reason = "only described")]
            struct Person { name: String }
        },
        &[CHANGED, "rename = \"amount\""],
    );
}

fn units(version_2: bool) -> Catalogue {
    if version_2 {
        release! {
            events {
                #[event(version = 2, upcast(1 => cents))]
                Paid { cents: u64 },
            }

            fn cents(draft: &mut Draft) -> Result<(), UpcastError> {
                draft.rename("units", "cents")
            }
        }
    } else {
        release! { events { Paid { units: u64 } } }
    }
}

#[test]
fn a_version_that_went_down() {
    let lock = Locked::of(&units(false));
    lock.records(&units(true), &[]);
    lock.refuses(
        &units(false),
        &[
            "✗ `account.paid` is at v1, but v2 was recorded: its version went down",
            "set `version = 2` again",
        ],
    );
    assert!(!lock.text().contains("v2"), "{}", lock.text());
}

#[test]
fn a_name_that_can_no_longer_be_read() {
    let lock =
        Locked::of(&release! { events { Opened { owner: String }, Audited { by: String } } });
    lock.refuses(
        &release! { events { Opened { owner: String } } },
        &[
            "✗ events stored as `account.audited` can no longer be read",
            "keep the type as `#[event(retired)]`",
            "`alias = \"account.audited\"`",
            "`#[aggregate(ignore(\"account.audited\"))]`",
        ],
    );
    assert!(!lock.text().contains("audited"), "{}", lock.text());
}

#[test]
fn an_alias_a_source_or_an_ignored_name_that_is_gone() {
    let lock = Locked::of(&release! {
        ignore("account.counted")
        events {
            #[event(alias = "account.created")]
            Opened { owner: String },
            #[event(from("account.upgraded", upcast(1 => as_is, 2 => as_is)))]
            PlanChanged {},
        }

        fn as_is(draft: &mut Draft) -> Result<(), UpcastError> { draft.remove("nothing") }
    });
    let message = lock.refuses(
        &release! { events { Opened { owner: String }, PlanChanged {} } },
        &[
            "✗ events stored as `account.created` can no longer be read",
            "✗ events stored as `account.upgraded` can no longer be read",
            "✗ events stored as `account.counted` can no longer be read",
        ],
    );
    assert!(message.contains("- alias account.created"), "{message}");
}

#[test]
fn a_name_that_one_of_two_aggregates_no_longer_passes_over() {
    macro_rules! other {
        ($($ignored:tt)*) => {{
            #[derive(Default, cqrs_derive::Aggregate)]
            #[aggregate(category = "other", events(Noted), crate = cqrs_core $($ignored)*)]
            struct Other;

            #[derive(serde::Serialize, serde::Deserialize, cqrs_derive::Event)]
            #[event(name = "other.noted", crate = cqrs_core)]
            struct Noted;

            impl cqrs_core::Apply<Noted> for Other {
                fn apply(&mut self, _: Noted) {}
            }

            release! { ignore("account.counted") events { Opened { owner: String } } }
                .aggregate::<Other>()
        }};
    }
    let lock = Locked::of(&other!(, ignore("account.counted")));
    lock.refuses(
        &other!(),
        &["✗ `account.counted` is no longer passed over in the streams of `other`"],
    );
}

#[test]
fn a_step_that_is_gone() {
    let lock = Locked::of(&release! {
        events {
            #[event(from("account.upgraded", upcast(1 => as_is, 2 => as_is)))]
            PlanChanged {},
        }

        fn as_is(draft: &mut Draft) -> Result<(), UpcastError> { draft.remove("nothing") }
    });
    lock.refuses(
        &release! {
            events {
                #[event(from("account.upgraded", upcast(1 => as_is)))]
                PlanChanged {},
            }

            fn as_is(draft: &mut Draft) -> Result<(), UpcastError> { draft.remove("nothing") }
        },
        &[
            "✗ `account.upgraded` v2 is recorded, but there is no step from it",
            "write it in `from(\"account.upgraded\", upcast(2 => …))`",
        ],
    );
}

#[test]
fn a_recorded_version_of_a_type_that_is_now_another_name() {
    let lock = Locked::of(&units(false));
    lock.records(&units(true), &[]);
    // The new type begins at v1 again, though its alias was at v2.
    lock.refuses(
        &release! {
            events {
                #[event(alias = "account.paid")]
                Settled { cents: u64 },
            }
        },
        &["✗ `account.settled` is at v1, but v2 was recorded: its version went down"],
    );
    let lock = Locked::of(&units(false));
    // Under the new name, with another shape.
    lock.refuses(
        &release! {
            events {
                #[event(alias = "account.paid")]
                Settled { cents: u64 },
            }
        },
        &[CHANGED, "- units: u64 as `u64`\n    + cents: u64 as `u64`"],
    );
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let lock = Locked::of(&release! {
        events { Opened { owner: String }, Audited { by: String }, Paid { units: u64 } }
    });
    let message = lock.refuses(
        &release! { events { Opened { owner: u64 }, Paid { cents: u64 }, Closed } },
        &[
            "`account.opened` v1 has changed",
            "`account.paid` v1 has changed",
            "`account.audited` can no longer be read",
            "+ `account.closed` v1 is a new event type",
            "what is marked with + can be recorded with `EVENTS_LOCK=write cargo test` once ✗ is mended",
        ],
    );
    assert_eq!(message.matches('✗').count(), 4, "{message}");
}

/// An event type that no derive has written: nobody knows what is in it, nor checks its steps.
macro_rules! written_by_hand {
    ($event:ident, $event_type:expr) => {
        struct $event;

        impl Event for $event {
            const TYPES: &'static [EventType] = &[$event_type];

            fn event_type(&self) -> EventType {
                Self::TYPES[0]
            }

            fn encode(&self) -> Result<Payload, EncodeError> {
                Payload::of(&())
            }

            fn decode(_: &RecordedEvent) -> Result<Decoded<Self>, DecodeError> {
                Ok(Self.into())
            }
        }
    };
}

written_by_hand!(First, EventType::new("account.opened", 1));
written_by_hand!(Second, EventType::new("account.opened", 2));

#[test]
fn a_new_version_without_a_step_from_the_one_before() {
    let lock = Locked::of(&Catalogue::new().events::<First>());
    assert!(lock.text().ends_with("shape account.opened v1\n  nobody knows\n"), "{}", lock.text());
    lock.refuses(
        &Catalogue::new().events::<Second>(),
        &[
            "✗ `account.opened` v1 is recorded, but there is no step from it",
            "write it: `upcast(1 => …)`",
            "+ `account.opened` v2 is a new version",
        ],
    );
}

#[test]
fn names_that_mean_two_things() {
    let catalogue = release! { events { Opened { owner: String } } }.events::<Second>();
    for mode in [Mode::Check, Mode::Write, Mode::Accept] {
        let message = Locked::empty().verify(&catalogue, mode).unwrap_err();
        assert!(message.contains("`account.opened` is declared twice"), "{message}");
    }
}

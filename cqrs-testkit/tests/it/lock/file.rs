//! What is in the file, and what is recorded without more ado.

use cqrs_core::Catalogue;
use cqrs_testkit::Mode;

use super::{Locked, release};

fn first() -> Catalogue {
    release! {
        ignore("account.counted")
        events {
            /// Somebody opened it.
            Opened { owner: String, #[serde(default)] limit: Option<u64> },
            Deposited { cents: u64 },
            #[serde(rename_all = "camelCase")]
            Split { all_parts: Vec<Part>, by: std::collections::HashMap<String, By> },
            Closed,
        }

        #[derive(Serialize, Deserialize)]
        #[allow(dead_code, reason = "only described")]
        struct Part { cents: u64, #[serde(default)] note: String }

        #[derive(Serialize, Deserialize)]
        #[allow(dead_code, reason = "only described")]
        enum By { Nobody, Person { name: String }, Code(uuid::Uuid) }
    }
}

/// The blocks of the file.
const FIRST: &str = "
event account.closed v1

shape account.closed v1

ignored account.counted in account

event account.deposited v1

shape account.deposited v1
  cents: u64 as `u64`

event account.opened v1

shape account.opened v1
  limit: option<u64> as `Option<u64>` #[serde(default)]
  owner: text as `String`

event account.split v1

shape account.split v1
";

#[test]
fn a_file_that_is_not_there_is_asked_for_and_made() {
    let lock = Locked::empty();
    let message = lock.verify(&first(), Mode::Check).unwrap_err();
    assert!(message.contains("events.lock is not there yet"), "{message}");
    assert!(message.contains("EVENTS_LOCK=write cargo test"), "{message}");
    assert!(!lock.path().exists());

    lock.verify(&first(), Mode::Write).unwrap();
    let text = lock.text();
    assert!(text.contains(FIRST), "{text}");
    let split: Vec<&str> =
        text.lines().skip_while(|line| *line != "shape account.split v1").collect();
    let tail = "  all_parts: list<Part> as `Vec<Part>`
  by: map<text, By> as `std::collections::HashMap<String, By>`
  enum By
    Code = text like \"00000000-0000-0000-0000-000000000000\"
    Nobody
    Person
      name: text
  type Part
    cents: u64
    note?: text";
    assert!(split[1].contains("rename_all = \"camelCase\""), "{text}");
    assert_eq!(split[2..].join("\n"), tail, "{text}");
    lock.passes(&first());
}

#[test]
fn documentation_order_and_layout_are_no_change() {
    let lock = Locked::of(&release! {
        events {
            /// Somebody opened it.
            Opened { owner: std::collections::BTreeMap<u8, String>, part: Part },
            Closed,
        }

        #[derive(Serialize, Deserialize)]
        #[allow(dead_code, reason = "only described")]
        struct Part { cents: u64, by: By }

        #[derive(Serialize, Deserialize)]
        #[allow(dead_code, reason = "only described")]
        enum By { Nobody, Code(u8) }
    });
    lock.passes(&release! {
        events {
            Closed,
            /// In other words.
            Opened { part: Part, owner: std :: collections :: BTreeMap < u8 , String > },
        }

        #[derive(Serialize, Deserialize)]
        #[allow(dead_code, reason = "only described")]
        struct Part { by: By, cents: u64 }

        #[derive(Serialize, Deserialize)]
        #[allow(dead_code, reason = "only described")]
        enum By { Code(u8), Nobody }
    });
}

#[test]
fn a_new_event_type_is_recorded() {
    let lock = Locked::of(&release! { events { Opened { owner: String } } });
    lock.records(
        &release! { events { Opened { owner: String }, Closed { at: u64 } } },
        &["+ `account.closed` v1 is a new event type", "+ at: u64 as `u64`"],
    );
}

#[test]
fn a_new_version_is_recorded_and_the_one_before_stays() {
    let lock = Locked::of(&release! { events { Paid { units: u64 } } });
    let second = release! {
        events {
            #[event(version = 2, upcast(1 => cents))]
            Paid { cents: u64 },
        }

        fn cents(draft: &mut Draft) -> Result<(), UpcastError> {
            draft.rename("units", "cents")
        }
    };
    lock.records(&second, &["+ `account.paid` v2 is a new version", "+ cents: u64 as `u64`"]);
    let expected = "
event account.paid v2
  step account.paid v1 -> account.paid v2

shape account.paid v1
  units: u64 as `u64`

shape account.paid v2
  cents: u64 as `u64`
";
    assert!(lock.text().ends_with(expected), "{}", lock.text());
    // The version that is written is a fact of its own.
    let third = release! {
        events {
            #[event(version = 2, upcast(1 => cents), write_version = 1, downcast(2 => units))]
            Paid { cents: u64 },
        }

        fn cents(draft: &mut Draft) -> Result<(), UpcastError> {
            draft.rename("units", "cents")
        }

        fn units(draft: &mut Draft) -> Result<(), UpcastError> {
            draft.rename("cents", "units")
        }
    };
    lock.records(&third, &["the written version of `account.paid`", "+ written v1"]);
}

#[test]
fn other_names_of_rust_types_are_recorded_where_the_stored_form_shows() {
    let lock = Locked::of(&release! {
        events { Paid { amount: Sum } }

        #[derive(Serialize, Deserialize)]
        #[allow(dead_code, reason = "only described")]
        struct Sum { cents: u64 }
    });
    lock.records(
        &release! {
            events { Paid { amount: Amount } }

            #[derive(Serialize, Deserialize)]
            #[allow(dead_code, reason = "only described")]
            struct Amount { cents: Cents }

            #[derive(Serialize, Deserialize)]
            #[allow(dead_code, reason = "only described")]
            struct Cents(u64);
        },
        &[
            "+ `account.paid` v1 is written in other words, and stored as before",
            "- amount: Sum as `Sum`",
            "+ amount: Amount as `Amount`",
        ],
    );
}

#[test]
fn other_names_for_what_does_not_show_are_no_small_thing() {
    let lock = Locked::of(&release! { events { Noted { text: serde_json::Value } } });
    lock.refuses(
        &release! {
            events { Noted { text: Json } }
            type Json = serde_json::Value;
        },
        &["✗ the stored form of `account.noted` v1 has changed, but not its version"],
    );
}

#[test]
fn a_type_that_is_retired_renamed_split_or_ignored_is_recorded() {
    let lock = Locked::of(&release! {
        events { Opened { owner: String }, Audited { by: String }, Counted, Upgraded }
    });
    let text = lock.records(
        &release! {
            ignore("account.counted")
            events {
                #[event(alias = "account.opened")]
                Begun { owner: String },
                #[event(retired)]
                Audited { by: String },
                #[event(from("account.upgraded", upcast(1 => as_is)))]
                PlanChanged {},
            }

            fn as_is(draft: &mut Draft) -> Result<(), UpcastError> { draft.remove("nothing") }
        },
        &[
            "`account.opened` is no longer an event type of its own",
            "`account.upgraded` is no longer an event type of its own",
            "`account.counted` is passed over in the streams of `account`",
            "+ retired",
        ],
    );
    assert!(!text.contains("account.audited v1 is a new"), "{text}");
    let text = lock.text();
    for part in [
        "event account.audited v1\n  retired\n",
        "event account.begun v1\n  alias account.opened\n",
        "event account.plan-changed v1\n  step account.upgraded v1 -> account.plan-changed v1\n",
        "ignored account.counted in account\n\nshape account.counted v1\n",
        "shape account.opened v1\n  owner: text as `String`\n",
        "shape account.upgraded v1\n",
    ] {
        let part = part.replace("plan-changed", "plan_changed");
        assert!(text.contains(&part), "{part:?} is missing in\n{text}");
    }
}

#[test]
fn a_name_that_is_read_again_is_recorded() {
    let lock = Locked::of(&release! {
        ignore("account.counted")
        events {
            #[event(alias = "account.opened")]
            Begun { owner: String },
        }
    });
    lock.records(
        &release! {
            events {
                #[event(alias = "account.opened")]
                Begun { owner: String },
                Counted,
            }
        },
        &[
            "+ `account.counted` v1 is a new event type",
            "+ `account.counted` is no longer passed over in the streams of `account`",
        ],
    );
}

#[test]
fn a_file_that_is_damaged_is_refused() {
    let lock = Locked::of(&first());
    let text = lock.text();
    for (damaged, line) in [
        (text.replace("event account.opened v1", "<<<<<<< ours"), "<<<<<<< ours"),
        (text.replace("event account.opened v1", "event account.opened"), "event account.opened"),
        (format!("{text}\n  stray: u64\nshape x v1\nshape x v1\n"), "shape x v1"),
        (format!("{text}\nignored a in b\n  more\n"), "  more"),
        (format!("{text}\nevent x v1\n  step x v1 -> y\n"), "  step x v1 -> y"),
    ] {
        std::fs::write(lock.path(), damaged).unwrap();
        for mode in [Mode::Check, Mode::Write, Mode::Accept] {
            let message = lock.verify(&first(), mode).unwrap_err();
            assert!(message.contains(&format!("{line:?}")), "{message}");
            assert!(message.contains("can't be read"), "{message}");
        }
    }
    std::fs::write(lock.path(), text.replace('\n', "\r\n")).unwrap();
    lock.verify(&first(), Mode::Check).unwrap();
    std::fs::write(lock.path(), &text).unwrap();
    lock.passes(&first());
}

#[test]
fn nothing_else_is_left_beside_the_file() {
    let lock = Locked::of(&first());
    lock.verify(&release! { events { Opened { owner: u8 } } }, Mode::Accept).unwrap();
    let files = std::fs::read_dir(lock.directory.path()).unwrap().count();
    assert_eq!(files, 1);
}

#[test]
fn a_path_begins_at_the_package() {
    if std::env::var_os("EVENTS_LOCK").is_some() {
        // It would be made.
        return;
    }
    let panic = std::panic::catch_unwind(|| {
        cqrs_testkit::check_lock("tests/it/lock/none.lock", &first());
    });
    let message = *panic.unwrap_err().downcast::<String>().unwrap();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/lock/none.lock");
    assert!(message.contains(&path.display().to_string()), "{message}");
}

//! Folds as functions: what passes, and what is said of what does not.

use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::{Mutex, Once};

use cqrs_testkit::projections::{GivenEvents, given_events};

use super::domain::{Balance, Closed, Deposited, Moved, Opened, OtherEvent, Refused};

fn given() -> GivenEvents {
    given_events([
        ("account", "1", Opened { owner: "Ada".into() }),
        ("account", "2", Opened { owner: "Bob".into() }),
        ("account", "1", Deposited { cents: 300 }),
    ])
}

#[test]
fn rows_are_expected_in_any_order() {
    given().expect_rows([Balance::of("2", Some("Bob"), 0), Balance::of("1", Some("Ada"), 300)]);
    given()
        .and([("account", 1, Moved { cents: 100, to: "2".into() })])
        .expect_rows([Balance::of("1", Some("Ada"), 200), Balance::of("2", Some("Bob"), 100)]);
}

#[test]
fn rows_are_deleted() {
    given().and([("account", 1, Closed)]).expect_rows([Balance::of("2", Some("Bob"), 0)]);
    given().and([("account", 1, Closed), ("account", 2, Closed)]).expect_no_rows::<Balance>();
}

#[test]
fn events_that_are_not_wanted_are_left_out() {
    given_events([("other", "1", OtherEvent::Happened)]).expect_no_rows::<Balance>();
    given_events([("other", "1", OtherEvent::Happened)])
        .and([("account", "1", Opened { owner: "Ada".into() })])
        .expect_rows([Balance::of("1", Some("Ada"), 0)]);
}

#[test]
fn a_row_that_is_named_twice_is_folded_once() {
    given()
        .and([("account", "1", Moved { cents: 50, to: "1".into() })])
        .expect_rows([Balance::of("1", Some("Ada"), 300), Balance::of("2", Some("Bob"), 0)]);
}

/// The message of a test that fails, which must be at the place of this function's caller.
#[track_caller]
fn message(test: impl FnOnce()) -> String {
    static PLACES: Mutex<Vec<(std::thread::ThreadId, String, u32)>> = Mutex::new(Vec::new());
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if let Some(place) = panic.location() {
                let thread = std::thread::current().id();
                PLACES.lock().unwrap().push((thread, place.file().to_owned(), place.line()));
            }
            before(panic);
        }));
    });
    let begin = Location::caller();
    let panic = catch_unwind(AssertUnwindSafe(test)).unwrap_err();
    let thread = std::thread::current().id();
    let places = PLACES.lock().unwrap();
    let (_, file, line) = places.iter().rfind(|(of, ..)| *of == thread).unwrap();
    assert_eq!(file, begin.file(), "the panic is not at the caller's place");
    assert!((begin.line()..begin.line() + 8).contains(line), "{line} is not the caller's line");
    panic.downcast_ref::<String>().unwrap().clone()
}

#[test]
fn other_rows_are_shown_as_a_difference() {
    let message = message(|| {
        given().expect_rows([Balance::of("1", Some("Ada"), 200), Balance::of("2", Some("Bob"), 0)]);
    });
    let expected = r#"view `balances` has other rows

given
    account/1: account.opened v1 {
      "owner": "Ada"
    }
    account/2: account.opened v1 {
      "owner": "Bob"
    }
    account/1: account.deposited v1 {
      "cents": 300
    }
rows (- expected, + found)
      Balance {
          account: "1",
          owner: Some(
              "Ada",
          ),
    -     cents: 200,
    +     cents: 300,
      }
      Balance {
          account: "2",
          owner: Some(
              "Bob",
          ),
          cents: 0,
      }
"#;
    assert_eq!(message, expected);
}

#[test]
fn rows_too_many_or_too_few_are_shown() {
    let too_many = message(|| given().expect_rows([Balance::of("2", Some("Bob"), 0)]));
    assert!(too_many.contains("\n    + Balance {\n    +     account: \"1\""), "{too_many}");
    let too_few = message(|| {
        let three = [("1", Some("Ada"), 300), ("2", Some("Bob"), 0), ("3", None, 0)];
        given()
            .expect_rows(three.map(|(account, owner, cents)| Balance::of(account, owner, cents)));
    });
    assert!(too_few.contains("\n    - Balance {\n    -     account: \"3\""), "{too_few}");
    let none = message(|| {
        given_events::<&str, u8, OtherEvent>([]).expect_rows([Balance::of("1", None, 0)]);
    });
    assert!(none.contains("given\n    nothing\n"), "{none}");
}

#[test]
fn an_event_that_can_not_be_folded_is_named() {
    let failed = message(|| {
        let moved = ("account", "2", Moved { cents: 7, to: "1".into() });
        given().and([moved]).expect_no_rows::<Balance>();
    });
    let expected = r#"view `balances` can't fold an event into the row with key "2": there is not enough to move

    account/2: account.moved v1 {
      "cents": 7,
      "to": "1"
    }
"#;
    assert_eq!(failed, expected);
    let renamed = message(|| {
        given_events([("account", "1", Refused)]).expect_no_rows::<Balance>();
    });
    let expected = "into the row with key \"1\": it made the row one with key \"another\"";
    assert!(renamed.contains(expected), "{renamed}");
}

#[test]
fn a_row_that_can_not_be_stored_is_named() {
    let found = message(|| {
        let deposited = Deposited { cents: u64::MAX };
        given_events([("account", "1", deposited)]).expect_no_rows::<Balance>();
    });
    assert!(found.starts_with("view `balances` can't store a row: column `cents`: "), "{found}");
    let expected = message(|| {
        given().expect_rows([Balance::of("1", None, u64::MAX)]);
    });
    assert!(expected.starts_with("view `balances` can't store an expected row: "), "{expected}");
    let twice = message(|| {
        given().expect_rows([Balance::of("1", None, 1), Balance::of("1", None, 2)]);
    });
    assert_eq!(twice, "two rows with the key \"1\" are expected of view `balances`");
}

#[test]
fn what_can_not_have_happened_is_named() {
    let message = message(|| {
        let _ = given_events([("bank account", "1", Closed)]);
    });
    assert!(message.starts_with("a given event is in a stream that can't be: "), "{message}");
}

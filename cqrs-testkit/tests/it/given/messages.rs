//! What is said when a test fails: the whole text, and the caller's place.

use std::cell::RefCell;
use std::panic::{Location, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use cqrs_testkit::given;

use super::domain::AccountEvent::{Closed, Deposited, Opened, Withdrawn};
use super::domain::{AccountError, AccountEvent, Placed, Rate, Ship, Shipped, Withdraw};

thread_local! {
    static LINE: RefCell<Option<(String, u32)>> = const { RefCell::new(None) };
}

/// The message of a test that fails, which must be at a line of this file within `lines` after `begin`.
#[track_caller]
fn message(test: impl FnOnce() + std::panic::UnwindSafe) -> String {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            let place = panic.location().map(|place| (place.file().to_owned(), place.line()));
            LINE.with_borrow_mut(|line| *line = place);
            before(panic);
        }));
    });
    let begin = Location::caller();
    let panic = catch_unwind(test).unwrap_err();
    let (file, line) = LINE.take().unwrap();
    assert_eq!(file, begin.file(), "the panic is not at the caller's place");
    // The statement that fails follows the call of this function.
    assert!((begin.line()..begin.line() + 6).contains(&line), "{line} is not the caller's line");
    panic.downcast_ref::<String>().unwrap().clone()
}

fn history() -> [AccountEvent; 2] {
    [Opened { owner: "Ada".into() }, Deposited { cents: 300 }]
}

const GIVEN: &str = r#"
given
    account.opened v1 {
      "owner": "Ada"
    }
    account.deposited v2 {
      "cents": 300
    }
when
    Withdraw
"#;

#[test]
fn other_events_are_shown_as_a_difference() {
    let message = message(|| {
        given(history())
            .when(Withdraw { cents: 300 })
            .then((Withdrawn { cents: 200 }, Opened { owner: "Ada".into() }));
    });
    let expected = r#"then (- expected, + happened)
      account.withdrawn v1 {
    -   "cents": 200
    +   "cents": 300
      }
    - account.opened v1 {
    -   "owner": "Ada"
    - }
    + account.closed v1 {}
"#;
    assert_eq!(message, format!("`Withdraw` led to other events\n{GIVEN}{expected}"));
}

#[test]
fn an_event_too_many_or_too_few_is_shown() {
    let too_many = message(|| {
        given(history()).when(Withdraw { cents: 300 }).then(Withdrawn { cents: 300 });
    });
    assert!(too_many.ends_with("\n      }\n    + account.closed v1 {}\n"), "{too_many}");
    let too_few = message(|| {
        given(history()).when(Withdraw { cents: 0 }).then(Closed);
    });
    assert!(too_few.ends_with("happened)\n    - account.closed v1 {}\n"), "{too_few}");
}

#[test]
fn events_of_another_order_differ() {
    let message = message(|| {
        let expected = (Shipped { parcel: Some("p-1".into()) }, Placed { lines: vec![] });
        given(Placed { lines: vec!["tea".into()] }).when(Ship { parcel: "p-1" }).then(expected);
    });
    let expected = r#"`Ship` led to other events

given
    order.placed v1 {
      "lines": [
        "tea"
      ]
    }
when
    Ship
then (- expected, + happened)
    + order.placed v1 {
    +   "lines": []
    + }
      parcel.shipped v1 {
        "parcel": "p-1"
      }
    - order.placed v1 {
    -   "lines": []
    - }
"#;
    assert_eq!(message, expected);
}

#[test]
fn a_refusal_is_shown_where_events_are_expected() {
    let message = message(|| {
        given(history()).when(Withdraw { cents: 500 }).then(Withdrawn { cents: 500 });
    });
    let expected = r#"then
    account.withdrawn v1 {
      "cents": 500
    }

    but it was refused: only 300 cents are available
    InsufficientFunds {
        available: 300,
    }
"#;
    let what = "`Withdraw` was refused, but is to lead to events";
    assert_eq!(message, format!("{what}\n{GIVEN}{expected}"));
}

#[test]
fn events_are_shown_where_a_refusal_is_expected() {
    let message = message(|| {
        given(history()).when(Withdraw { cents: 10 }).then_err(AccountError::NotOpen);
    });
    let expected = r#"then
    NotOpen

    but it led to
    account.withdrawn v1 {
      "cents": 10
    }
"#;
    let what = "`Withdraw` is to be refused, but was not";
    assert_eq!(message, format!("{what}\n{GIVEN}{expected}"));
}

#[test]
fn another_refusal_is_shown_as_a_difference() {
    let message = message(|| {
        given(history())
            .when(Withdraw { cents: 500 })
            .then_err(AccountError::InsufficientFunds { available: 200 });
    });
    let expected = "then (- expected, + happened)
      InsufficientFunds {
    -     available: 200,
    +     available: 300,
      }
";
    assert_eq!(message, format!("`Withdraw` was refused with another error\n{GIVEN}{expected}"));
}

#[test]
fn without_history_nothing_is_given() {
    let message = message(|| {
        given(()).when(Withdraw { cents: 500 }).then(());
    });
    let begin = "`Withdraw` was refused, but is to lead to events\n\ngiven\n    nothing\nwhen\n";
    assert!(message.starts_with(begin), "{message}");
}

#[test]
fn an_event_that_can_not_be_stored_is_named() {
    let decided = message(|| drop(given(history()).when(Rate)));
    assert_eq!(
        decided,
        "an event that was decided on, `account.rated v1`, can't be stored: the number at `score` is not finite, \
         which JSON can't hold; store it as an option or a text"
    );
    let happened = message(|| {
        let _ = given(AccountEvent::Rated { score: f64::INFINITY }).when(Withdraw { cents: 1 });
    });
    assert!(
        happened.starts_with("a given event, `account.rated v1`, can't be stored"),
        "{happened}"
    );
    let expected = message(|| {
        let score = f64::INFINITY;
        given(history()).when(Withdraw { cents: 1 }).then(AccountEvent::Rated { score });
    });
    assert!(expected.starts_with("an expected event, `account.rated v1`, can't"), "{expected}");
}

//! Tests that pass, in every form they can be written in.

use cqrs_testkit::given;

use super::domain::AccountEvent::{Closed, Deposited, Opened, Withdrawn};
use super::domain::{
    AccountError, AccountEvent, Noted, OrderEvent, Placed, Ship, Shipped, Withdraw,
};

fn history() -> [AccountEvent; 2] {
    [Opened { owner: "Ada".into() }, Deposited { cents: 300 }]
}

#[test]
fn events_are_given_and_expected_as_one_several_or_none() {
    given(history()).when(Withdraw { cents: 200 }).then(Withdrawn { cents: 200 });
    given(history()).when(Withdraw { cents: 200 }).then([Withdrawn { cents: 200 }]);
    given(Vec::from(history())).when(Withdraw { cents: 200 }).then(vec![Withdrawn { cents: 200 }]);
    given(history()).when(Withdraw { cents: 300 }).then((Withdrawn { cents: 300 }, Closed));
    given(history()).when(Withdraw { cents: 0 }).then(());
    given(()).when(Withdraw { cents: 1 }).then_err(AccountError::NotOpen);
    given(Opened { owner: "Ada".into() })
        .when(Withdraw { cents: 1 })
        .then_err(AccountError::InsufficientFunds { available: 0 });
}

#[test]
fn events_of_several_types_are_given_and_expected_as_a_tuple() {
    let placed = |line: &str| Placed { lines: vec![line.into()] };
    let shipped = || Shipped { parcel: Some("p-1".into()) };
    let nothing = || Placed { lines: vec![] };
    given((placed("tea"), shipped(), placed("milk")))
        .when(Ship { parcel: "p-1" })
        .then((nothing(), shipped()));
    // And as the enum over all of them, alone or among the others.
    given([OrderEvent::from(placed("tea")), OrderEvent::Shipped(shipped())])
        .when(Ship { parcel: "p-1" })
        .then((OrderEvent::from(nothing()), shipped()));
}

#[test]
fn the_state_is_that_after_what_happened() {
    given(history())
        .when(Withdraw { cents: 200 })
        .then(Withdrawn { cents: 200 })
        .then_state(|account| assert_eq!(account.cents, 100));
    given(history())
        .when(Withdraw { cents: 301 })
        .then_err(AccountError::InsufficientFunds { available: 300 })
        .then_state(|account| assert_eq!(account.owner.as_deref(), Some("Ada")));
}

#[test]
#[should_panic(expected = "a given event does not read back: can't read event `order.noted` v1")]
fn events_reach_the_aggregate_as_they_would_from_a_store() {
    let _ = given(Noted { text: "fragile".into() }).when(Ship { parcel: "p-1" });
}

//! Projections and views that are run over given events.

use std::collections::BTreeMap;

use cqrs_core::{MemoryModel, MemoryView};
use cqrs_testkit::projections::{GivenEvents, given_events};

use super::domain::{Balance, Deposited, OtherEvent, Refused, Total, Totals};

fn given() -> GivenEvents {
    given_events([
        ("account", 1, Deposited { cents: 300 }),
        ("account", 2, Deposited { cents: 20 }),
        ("account", 1, Deposited { cents: 4 }),
    ])
    .and([("other", 1, OtherEvent::Happened)])
}

#[tokio::test]
async fn a_projection_takes_given_events() {
    let model = given().project(Total, MemoryModel::new(Totals::new())).await;
    let right = Totals::from([("1".to_owned(), 304), ("2".to_owned(), 20)]);
    assert_eq!(model.read(Clone::clone), right);
}

#[tokio::test]
async fn a_view_takes_given_events() {
    let model: MemoryView<Balance> = given().keep(MemoryModel::new(BTreeMap::new())).await;
    let rows: Vec<Balance> = model.read(|rows| rows.values().cloned().collect());
    assert_eq!(rows, [Balance::of("1", None, 304), Balance::of("2", None, 20)]);
}

#[tokio::test]
async fn nothing_given_leaves_what_was_there() {
    let nothing = given_events::<&str, u8, OtherEvent>([]);
    let model = nothing.project(Total, MemoryModel::new(Totals::from([("9".to_owned(), 9)]))).await;
    assert_eq!(model.read(Clone::clone), Totals::from([("9".to_owned(), 9)]));
}

#[tokio::test]
async fn an_event_that_fails_is_named() {
    let run = tokio::spawn(async {
        let refused = given_events([("account", 7, Refused)]);
        refused.project(Total, MemoryModel::new(Totals::new())).await;
    });
    let panic = run.await.unwrap_err().into_panic();
    assert_eq!(
        panic.downcast_ref::<String>().unwrap(),
        "`totals` v1 failed with event `account.refused` at version 1 of stream `account/7`: it is refused"
    );
}

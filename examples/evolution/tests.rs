//! What keeps stored events readable.

use cqrs::{EventStore as _, LogFilter, MemoryStore, Position, RecordedEvent, Repository};
use cqrs_testkit::{check_lock, check_samples, stored};
use serde_json::json;

use crate::events::{Address, MemberEvent, Money, Plan};
use crate::member::Member;
use crate::{V1, catalogue, import, v1};

#[test]
fn stored_events() {
    check_lock("examples/evolution/events.lock", &catalogue());
}

#[test]
fn stored_samples() {
    check_samples("examples/evolution/events.samples.ndjson", &catalogue());
}

#[test]
fn what_version_1_has_stored_is_what_it_would_store() {
    assert_eq!(v1::events(), V1);
}

#[test]
fn each_step_does_what_it_should() {
    let joined = |plan| MemberEvent::Joined { given: "Ada".into(), family: "Byron".into(), plan };
    let paid = |cents| MemberEvent::Paid { amount: Money { cents, currency: "EUR".into() } };
    stored("member.joined", 1, json!({ "name": "Ada Byron", "plan": "premium" }))
        .becomes([joined(Plan::Premium)]);
    stored(
        "member.joined_and_paid",
        1,
        json!({ "name": "Ada Byron", "plan": "basic", "euros": 2 }),
    )
    .becomes([joined(Plan::Basic), paid(200)]);
    stored(
        "member.joined_and_paid",
        1,
        json!({ "name": "Ada Byron", "plan": "basic", "euros": 0 }),
    )
    .becomes([joined(Plan::Basic)]);
    stored("member.paid", 1, json!({ "euros": 3 })).becomes([paid(300)]);
    stored("member.paid", 2, json!({ "cents": 3, "currency": "EUR" })).becomes([paid(3)]);
    let address = Address { street: "Via Roma 1".into(), city: "Turin".into() };
    stored("member.moved", 1, json!({ "street": "Via Roma 1", "city": "Turin" }))
        .becomes([MemberEvent::AddressChanged { address }]);
    stored("member.upgraded", 1, json!({}))
        .becomes([MemberEvent::PlanChanged { plan: Plan::Premium }]);
    let day = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_hours(24 * 365);
    stored("member.left", 1, json!({}))
        .recorded_at(day)
        .becomes([MemberEvent::Left { day: 365, reason: None }]);
}

#[tokio::test]
async fn every_member_of_version_1_can_be_loaded() {
    let store = MemoryStore::new();
    let events = import(&store, V1).await.unwrap();
    let report = catalogue().dry_run(&store, 3, |_| {}).await.unwrap();
    assert_eq!((report.failures(), report.stored), (0, events as u64), "{report}");

    let page = store.read_log(&LogFilter::all(), Position::START, events).await.unwrap();
    let members = Repository::new(store);
    let last = |member: &str| {
        page.events.iter().rev().find(|event| event.stream.key() == member).map(version_of)
    };
    for number in 1..=40 {
        let key = format!("m-{number:03}");
        let member = members.load::<Member>(&key).await.unwrap();
        assert_eq!(Some(member.version.get()), last(&key));
    }
}

fn version_of(event: &RecordedEvent) -> u64 {
    event.version.get()
}

//! An event type that another aggregate writes from now on.

use cqrs::prelude::*;
use cqrs::{
    BoxError, EventStore as _, MemoryStore, MemoryView, Received, Repository, Rows as _, StreamId,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;

use super::{append, stored};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(prefix = "account")]
enum AccountEvent {
    Opened {},
}

/// It used to be an event of accounts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(prefix = "customer")]
enum CustomerEvent {
    #[event(alias = "account.address_changed")]
    AddressChanged { city: String },
}

#[derive(Debug, Default, PartialEq, Aggregate)]
#[aggregate(category = "account", events(AccountEvent), ignore("account.address_changed"))]
struct Account {
    is_open: bool,
}

impl Apply<AccountEvent> for Account {
    fn apply(&mut self, AccountEvent::Opened {}: AccountEvent) {
        self.is_open = true;
    }
}

#[derive(Debug, Default, PartialEq, Aggregate)]
#[aggregate(category = "customer", events(CustomerEvent))]
struct Customer {
    city: String,
}

impl Apply<CustomerEvent> for Customer {
    fn apply(&mut self, CustomerEvent::AddressChanged { city }: CustomerEvent) {
        self.city = city;
    }
}

#[derive(Debug, Clone, Command)]
#[command(aggregate = Customer, id = customer)]
struct Move {
    customer: String,
    city: String,
}

impl Handle<Move> for Customer {
    fn handle(&self, Move { city, .. }: Move) -> Decision<Self> {
        emit(CustomerEvent::AddressChanged { city })
    }
}

/// Sees both: those of the accounts they were stored with, and those of customers.
#[derive(Debug, Clone, PartialEq, View)]
#[view(name = "cities", key(whose), events(CustomerEvent))]
struct City {
    whose: String,
    city: String,
}

impl Fold<CustomerEvent> for City {
    fn rows(_: &CustomerEvent, received: &Received<'_>) -> impl IntoIterator<Item = String> {
        [received.stream.to_string()]
    }

    fn fold(
        row: &mut Option<Self>,
        whose: &String,
        CustomerEvent::AddressChanged { city }: &CustomerEvent,
        _: &Received<'_>,
    ) -> Result<(), BoxError> {
        *row = Some(Self { whose: whose.clone(), city: city.clone() });
        Ok(())
    }
}

#[tokio::test]
async fn an_event_type_moves_to_another_aggregate() {
    let store = MemoryStore::new();
    let account = StreamId::new("account", "1").unwrap();
    let old = [
        stored("account.opened", 1, json!({})),
        stored("account.address_changed", 1, json!({ "city": "Graz" })),
    ];
    append(&store, &account, &old).await;
    let bus = Bus::builder(store.clone()).aggregate::<Account>().aggregate::<Customer>();
    let bus = bus.build().unwrap();
    bus.send(Move { customer: "7".into(), city: "Turin".into() }).await.unwrap();

    let repository = Repository::new(store.clone());
    let loaded = repository.load::<Account>("1").await.unwrap();
    assert!(loaded.state.is_open && loaded.version.get() == 2);
    assert_eq!(repository.load::<Customer>("7").await.unwrap().state.city, "Turin");

    let model = MemoryView::<City>::new(BTreeMap::new());
    let view = Projector::new(store.clone()).start_view::<City>(model.clone());
    let patience = std::time::Duration::from_mins(1);
    view.wait_for(store.head().await.unwrap().last, patience).await.unwrap();
    let city = async |whose: &str| model.row(&whose.to_owned()).await.unwrap().unwrap().city;
    assert_eq!((&*city("account/1").await, &*city("customer/7").await), ("Graz", "Turin"));
    view.stop().await;
}

use cqrs::{BoxError, Event, MemoryModel, Project, Projection, Received, Transaction};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
enum AccountEvent {
    Opened,
}

#[derive(Event)]
#[event(name = "account.opened")]
struct Opened;

#[derive(Projection)]
#[projection(model = MemoryModel<u64>, events(AccountEvent, Opened))]
struct Balances;

impl Project<AccountEvent> for Balances {
    async fn project(
        &self,
        _: AccountEvent,
        _: &Received<'_>,
        _: &mut Transaction<Self>,
    ) -> Result<(), BoxError> {
        Ok(())
    }
}

impl Project<Opened> for Balances {
    async fn project(
        &self,
        _: Opened,
        _: &Received<'_>,
        _: &mut Transaction<Self>,
    ) -> Result<(), BoxError> {
        Ok(())
    }
}

fn main() {}

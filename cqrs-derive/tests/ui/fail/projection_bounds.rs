use std::marker::PhantomData;

use cqrs::{BoxError, Event, MemoryModel, Project, Projection, Received, Transaction};

#[derive(Event)]
struct Opened;

trait Currency: Send + Sync + 'static {}

// The bound of the impl is missing here.
#[derive(Projection)]
#[projection(model = MemoryModel<u64>, events(Opened))]
struct Payments<C>(PhantomData<C>);

impl<C: Currency> Project<Opened> for Payments<C> {
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

use std::marker::PhantomData;

use cqrs::{BoxError, Event, MemoryModel, Project, Projection, Received, Transaction};

mod shared {
    #[derive(cqrs::Event)]
    pub struct Audited;
}

#[derive(Event)]
struct Opened;

#[derive(Projection)]
#[projection(model = MemoryModel<u64>, events(Opened))]
struct One;

#[derive(Projection)]
#[projection(model = MemoryModel<u64>, events(Opened, shared::Audited))]
struct Several;

#[derive(Projection)]
#[projection(model = MemoryModel<u64>, events(Opened))]
struct Generic<T>(PhantomData<T>);

impl Project<Opened> for Several {
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

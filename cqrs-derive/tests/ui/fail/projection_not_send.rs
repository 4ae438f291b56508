use std::rc::Rc;

use cqrs::{BoxError, Event, MemoryModel, Project, Projection, Received, Transaction};

#[derive(Event)]
struct Opened;

#[derive(Projection)]
#[projection(model = MemoryModel<u64>, events(Opened))]
struct Counter;

impl Project<Opened> for Counter {
    async fn project(
        &self,
        _: Opened,
        _: &Received<'_>,
        _: &mut Transaction<Self>,
    ) -> Result<(), BoxError> {
        let held = Rc::new(());
        std::future::ready(()).await;
        drop(held);
        Ok(())
    }
}

fn main() {}

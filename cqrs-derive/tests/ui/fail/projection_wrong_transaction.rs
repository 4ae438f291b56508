use cqrs::{BoxError, Event, MemoryModel, MemoryTransaction, Project, Projection, Received};

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
        _: &mut MemoryTransaction<String>,
    ) -> Result<(), BoxError> {
        Ok(())
    }
}

fn main() {}

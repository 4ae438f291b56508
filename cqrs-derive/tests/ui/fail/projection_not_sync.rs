use cqrs::{BoxError, Event, MemoryModel, Project, Projection, Received, Transaction};

#[derive(Event)]
struct Opened;

#[derive(Projection)]
#[projection(model = MemoryModel<u64>, events(Opened))]
struct Borrowing {
    last: std::cell::Cell<u64>,
}

impl Project<Opened> for Borrowing {
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

use cqrs::{BoxError, Event, MemoryModel, Project, Projection, Received, Transaction};

#[derive(Event)]
struct Opened;

#[derive(Projection)]
#[projection(name = "one", model = MemoryModel<u64>, name = "two", events(Opened), events(Opened))]
#[projection(version = 1, version = 2, model = MemoryModel<u8>)]
struct Twice;

impl Project<Opened> for Twice {
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

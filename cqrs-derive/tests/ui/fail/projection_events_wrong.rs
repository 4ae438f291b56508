use cqrs::{BoxError, Event, MemoryModel, Project, Projection, Received, Transaction};

#[derive(Event)]
struct Opened;

#[derive(Projection)]
#[projection(model = MemoryModel<u64>, events(Opened, Opened))]
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

#[derive(Projection)]
#[projection(model = MemoryModel<u64>, events("opened"))]
struct Quoted;

#[derive(Projection)]
#[projection(model = MemoryModel<u64>, events([Opened; 2], Self))]
struct NotNames;

fn main() {}

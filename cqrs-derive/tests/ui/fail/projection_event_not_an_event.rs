use cqrs::{BoxError, Event, MemoryModel, Project, Projection, Received, Transaction};

struct Opened;

#[derive(Event)]
struct Closed;

#[derive(Projection)]
#[projection(model = MemoryModel<u64>, events(Opened))]
struct One;

#[derive(Projection)]
#[projection(model = MemoryModel<u64>, events(Closed, Opened))]
struct Several;

impl Project<Closed> for Several {
    async fn project(
        &self,
        _: Closed,
        _: &Received<'_>,
        _: &mut Transaction<Self>,
    ) -> Result<(), BoxError> {
        Ok(())
    }
}

impl Project<Opened> for One {
    async fn project(
        &self,
        _: Opened,
        _: &Received<'_>,
        _: &mut Transaction<Self>,
    ) -> Result<(), BoxError> {
        Ok(())
    }
}

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

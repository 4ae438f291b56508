use cqrs::{BoxError, Event, MemoryModel, Project, Projection, Received, Transaction};

#[derive(Event)]
struct Opened;

#[derive(Projection)]
#[projection(version = 0, model = MemoryModel<u64>, events(Opened))]
struct Zero;

#[derive(Projection)]
#[projection(version = 4294967296, model = MemoryModel<u64>, events(Opened))]
struct Large;

#[derive(Projection)]
#[projection(version = "2", model = MemoryModel<u64>, events(Opened))]
struct Text;

impl Project<Opened> for Zero {
    async fn project(
        &self,
        _: Opened,
        _: &Received<'_>,
        _: &mut Transaction<Self>,
    ) -> Result<(), BoxError> {
        Ok(())
    }
}

impl Project<Opened> for Large {
    async fn project(
        &self,
        _: Opened,
        _: &Received<'_>,
        _: &mut Transaction<Self>,
    ) -> Result<(), BoxError> {
        Ok(())
    }
}

impl Project<Opened> for Text {
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

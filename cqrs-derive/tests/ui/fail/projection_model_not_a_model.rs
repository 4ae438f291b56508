use cqrs::{
    BoxError, Event, MemoryModel, MemoryTransaction, Project, Projection, Received, Transaction,
};

#[derive(Event)]
struct Opened;

struct Rows;

#[derive(Projection)]
#[projection(model = Rows, events(Opened))]
struct One;

#[derive(Projection)]
#[projection(model = Row, events(Opened))]
struct Misspelled;

// What it holds can't be cloned.
#[derive(Projection)]
#[projection(model = MemoryModel<Rows>, events(Opened))]
struct NotClone;

impl Project<Opened> for One {
    async fn project(
        &self,
        _: Opened,
        _: &Received<'_>,
        _: &mut Rows,
    ) -> Result<(), BoxError> {
        Ok(())
    }
}

impl Project<Opened> for Misspelled {
    async fn project(
        &self,
        _: Opened,
        _: &Received<'_>,
        _: &mut Transaction<Self>,
    ) -> Result<(), BoxError> {
        Ok(())
    }
}

impl Project<Opened> for NotClone {
    async fn project(
        &self,
        _: Opened,
        _: &Received<'_>,
        _: &mut MemoryTransaction<Rows>,
    ) -> Result<(), BoxError> {
        Ok(())
    }
}

fn main() {}

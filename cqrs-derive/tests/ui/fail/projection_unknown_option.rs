use cqrs::{BoxError, Event, MemoryModel, Project, Projection, Received, Transaction};

#[derive(Event)]
struct Opened;

#[derive(Projection)]
#[projection(model = MemoryModel<u64>, events(Opened), versoin = 2)]
struct Misspelled;

#[derive(Projection)]
#[projection(model = MemoryModel<u64>, events(Opened), category = "account")]
struct Category;

#[derive(Projection)]
#[projection(model = MemoryModel<u64>, events(Opened), colour = "red")]
struct Unknown;

#[derive(Projection)]
#[projection]
struct NoParentheses;

#[derive(Projection)]
#[projection(model = MemoryModel<u64>, events(Opened))]
struct OnField {
    #[projection(name = "field")]
    field: u8,
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

impl Project<Opened> for Category {
    async fn project(
        &self,
        _: Opened,
        _: &Received<'_>,
        _: &mut Transaction<Self>,
    ) -> Result<(), BoxError> {
        Ok(())
    }
}

impl Project<Opened> for Unknown {
    async fn project(
        &self,
        _: Opened,
        _: &Received<'_>,
        _: &mut Transaction<Self>,
    ) -> Result<(), BoxError> {
        Ok(())
    }
}

impl Project<Opened> for NoParentheses {
    async fn project(
        &self,
        _: Opened,
        _: &Received<'_>,
        _: &mut Transaction<Self>,
    ) -> Result<(), BoxError> {
        Ok(())
    }
}

impl Project<Opened> for OnField {
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

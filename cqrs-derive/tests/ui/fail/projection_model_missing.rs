use cqrs::{BoxError, Event, Project, Projection, Received, Transaction};

#[derive(Event)]
pub struct Opened;

#[derive(Projection)]
pub struct NoAttribute;

#[derive(Projection)]
#[projection(events(Opened))]
pub struct NoModel;

#[derive(Projection)]
#[projection(model, events(Opened))]
pub struct NoType;

#[derive(Projection)]
#[projection(model = "SqliteModel", events(Opened))]
pub struct Quoted;

#[derive(Projection)]
#[projection(model(SqliteModel), events(Opened))]
pub struct InParentheses;

impl Project<Opened> for NoModel {
    async fn project(
        &self,
        _: Opened,
        _: &Received<'_>,
        _: &mut Transaction<Self>,
    ) -> Result<(), BoxError> {
        Ok(())
    }
}

impl Project<Opened> for NoType {
    async fn project(
        &self,
        _: Opened,
        _: &Received<'_>,
        _: &mut Transaction<Self>,
    ) -> Result<(), BoxError> {
        Ok(())
    }
}

impl Project<Opened> for Quoted {
    async fn project(
        &self,
        _: Opened,
        _: &Received<'_>,
        _: &mut Transaction<Self>,
    ) -> Result<(), BoxError> {
        Ok(())
    }
}

impl Project<Opened> for InParentheses {
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

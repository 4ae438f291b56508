use cqrs::{BoxError, Event, MemoryModel, Project, Projection, Received, Transaction};

#[derive(Event)]
struct Opened;

#[derive(Projection)]
#[projection(model = MemoryModel<u64>, events(Opened), tables = "")]
struct Empty;

#[derive(Projection)]
#[projection(model = MemoryModel<u64>, events(Opened), tables = 7)]
struct Number;

#[derive(Projection)]
#[projection(model = MemoryModel<u64>, events(Opened), tables("CREATE TABLE balances (cents bigint)"))]
struct List;

#[derive(Projection)]
#[projection(model = MemoryModel<u64>, events(Opened), tables = )]
struct Missing;

#[derive(Projection)]
#[projection(model = MemoryModel<u64>, events(Opened), table = "balances")]
struct Table;

macro_rules! project {
    ($($projection:ty),*) => {$(
        impl Project<Opened> for $projection {
            async fn project(
                &self,
                _: Opened,
                _: &Received<'_>,
                _: &mut Transaction<Self>,
            ) -> Result<(), BoxError> {
                Ok(())
            }
        }
    )*};
}

project!(Empty, Number, List, Missing, Table);

fn main() {}

use cqrs::{BoxError, Event, MemoryModel, Project, Projection, Received, Transaction};

const CENTS: i64 = 1;

fn sql() -> &'static str {
    "CREATE TABLE balances (cents bigint)"
}

#[derive(Event)]
struct Opened;

#[derive(Projection)]
#[projection(model = MemoryModel<u64>, events(Opened), tables = CENTS)]
struct Number;

#[derive(Projection)]
#[projection(model = MemoryModel<u64>, events(Opened), tables = sql())]
struct AtRunTime;

#[derive(Projection)]
#[projection(model = MemoryModel<u64>, events(Opened), tables = include_str!("balances.sql"))]
struct NoFile;

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

project!(Number, AtRunTime, NoFile);

fn main() {}

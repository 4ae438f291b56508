use cqrs::Query;

#[derive(Clone, Query)]
struct NoAttribute;

#[derive(Clone, Query)]
#[query(error = std::fmt::Error)]
struct NoOutput;

#[derive(Clone, Query)]
#[query(outcome = u64)]
struct Outcome;

#[derive(Clone, Query)]
#[query(output)]
struct NoType;

#[derive(Clone, Query)]
#[query(output = u64, name = "")]
struct NoName;

#[derive(Clone, Copy, Query)]
#[query(output = u64)]
union Union {
    a: u8,
}

#[derive(Query)]
#[query(output = u64)]
struct NotClone;

fn main() {}

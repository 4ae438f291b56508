use cqrs::Aggregate;

#[derive(Aggregate)]
#[aggregate(events(String))]
union Account {
    cents: u64,
}

fn main() {}

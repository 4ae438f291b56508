use cqrs::Projection;

#[derive(Projection)]
#[projection(model = cqrs::MemoryModel<u64>, events(String))]
union Balances {
    cents: u64,
}

fn main() {}

use cqrs::{MemoryModel, Projection};

#[derive(Projection)]
#[projection(model = MemoryModel<u64>)]
struct NoList;

#[derive(Projection)]
#[projection(model = MemoryModel<u64>, events())]
struct EmptyList;

#[derive(Projection)]
#[projection(model = MemoryModel<u64>, events)]
struct NoParentheses;

#[derive(Projection)]
#[projection(model = MemoryModel<u64>, event(AccountEvent))]
struct Singular;

fn main() {}
